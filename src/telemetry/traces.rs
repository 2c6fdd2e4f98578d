//! Traces: the spans of a request with their times, for a collector that speaks OTLP. A `tracing` span with the target
//! [`crate::domain::trace::TARGET`] becomes a span of a trace; the outermost one names the trace, and a span outside
//! any trace is not recorded. Recording never waits: a span that finds the queue full is dropped and counted. Nothing
//! is sent from here.

mod otlp;

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

/// Finished spans that wait to be sent, at most.
const QUEUE_LENGTH: usize = 8_192;
/// Spans in one request to the collector.
const BATCH: usize = 512;

/// How many spans were sent and how many were lost.
#[derive(Debug, Default)]
pub struct SpanCounts {
    /// Spans that the collector took.
    pub sent: AtomicU64,
    /// Spans that the queue had no room for or the collector did not take.
    pub dropped: AtomicU64,
}

/// Records spans and queues the finished ones.
pub struct Recorder {
    clock: Clock,
    ids: SpanIds,
    queue: mpsc::Sender<Span>,
    counts: Arc<SpanCounts>,
}

/// The queue of finished spans, from its other end.
pub struct FinishedSpans {
    queue: mpsc::Receiver<Span>,
    counts: Arc<SpanCounts>,
}

/// Spans for one request to the collector.
pub struct Batch {
    spans: Vec<Span>,
    counts: Arc<SpanCounts>,
}

/// A recorder, and the queue that it fills.
pub fn recorder(clock: Clock, ids: SpanIds) -> (Recorder, FinishedSpans) {
    let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
    let counts = Arc::new(SpanCounts::default());
    (Recorder { clock, ids, queue: sender, counts: Arc::clone(&counts) }, FinishedSpans { queue: receiver, counts })
}

impl FinishedSpans {
    /// The counts of all spans.
    pub fn counts(&self) -> Arc<SpanCounts> {
        Arc::clone(&self.counts)
    }

    /// Takes the next batch from the queue, or none if the queue is empty. Its spans count as dropped unless
    /// [`Batch::sent`] is called.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let spans: Vec<_> = std::iter::from_fn(|| self.queue.try_recv().ok()).take(BATCH).collect();
        (!spans.is_empty()).then(|| Batch { spans, counts: Arc::clone(&self.counts) })
    }
}

impl Batch {
    /// The spans as an `ExportTraceServiceRequest` of OTLP, in JSON.
    pub fn to_otlp(&self) -> Vec<u8> {
        otlp::request(&self.spans)
    }

    /// Counts the spans as sent.
    pub fn sent(mut self) {
        self.counts.sent.fetch_add(self.spans.len() as u64, Relaxed);
        self.spans.clear();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.counts.dropped.fetch_add(self.spans.len() as u64, Relaxed);
    }
}

/// A span of a trace.
struct Span {
    trace: Arc<str>,
    id: SpanId,
    /// In hexadecimal.
    parent: Option<String>,
    name: &'static str,
    /// Nanoseconds since 1970.
    started_at: u64,
    started: Instant,
    duration: Duration,
    kind: SpanKind,
    fields: Vec<(&'static str, Value)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SpanKind {
    /// A request: the outermost span of this server in its trace.
    Server,
    /// Work within a request.
    Internal,
}

/// The value of a field.
enum Value {
    Number(u64),
    Text(String),
}

/// The fields of a `tracing` span, apart from those that place it in a trace.
#[derive(Default)]
struct RecordedFields {
    trace: Option<String>,
    parent: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Visit for RecordedFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), Value::Number(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace.id" => self.trace = Some(value.to_owned()),
            "trace.parent_id" => self.parent = Some(value.to_owned()),
            name => self.others.push((name, Value::Text(value.to_owned()))),
        }
    }
}

impl Recorder {
    /// The first span of this server in a trace.
    fn outermost(&self, trace: String, parent: Option<String>, name: &'static str) -> Span {
        Span {
            trace: trace.into(),
            id: self.ids.next(),
            parent,
            name,
            started_at: u64::try_from(self.clock.now().millis()).unwrap_or_default().saturating_mul(1_000_000),
            started: Instant::now(),
            duration: Duration::ZERO,
            kind: SpanKind::Server,
            fields: vec![],
        }
    }

    /// A span within another one. Its start is measured from that of the other, so that both fit together even if the
    /// clock is set in between.
    fn inner(&self, outer: &Span, name: &'static str) -> Span {
        let started = Instant::now();
        let offset = u64::try_from((started - outer.started).as_nanos()).unwrap_or_default();
        Span {
            trace: Arc::clone(&outer.trace),
            id: self.ids.next(),
            parent: Some(outer.id.to_string()),
            name,
            started_at: outer.started_at.saturating_add(offset),
            started,
            duration: Duration::ZERO,
            kind: SpanKind::Internal,
            fields: vec![],
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = RecordedFields::default();
        attributes.record(&mut fields);
        let name = attributes.metadata().name();
        let recorded = match fields.trace {
            Some(trace) => Some(self.outermost(trace, fields.parent, name)),
            None => {
                span.parent().and_then(|outer| outer.extensions().get::<Span>().map(|outer| self.inner(outer, name)))
            }
        };
        if let Some(recorded) = recorded {
            span.extensions_mut().insert(Span { fields: fields.others, ..recorded });
        }
    }

    fn on_record(&self, id: &Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(recorded) = span.extensions_mut().get_mut::<Span>() {
            let mut fields = RecordedFields::default();
            values.record(&mut fields);
            recorded.fields.extend(fields.others);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(mut span) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Span>()) else { return };
        span.duration = span.started.elapsed();
        if self.queue.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{time::Timestamp, trace::TARGET};
    use tracing_subscriber::layer::SubscriberExt;

    /// The spans that are recorded while `work` runs.
    fn recorded(work: impl FnOnce()) -> FinishedSpans {
        let clock = Clock::from_fn(|| Timestamp::from_millis(1_000));
        let (recorder, finished) = recorder(clock, SpanIds::seeded(1));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(recorder), work);
        finished
    }

    fn request() -> tracing::Span {
        tracing::trace_span!(target: TARGET, "request", trace.id = "abc", trace.parent_id = "def", operation = tracing::field::Empty)
    }

    #[test]
    fn a_span_within_a_request_belongs_to_its_trace() {
        let mut finished = recorded(|| {
            let request = request();
            request.in_scope(|| drop(tracing::trace_span!(target: TARGET, "write", store.operation = "orders.create")));
            request.record("operation", "orders.create");
        });
        let batch = finished.next_batch().unwrap();
        let [write, request] = batch.spans.as_slice() else { panic!("two spans") };
        assert_eq!(
            (&*request.trace, request.parent.as_deref(), request.started_at),
            ("abc", Some("def"), 1_000_000_000)
        );
        assert_eq!((&*write.trace, write.parent.clone()), ("abc", Some(request.id.to_string())));
        assert!(request.kind == SpanKind::Server && write.kind == SpanKind::Internal);
        assert!(write.started_at >= request.started_at && write.duration <= request.duration);
        assert!(matches!(&request.fields[..], [("operation", Value::Text(text))] if text == "orders.create"));
    }

    #[test]
    fn a_span_outside_any_trace_is_not_recorded() {
        let mut finished = recorded(|| drop(tracing::trace_span!(target: TARGET, "write")));
        assert!(finished.next_batch().is_none());
    }

    #[test]
    fn every_span_counts_as_sent_or_as_dropped() {
        let mut finished = recorded(|| (0..QUEUE_LENGTH + 3).for_each(|_| drop(request())));
        let counts = finished.counts();
        let read = || (counts.sent.load(Relaxed), counts.dropped.load(Relaxed));
        assert_eq!(read(), (0, 3), "the queue was full");
        finished.next_batch().unwrap().sent();
        assert_eq!(read(), (512, 3));
        drop(finished.next_batch());
        assert_eq!(read(), (512, 515), "a batch that is not sent is lost");
    }
}
