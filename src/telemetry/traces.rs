//! Traces: the spans of a request, each with its time, for a collector that speaks OTLP. A span of [`crate::domain::trace::TARGET`] is such a
//! span; the outermost one names the trace, and what lies in no trace is not recorded. Recording never waits: what the
//! queue has no room for is dropped and counted.

mod export;
mod otlp;

pub use export::Exporter;

use crate::domain::{
    time::Clock,
    trace::{SpanId, SpanIds},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tracing::{
    Id, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// Finished spans that may wait to be sent.
const QUEUE_LENGTH: usize = 8_192;

/// What became of the spans.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub sent: AtomicU64,
    /// Not sent.
    pub dropped: AtomicU64,
}

/// Records spans.
pub struct Spans {
    clock: Clock,
    ids: SpanIds,
    queue: mpsc::Sender<Span>,
    counts: Arc<Counts>,
}

/// A recorder, and the one who sends what it records.
pub fn recorder(clock: Clock, ids: SpanIds, to: crate::config::HttpUrl) -> (Spans, Exporter) {
    let (queue, finished) = mpsc::channel(QUEUE_LENGTH);
    let counts = Arc::new(Counts::default());
    (Spans { clock, ids, queue, counts: Arc::clone(&counts) }, Exporter::new(to, finished, counts))
}

/// A span of a trace.
struct Span {
    trace: Arc<str>,
    id: SpanId,
    /// As hexadecimal digits.
    parent: Option<String>,
    name: &'static str,
    /// Nanoseconds since 1970.
    begun_at: u64,
    begun: Instant,
    took: Duration,
    /// A request, as opposed to something done for one.
    is_outermost: bool,
    fields: Vec<(&'static str, Value)>,
}

/// The value of a field.
enum Value {
    Number(u64),
    Text(String),
}

/// What the fields of a span say, those that place it in a trace apart.
#[derive(Default)]
struct Said {
    trace: Option<String>,
    parent: Option<String>,
    fields: Vec<(&'static str, Value)>,
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Value::Number(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace.id" => self.trace = Some(value.to_owned()),
            "trace.parent_id" => self.parent = Some(value.to_owned()),
            name => self.fields.push((name, Value::Text(value.to_owned()))),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let (name, begun) = (attributes.metadata().name(), Instant::now());
        let outermost = said.trace.map(|trace| Span {
            trace: trace.into(),
            id: self.ids.next(),
            parent: said.parent,
            name,
            begun_at: u64::try_from(self.clock.now().millis()).unwrap_or_default().saturating_mul(1_000_000),
            begun,
            took: Duration::ZERO,
            is_outermost: true,
            fields: vec![],
        });
        let within = || {
            let around = span.parent()?;
            let extensions = around.extensions();
            let around = extensions.get::<Span>()?;
            let since = u64::try_from((begun - around.begun).as_nanos()).unwrap_or_default();
            Some(Span {
                trace: Arc::clone(&around.trace),
                id: self.ids.next(),
                parent: Some(around.id.to_string()),
                name,
                begun_at: around.begun_at.saturating_add(since),
                begun,
                took: Duration::ZERO,
                is_outermost: false,
                fields: vec![],
            })
        };
        if let Some(recorded) = outermost.or_else(within) {
            span.extensions_mut().insert(Span { fields: said.fields, ..recorded });
        }
    }

    fn on_record(&self, id: &Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(recorded) = span.extensions_mut().get_mut::<Span>() {
            let mut said = Said::default();
            values.record(&mut said);
            recorded.fields.extend(said.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(mut span) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Span>()) else { return };
        span.took = span.begun.elapsed();
        if self.queue.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}
