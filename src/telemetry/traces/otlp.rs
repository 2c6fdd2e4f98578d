//! Steps as OTLP writes them in JSON (OpenTelemetry Protocol 1.x, `ExportTraceServiceRequest`): identifiers in
//! hexadecimal, 64-bit integers as text.

use super::{Step, Value};
use serde_json::{Value as Json, json};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;
/// The field that says what was done, which goes into the name of a step.
const OPERATIONS: [&str; 2] = ["operation", "store.operation"];
/// The field with the HTTP status, as OpenTelemetry's conventions name it.
const STATUS: &str = "http.response.status_code";

/// The body of a request to the collector.
pub(super) fn body(steps: &[Step]) -> Vec<u8> {
    let resource = [("service.name", "orderd"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = resource.map(|(name, text)| attribute(name, &Value::Text(text.to_owned())));
    let spans: Vec<_> = steps.iter().map(span).collect();
    let document = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "orderd"}, "spans": spans}],
    }]});
    document.to_string().into_bytes()
}

fn span(step: &Step) -> Json {
    let took = u64::try_from(step.took.as_nanos()).unwrap_or(u64::MAX);
    let attributes: Vec<_> = step.fields.iter().map(|(name, value)| attribute(name, value)).collect();
    let mut span = json!({
        "traceId": *step.trace,
        "spanId": step.id.to_string(),
        "name": name(step),
        "kind": if step.is_outermost { SERVER } else { INTERNAL },
        "startTimeUnixNano": step.begun_at.to_string(),
        "endTimeUnixNano": step.begun_at.saturating_add(took).to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = &step.parent {
        span["parentSpanId"] = parent.as_str().into();
    }
    if step.fields.iter().any(|(name, value)| *name == STATUS && matches!(value, Value::Number(500..))) {
        span["status"] = json!({"code": ERROR});
    }
    span
}

/// Such as `write orders.create`.
fn name(step: &Step) -> String {
    let operation = step.fields.iter().find_map(|(name, value)| match value {
        Value::Text(text) if OPERATIONS.contains(name) => Some(text),
        _ => None,
    });
    operation.map_or_else(|| step.name.to_owned(), |operation| format!("{} {operation}", step.name))
}

fn attribute(name: &str, value: &Value) -> Json {
    let value = match value {
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Text(text) => json!({"stringValue": text}),
    };
    json!({"key": name, "value": value})
}
