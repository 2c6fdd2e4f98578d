//! Spans in the JSON form of OTLP (OpenTelemetry Protocol 1.x, `ExportTraceServiceRequest`): identifiers are
//! hexadecimal, 64-bit integers are text.

use super::{Span, SpanKind, Value};
use serde_json::{Value as Json, json};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;
/// The fields with the name of an operation, which becomes part of the name of the span.
const OPERATIONS: [&str; 2] = ["operation", "store.operation"];
/// The field with the HTTP status, named as in OpenTelemetry's conventions.
const STATUS: &str = "http.response.status_code";

/// The body of a request to the collector.
pub(super) fn request(spans: &[Span]) -> Vec<u8> {
    let resource = [("service.name", "orderd"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = resource.map(|(name, text)| attribute(name, &Value::Text(text.to_owned())));
    let spans: Vec<_> = spans.iter().map(span).collect();
    let document = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "orderd"}, "spans": spans}],
    }]});
    document.to_string().into_bytes()
}

fn span(span: &Span) -> Json {
    let duration = u64::try_from(span.duration.as_nanos()).unwrap_or(u64::MAX);
    let attributes: Vec<_> = span.fields.iter().map(|(name, value)| attribute(name, value)).collect();
    let mut document = json!({
        "traceId": *span.trace,
        "spanId": span.id.to_string(),
        "name": name(span),
        "kind": match span.kind {
            SpanKind::Server => SERVER,
            SpanKind::Internal => INTERNAL,
        },
        "startTimeUnixNano": span.started_at.to_string(),
        "endTimeUnixNano": span.started_at.saturating_add(duration).to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = &span.parent {
        document["parentSpanId"] = parent.as_str().into();
    }
    if span.fields.iter().any(|(name, value)| *name == STATUS && matches!(value, Value::Number(500..))) {
        document["status"] = json!({"code": ERROR});
    }
    document
}

/// A name such as `write orders.create`.
fn name(span: &Span) -> String {
    let operation = span.fields.iter().find_map(|(name, value)| match value {
        Value::Text(text) if OPERATIONS.contains(name) => Some(text),
        _ => None,
    });
    operation.map_or_else(|| span.name.to_owned(), |operation| format!("{} {operation}", span.name))
}

fn attribute(name: &str, value: &Value) -> Json {
    let value = match value {
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Text(text) => json!({"stringValue": text}),
    };
    json!({"key": name, "value": value})
}
