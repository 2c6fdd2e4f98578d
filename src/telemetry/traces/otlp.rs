//! Steps as OTLP writes them in JSON (OpenTelemetry Protocol 1.x, `ExportTraceServiceRequest`): identifiers in
//! hexadecimal, 64-bit integers as text.

use super::{Span, Value};
use serde_json::{Value as Json, json};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;
/// The field that says what was done, which goes into the name of a span.
const OPERATIONS: [&str; 2] = ["operation", "store.operation"];
/// The field with the HTTP status, as OpenTelemetry's conventions name it.
const STATUS: &str = "http.response.status_code";

/// The body of a request to the collector.
pub(super) fn body(spans: &[Span]) -> Vec<u8> {
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
    let took = u64::try_from(span.took.as_nanos()).unwrap_or(u64::MAX);
    let attributes: Vec<_> = span.fields.iter().map(|(name, value)| attribute(name, value)).collect();
    let mut document = json!({
        "traceId": *span.trace,
        "spanId": span.id.to_string(),
        "name": name(span),
        "kind": if span.is_outermost { SERVER } else { INTERNAL },
        "startTimeUnixNano": span.begun_at.to_string(),
        "endTimeUnixNano": span.begun_at.saturating_add(took).to_string(),
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

/// Such as `write orders.create`.
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
