//! The format of a log line: one flat JSON object, or plain text for people. Both have the time, the level, the fields
//! of the surrounding spans (so every line of a request has `request.id`), the message, and the event's own fields,
//! with dotted names. Whatever the input, a line is one line of plain text with fields of bounded length: control
//! characters, line separators and characters that change the direction of text are escaped.

use crate::{config::LogFormat, domain::time::Clock};
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

/// Characters of one field that are written; the rest is cut off.
const MAX_FIELD_CHARS: usize = 4_096;

/// Writes each event as a line.
pub(super) struct Lines<W> {
    format: LogFormat,
    clock: Clock,
    writer: fn() -> W,
}

/// The fields of a span as they are written in each of its lines.
struct SpanFields(String);

impl<W> Lines<W> {
    pub(super) fn new(format: LogFormat, clock: Clock, writer: fn() -> W) -> Self {
        Self { format, clock, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            // The identifiers of a request and its trace fit.
            let mut fields = Fields { line: String::with_capacity(128), format: self.format };
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields.line));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = event.metadata().level().as_str();
        let mut line = String::with_capacity(512);
        // Writing to a string cannot fail.
        let _ = match self.format {
            LogFormat::Json => {
                write!(line, "{{\"time\":\"{}\",\"level\":\"{}\"", self.clock.now(), level.to_ascii_lowercase())
            }
            LogFormat::Pretty => write!(line, "{} {level:5}", self.clock.now()),
        };
        let mut fields = Fields { line, format: self.format };
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(SpanFields(written)) = span.extensions().get() {
                fields.line.push_str(written);
            }
        }
        event.record(&mut fields);
        fields.line.push_str(match self.format {
            LogFormat::Json => "}\n",
            LogFormat::Pretty => "\n",
        });
        // If standard error fails, there is nowhere left to report it.
        let _ = (self.writer)().write_all(fields.line.as_bytes());
    }
}

/// A line under construction. Each field begins with its separator from the one before.
struct Fields {
    line: String,
    format: LogFormat,
}

impl Fields {
    fn name(&mut self, field: &Field) {
        let (before, after) = match self.format {
            LogFormat::Json => (",\"", "\":"),
            LogFormat::Pretty => (" ", "="),
        };
        self.line.push_str(before);
        self.line.push_str(field.name());
        self.line.push_str(after);
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        let bare = self.format == LogFormat::Pretty && field.name() == "message";
        if bare {
            self.line.push(' ');
        } else {
            self.name(field);
            self.line.push('"');
        }
        // An error means only that the text is cut off.
        let _ = write(&mut Escaped { line: &mut self.line, left: MAX_FIELD_CHARS });
        if !bare {
            self.line.push('"');
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, |text| write!(text, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |text| text.write_str(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        let _ = write!(self.line, "{value}");
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        let _ = write!(self.line, "{value}");
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        let _ = write!(self.line, "{value}");
    }
}

/// Appends text as the inside of a JSON string (RFC 8259, section 7), up to a number of characters.
struct Escaped<'t> {
    line: &'t mut String,
    left: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Identifiers and paths, which are nearly all that is written.
        if text.len() <= self.left && text.bytes().all(|c| matches!(c, b' '..=b'~') && c != b'"' && c != b'\\') {
            self.left -= text.len();
            self.line.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if self.left == 0 {
                self.line.push('…');
                // An error ends the formatting, so nothing follows the ellipsis.
                return Err(fmt::Error);
            }
            self.left -= 1;
            escape(c, self.line);
        }
        Ok(())
    }
}

fn escape(c: char, line: &mut String) {
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

/// Whether this is a line separator, changes the direction of text (Unicode UAX #9) or is invisible.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use std::cell::RefCell;
    use tracing_subscriber::layer::SubscriberExt;

    thread_local! {
        static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
    }

    struct Sink;

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs, in this format.
    fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let clock = Clock::from_fn(|| Timestamp::from_millis(0));
        let subscriber = tracing_subscriber::registry().with(Lines::new(format, clock, || Sink));
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(WRITTEN.take()).unwrap()
    }

    const HOSTILE: &str = "a\"\r\n\u{1b}[31m\u{9b}31m\u{202e}\u{2028}\u{e0041}\\";

    fn log_hostile_text() {
        let span = tracing::info_span!("request", request.id = "req_1");
        let _in_span = span.enter();
        tracing::warn!(
            http.path = HOSTILE,
            http.status = 200_u16,
            ok = true,
            none = None::<u8>,
            "received {}",
            HOSTILE
        );
    }

    #[test]
    fn a_json_line_is_one_flat_object_whatever_its_fields_contain() {
        let written = logged(LogFormat::Json, log_hostile_text);
        assert_eq!(written.matches('\n').count(), 1);
        assert!(written.is_ascii(), "{written}");
        let line: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(line["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(line["level"], "warn");
        assert_eq!(line["request.id"], "req_1");
        assert_eq!(line["http.path"], HOSTILE);
        assert_eq!(line["message"], format!("received {HOSTILE}"));
        assert_eq!(line["http.status"], 200);
        assert_eq!(line["ok"], true);
        assert!(line.get("none").is_none());
    }

    #[test]
    fn a_pretty_line_is_one_line_of_plain_text_whatever_its_fields_contain() {
        let escaped = "a\\\"\\u000d\\u000a\\u001b[31m\\u009b31m\\u202e\\u2028\\udb40\\udc41\\\\";
        let expected = format!(
            "1970-01-01T00:00:00.000Z WARN  request.id=\"req_1\" received {escaped} http.path=\"{escaped}\" http.status=200 ok=true\n"
        );
        assert_eq!(logged(LogFormat::Pretty, log_hostile_text), expected);
    }

    #[test]
    fn a_panic_is_logged_with_the_fields_of_its_request() {
        let (this, others) = (std::thread::current().id(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == this { super::super::log_panic(panic) } else { others(panic) }
        }));
        let written = logged(LogFormat::Json, || {
            let span = tracing::error_span!("request", request.id = "req_1");
            let caught = span.in_scope(|| std::panic::catch_unwind(|| panic!("{HOSTILE}")));
            assert!(caught.is_err());
        });
        assert_eq!(written.matches('\n').count(), 1);
        let line: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(line["level"], "error");
        let message = line["message"].as_str().unwrap();
        assert!(message.starts_with("panic at src/") && message.ends_with(&format!(": {HOSTILE}")), "{message}");
        assert_eq!((&line["request.id"], &line["panic.message"]), (&"req_1".into(), &HOSTILE.into()));
        assert!(line["panic.location"].as_str().unwrap().contains("lines.rs:"), "{line}");
    }

    #[test]
    fn a_long_field_is_cut_off() {
        let written = logged(LogFormat::Json, || tracing::info!(path = "é".repeat(5_000), after = 1, "long"));
        let line: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(line["path"], format!("{}…", "é".repeat(MAX_FIELD_CHARS)));
        assert_eq!(line["after"], 1);
    }
}
