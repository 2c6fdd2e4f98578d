//! Describes the parameters of an operation for OpenAPI: path, query and request headers.

use crate::{
    api::{
        input::entity_tag,
        operation::{FileForm, Idempotency, Operation, Versioning},
    },
    auth::policy::{MAX_ROLE_NAME, ROLE_NAME_PATTERN},
    domain::id::{DeliveryId, Identifier, KeyId, OrderId, SessionId, TransactionId, UserId, WebhookId},
};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

/// All parameters of `operation`.
pub(super) fn of(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| path_parameter(operation.path, name.trim_start_matches('*')));
    let in_query = operation.query.map(|schema| query_parameters(schema(generator).as_value())).unwrap_or_default();
    let is_paged = in_query.iter().any(|parameter| parameter["name"] == "cursor" || parameter["name"] == "wait");
    let in_query = in_query.into_iter().filter(|parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        !(foreign_parameters(operation.form).contains(&name) || operation.form.is_some() && is_paged && name == "limit")
    });
    let headers = headers(operation).into_iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")}));
    in_path.chain(in_query).chain(headers).collect()
}

/// The parameters that belong to another form of the same list or report.
fn foreign_parameters(form: Option<FileForm>) -> &'static [&'static str] {
    match form {
        None => &["style", "rows"],
        Some(FileForm::Csv) => &["cursor", "count", "include", "wait"],
        Some(FileForm::Ndjson) => &["cursor", "count", "style", "rows", "wait"],
        Some(FileForm::Svg) => &["cursor", "count", "style"],
    }
}

fn path_parameter(path: &str, name: &str) -> Value {
    let (description, schema) = match (name, path.split('/').nth(2)) {
        ("id", Some("orders")) => ("The order.", id::<OrderId>()),
        ("id", Some("transactions")) => ("The payment or refund.", id::<TransactionId>()),
        ("id", Some("users")) => ("The user.", id::<UserId>()),
        ("id", Some("api-keys")) => ("The API key.", id::<KeyId>()),
        ("id", Some("webhooks")) => ("The webhook endpoint.", id::<WebhookId>()),
        ("delivery_id", _) => ("The delivery.", id::<DeliveryId>()),
        ("session_id", _) => ("The session.", id::<SessionId>()),
        ("number", _) => ("The order's number.", json!({"type": "integer", "minimum": 1, "examples": [1042]})),
        ("external_ref", _) => {
            ("The order's external reference.", json!({"type": "string", "minLength": 1, "maxLength": 255}))
        }
        ("key", _) => ("The idempotency key, as the client sent it.", text(1, 255, "^[!-~]*$")),
        ("name", _) => ("The role.", text(1, MAX_ROLE_NAME, ROLE_NAME_PATTERN)),
        _ => ("The identifier.", json!({"type": "string", "minLength": 1})),
    };
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}

fn id<I: Identifier>() -> Value {
    let example = format!("{}_01h455vb4pex5vsknk084sn02q", I::PREFIX);
    json!({"type": "string", "pattern": I::PATTERN, "examples": [example]})
}

fn text(min: usize, max: usize, pattern: &str) -> Value {
    json!({"type": "string", "minLength": min, "maxLength": max, "pattern": pattern})
}

fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|other| other == name))
    };
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(name, field)| {
            let mut parameter = query_parameter(name, field);
            parameter["required"] = required(name).into();
            parameter
        })
        .collect()
}

fn query_parameter(name: &str, field: &Value) -> Value {
    let mut schema = without_null(field);
    let description = schema.remove("description").unwrap_or_default();
    let prefix = schema.remove("x-prefix");
    let mut parameter = json!({"name": name, "in": "query"});
    if let Some(text) = description.as_str() {
        parameter["description"] = text.into();
    }
    if let Some(prefix) = prefix.as_ref().and_then(Value::as_str) {
        // OpenAPI has no parameters with a common prefix. An exploded object has the same form: one parameter for each
        // key.
        (parameter["style"], parameter["explode"]) = ("form".into(), true.into());
        let mut names = json!({"pattern": format!("^{}", prefix.replace('.', "\\.")), "minLength": prefix.len() + 1});
        if let Some(most) = schema.get("propertyNames").and_then(|names| names["maxLength"].as_u64()) {
            names["maxLength"] = (prefix.len() as u64 + most).into();
        }
        schema.insert("propertyNames".into(), names);
    } else if schema.get("type").is_some_and(|name| name == "array") {
        (parameter["style"], parameter["explode"]) = ("form".into(), false.into());
        // An empty list is refused; it does not mean that the parameter is left out.
        schema.insert("minItems".into(), 1.into());
    }
    parameter["schema"] = schema.into();
    parameter
}

/// The schema without null, which a query string cannot express.
fn without_null(schema: &Value) -> Map<String, Value> {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.retain(|word, value| word != "default" || !value.is_null() && *value != json!({}));
    if let Some(Value::Array(names)) = schema.get_mut("type") {
        names.retain(|name| name != "null");
        if let [only] = names.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema.extend(only);
        }
    }
    schema
}

/// The names, in [`shared`], of the request headers that `operation` uses.
fn headers(operation: &Operation) -> Vec<&'static str> {
    let mut names = vec!["RequestId", "Traceparent"];
    match operation.idempotency {
        Idempotency::Ignored => {}
        Idempotency::Optional => names.push("IdempotencyKey"),
        Idempotency::Required => names.push("RequiredIdempotencyKey"),
    }
    match operation.versioning {
        Versioning::None | Versioning::Tagged => {}
        Versioning::ConditionalRead => names.push("IfNoneMatch"),
        Versioning::ConditionalWrite => names.push("IfMatch"),
    }
    if operation.resumes {
        names.push("LastEventId");
    }
    names
}

/// The descriptions of all request headers.
pub(super) fn shared() -> Value {
    let header = |name: &str, required: bool, description: &str, schema: Value| json!({"name": name, "in": "header", "required": required, "description": description, "schema": schema});
    // Bare, or quoted as an RFC 8941 string.
    let key = || {
        let pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;
        json!({"type": "string", "pattern": pattern, "examples": ["7f0c4b1e-5a0e-4a54-9a0c-2f1d1f6f0a51"]})
    };
    let if_match =
        json!({"type": "string", "pattern": entity_tag::LIST_PATTERN, "examples": ["\"3\"", "\"3\", \"4\"", "*"]});
    // There is no pattern: an If-None-Match of another form is accepted and matches nothing.
    let if_none_match = json!({"type": "string", "examples": ["\"3\""]});
    // There is no pattern here either: a malformed value is accepted and replaced.
    let replaceable = |example: &str| json!({"type": "string", "examples": [example]});
    json!({
        "IdempotencyKey": header("Idempotency-Key", false,
            "Makes the request safe to retry: the same key and request have the same outcome.", key()),
        "RequiredIdempotencyKey": header("Idempotency-Key", true,
            "A new key for each new request, the same key for each retry: the same key and request have the same outcome.", key()),
        "IfMatch": header("If-Match", false,
            "The `ETag` of the version that the change is for. If the current version is another one, the response is 412.", if_match),
        "IfNoneMatch": header("If-None-Match", false,
            "The `ETag` of the version that the caller has. If it is the current one, the response is 304.", if_none_match),
        "LastEventId": header("Last-Event-ID", false,
            "The `id` of the last event of an event stream that the caller has: the stream goes on after it. It is stronger than `after`.",
            json!({"type": "string", "pattern": "^[0-9]{1,16}$", "examples": ["1042"]})),
        "RequestId": header("X-Request-Id", false,
            "Identifies the request in responses, logs, events and audit entries. It has 1 to 128 letters, digits, `.`, `_` \
            and `-`; any other value is replaced.", replaceable("checkout-7f0c4b1e")),
        "Traceparent": header("traceparent", false,
            "W3C trace context of the caller. A malformed value is ignored.",
            replaceable("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
    })
}
