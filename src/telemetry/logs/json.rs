//! A log line as one flat JSON object: the time, the level, the message, the fields of the spans around it (so every line
//! of a request has `request.id`), then its own, all named with dots. Whatever the input, a line stays one line of plain
//! text: controls, line separators and characters that turn the direction of text are escaped.

use crate::domain::time::Clock;
use std::{
    fmt::{self, Write as _},
    io::Write,
};
use tracing::{
    Event, Id, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

/// Writes the lines.
pub(super) struct Lines<W> {
    clock: Clock,
    writer: fn() -> W,
}

/// The fields of a span, written once.
struct SpanFields(String);

impl<W> Lines<W> {
    pub(super) fn new(clock: Clock, writer: fn() -> W) -> Self {
        Self { clock, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields(String::new());
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = event.metadata().level().as_str();
        let mut fields = Fields(String::with_capacity(512));
        // Writing to a string cannot fail.
        let _ = write!(fields.0, "{{\"time\":\"{}\",\"level\":\"{}\"", self.clock.now(), level.to_ascii_lowercase());
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(SpanFields(written)) = span.extensions().get() {
                fields.0.push_str(written);
            }
        }
        event.record(&mut fields);
        fields.0.push_str("}\n");
        // With standard error gone there is nowhere left to say so.
        let _ = (self.writer)().write_all(fields.0.as_bytes());
    }
}

/// Members of a JSON object, each with a comma before it.
struct Fields(String);

impl Fields {
    fn name(&mut self, field: &Field) {
        let _ = write!(self.0, ",\"{}\":", field.name());
    }

    fn text(&mut self, text: &str) {
        self.0.push('"');
        escape(text, &mut self.0);
        self.0.push('"');
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.0.push('"');
        let _ = write!(Escaped(&mut self.0), "{value:?}");
        self.0.push('"');
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.text(value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        let _ = write!(self.0, "{value}");
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        let _ = write!(self.0, "{value}");
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        let _ = write!(self.0, "{value}");
    }
}

/// Escapes what is written through it.
struct Escaped<'t>(&'t mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259, section 7).
fn escape(text: &str, line: &mut String) {
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c if c.is_control() || is_deceptive(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
}

/// Line separators, and characters that change the direction of text (Unicode UAX #9) or cannot be seen.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use std::sync::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    static WRITTEN: Mutex<Vec<u8>> = Mutex::new(vec![]);

    struct Sink;

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            WRITTEN.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_flat_object_whatever_is_in_it() {
        let clock = Clock::from_fn(|| Timestamp::from_millis(0));
        let subscriber = tracing_subscriber::registry().with(Lines::new(clock, || Sink));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request.id = "req_1");
            let _in_span = span.enter();
            let evil = "a\"\r\n\u{1b}[31m\u{202e}\u{2028}\\";
            tracing::warn!(http.path = evil, http.status = 200_u16, ok = true, none = None::<u8>, "said {}", evil);
        });
        let written = String::from_utf8(std::mem::take(&mut *WRITTEN.lock().unwrap())).unwrap();
        assert_eq!(written.matches('\n').count(), 1);
        assert!(written.is_ascii(), "{written}");
        let line: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(line["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(line["level"], "warn");
        assert_eq!(line["request.id"], "req_1");
        assert_eq!(line["http.path"], "a\"\r\n\u{1b}[31m\u{202e}\u{2028}\\");
        assert_eq!(line["http.status"], 200);
        assert_eq!(line["ok"], true);
        assert!(line.get("none").is_none());
    }
}
