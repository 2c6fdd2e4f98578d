//! The OpenAPI document. Every response in any test is checked against it: its status, the code of its problem, its
//! media type, its headers and its body. So the document cannot drift from the responses.

use super::answer::Answer;
use axum::http::Method;
use orderd::api::routes;
use serde_json::Value;
use std::sync::LazyLock;

/// The document as it is served.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(routes::document().json()).unwrap());

/// Headers that any response may have and that belong to HTTP itself.
const PLAIN: &[&str] = &[
    "allow",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "referrer-policy",
    "vary",
    "x-accel-buffering",
];
const SECURITY: &[&str] = &["content-security-policy", "strict-transport-security", "x-content-type-options"];

/// The value itself, or the target of its `$ref`.
pub fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(target) => resolved(DOCUMENT.pointer(&target[1..]).unwrap_or_else(|| panic!("{target} leads nowhere"))),
        None => value,
    }
}

/// Asserts that the document describes `answer`. Paths that are not operations are skipped.
#[track_caller]
pub(super) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, &with_ending(path, answer)) else { return };
    let status = answer.code().to_string();
    let Some(response) = operation["responses"].get(&status) else {
        panic!("the document lacks this status: {answer}")
    };
    let response = resolved(response);
    if let Some(name) = answer.header_names().find(|name| !known(response, name)) {
        panic!("the document lacks the header {name}: {answer}");
    }
    let Some(content) = response.get("content") else {
        assert!(answer.bytes().is_empty(), "the document has no body here: {answer}");
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let Some(content) = content.get(media_type) else { panic!("the document lacks this media type: {answer}") };
    if media_type == "application/problem+json" {
        let code = answer["code"].as_str().unwrap();
        assert!(content["examples"].get(code).is_some(), "the document lacks this problem: {answer}");
    }
    if ["/json", "+json"].iter().any(|end| media_type.ends_with(end))
        && let Some(schema) = content.get("schema")
        && let Err(fault) = fits(schema, answer.json(), "#")
    {
        panic!("the body does not match the document: {fault}: {answer}");
    }
}

/// The path under which the document describes this answer: a file that was asked for by `Accept` is described at the
/// address with its ending.
fn with_ending(path: &str, answer: &Answer) -> String {
    let media = answer.maybe_header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let ending = match media {
        "text/csv" => ".csv",
        "application/x-ndjson" => ".ndjson",
        "image/svg+xml" => ".svg",
        _ => "",
    };
    let with_ending = format!("{path}{ending}");
    let is_file = template(&with_ending).is_some_and(|template| template.ends_with(ending));
    if is_file { with_ending } else { path.to_owned() }
}

/// The `operationId` of a request. None if the path is not an operation.
pub(super) fn operation_id(method: &Method, path: &str) -> Option<&'static str> {
    operation(method, path)?["operationId"].as_str()
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = method.as_str().to_lowercase();
    DOCUMENT["paths"][template(path)?].get(method)
}

/// The path of the document that this path fits.
fn template(path: &str) -> Option<&'static String> {
    let fits = |template: &&String| {
        let (parts, given) = (template.split('/'), path.split('/'));
        parts.clone().count() == given.clone().count()
            && parts.zip(given).all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // As in the router, a literal path takes precedence over one with a parameter.
    paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())
}

fn known(response: &'static Value, name: &str) -> bool {
    let documented = response.get("headers").and_then(Value::as_object).into_iter().flatten();
    // Headers of the Fetch standard are for browsers only.
    name.starts_with("access-control-")
        || PLAIN.contains(&name)
        || SECURITY.contains(&name)
        || documented.into_iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
}

/// Checks `value` against `schema`. A member that the schema does not name is a fault, unless the schema allows
/// additional ones or describes a problem, which RFC 9457 leaves open.
pub fn fits(schema: &'static Value, value: &Value, place: &str) -> Result<(), String> {
    let fault = |what: &str| Err(format!("{place} {what}: {value}"));
    if schema.get("$ref").is_some() {
        return fits(resolved(schema), value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| fits(choice, value, place).is_ok());
        return if fits { Ok(()) } else { fault("matches no choice") };
    }
    if !has_type(&schema["type"], value) {
        return fault("has the wrong type");
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        return fault("is not an allowed value");
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return fault("is not the required value");
    }
    match value {
        Value::Object(_) => members_fit(schema, value, place),
        Value::Array(elements) => {
            let Some(item) = schema.get("items") else { return Ok(()) };
            elements.iter().enumerate().try_for_each(|(i, element)| fits(item, element, &format!("{place}/{i}")))
        }
        Value::String(text) => text_fits(schema, text).or_else(|what| fault(&what)),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let low = schema["minimum"].as_f64().is_some_and(|least| number < least);
            let high = schema["maximum"].as_f64().is_some_and(|most| number > most);
            if low || high { fault("is out of bounds") } else { Ok(()) }
        }
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn members_fit(schema: &'static Value, value: &Value, place: &str) -> Result<(), String> {
    let named = schema["properties"].as_object();
    let others = schema.get("additionalProperties");
    let open = named.is_none_or(|named| named.contains_key("request_id") && named.contains_key("title"));
    for name in schema["required"].as_array().into_iter().flatten() {
        value.get(name.as_str().unwrap()).ok_or_else(|| format!("{place} lacks {name}"))?;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        match (named.and_then(|named| named.get(name)), others) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => fits(schema, member, &place)?,
            (None, Some(Value::Bool(true))) => {}
            (None, None) if open => {}
            (None, _) => return Err(format!("{place} is not in the document")),
        }
    }
    Ok(())
}

fn text_fits(schema: &Value, text: &str) -> Result<(), String> {
    let length = u64::try_from(text.chars().count()).unwrap();
    if schema["minLength"].as_u64().is_some_and(|least| length < least)
        || schema["maxLength"].as_u64().is_some_and(|most| length > most)
    {
        return Err("is too short or too long".to_owned());
    }
    match schema["pattern"].as_str() {
        Some(pattern) if !regex_lite::Regex::new(pattern).unwrap().is_match(text) => Err(format!("is not {pattern}")),
        _ => Ok(()),
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => true,
    }
}
