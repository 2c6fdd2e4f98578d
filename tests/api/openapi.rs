//! The served OpenAPI document: it is consistent and complete. `support/document.rs` checks every response of every
//! test against it.

use crate::support::{
    Service,
    document::{DOCUMENT, fits, resolved},
    order_of,
};
use orderd::api::{
    operation::{Access, Body},
    routes,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Calls `visit` with every value of the document and its JSON pointer.
fn walk(value: &'static Value, pointer: &str, visit: &mut impl FnMut(&str, &'static Value)) {
    visit(pointer, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, v)| walk(v, &format!("{pointer}/{name}"), visit)),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{pointer}/{i}"), visit));
        }
        _ => {}
    }
}

/// Every operation of the document by its identifier.
fn documented() -> BTreeMap<&'static str, &'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    operations.map(|operation| (operation["operationId"].as_str().unwrap(), operation)).collect()
}

#[tokio::test]
async fn the_document_is_public() {
    let answer = Service::start().await.anonymous().get("/openapi.json").await.ok();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((&answer["openapi"], answer.json()), (&json!("3.1.0"), &*DOCUMENT));
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let mut targets = BTreeSet::new();
    walk(&DOCUMENT, "", &mut |pointer, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(DOCUMENT.pointer(target.trim_start_matches('#')).is_some(), "{pointer}: {target}");
            targets.insert(target);
        }
    });
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in DOCUMENT["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("#/components/{kind}/{name}");
            assert!(targets.contains(pointer.as_str()), "nothing refers to {pointer}");
        }
    }
}

#[test]
fn writes_to_orders_transactions_and_users_take_a_key_unless_they_answer_with_a_secret() {
    let nouns = ["/v1/orders", "/v1/transactions", "/v1/users"];
    let under = |path: &str| nouns.iter().any(|noun| path == *noun || path.starts_with(&format!("{noun}/")));
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap().iter().filter(|(path, _)| under(path)) {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            // The lines of an import are atomic by themselves, and have references.
            let is_expected =
                ["post", "patch"].contains(&method.as_str()) && !["orders.import", "users.reset"].contains(&id);
            let takes = operation["parameters"].to_string().contains("IdempotencyKey");
            assert_eq!(takes, is_expected, "{method} {path}");
        }
    }
}

#[test]
fn every_operation_of_the_table_is_documented_once() {
    let operations = routes::operations();
    let names: BTreeSet<_> = operations.iter().map(|operation| operation.id).collect();
    assert_eq!(names.len(), operations.len(), "two operations have the same identifier");
    let documented = documented();
    assert_eq!(documented.keys().copied().collect::<BTreeSet<_>>(), names);
    for operation in operations {
        let method = operation.method.as_str().to_lowercase();
        let found = &DOCUMENT["paths"][operation.path.replace("{*", "{")][method];
        assert_eq!(found["operationId"], operation.id);
        let security = if operation.access == Access::Anonymous {
            json!([])
        } else {
            json!([{"bearer": []}, {"cookie": [], "console_key": []}])
        };
        assert_eq!(found["security"], security, "{}", operation.id);
        assert!(!found["summary"].as_str().unwrap().is_empty() && found["tags"].is_array(), "{}", operation.id);
        assert_eq!(found.get("requestBody").is_some(), !matches!(operation.body, Body::None), "{}", operation.id);
        assert!(found["responses"].get(operation.status.to_string()).is_some(), "{}", operation.id);
    }
}

#[test]
fn every_parameter_of_a_path_is_declared() {
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let wanted: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolved);
            let declared = parameters.filter(|parameter| parameter["in"] == "path");
            let declared: BTreeSet<_> = declared.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(declared, wanted, "{method} {path}");
        }
    }
}

#[test]
fn request_bodies_are_closed() {
    for (id, operation) in documented() {
        let content = operation["requestBody"]["content"].as_object();
        for (media_type, content) in
            content.into_iter().flatten().filter(|(media_type, _)| media_type.ends_with("json"))
        {
            let mut open = vec![];
            find_open(&content["schema"], "#", &mut open);
            assert!(open.is_empty(), "{id} {media_type} accepts unknown members at {open:?}");
        }
    }
}

/// Collects the objects that accept undescribed members.
fn find_open(schema: &'static Value, pointer: &str, open: &mut Vec<String>) {
    let schema = resolved(schema);
    if schema.get("properties").is_some() && schema["additionalProperties"] != false {
        open.push(pointer.to_owned());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        find_open(member, &format!("{pointer}/{name}"), open);
    }
    let inner = schema["anyOf"].as_array().into_iter().flatten().chain(schema.get("items"));
    inner.for_each(|inner| find_open(inner, pointer, open));
}

#[test]
fn examples_match_their_schemas() {
    let mut examples = 0;
    walk(&DOCUMENT, "", &mut |pointer, value| {
        let listed =
            value.get("examples").and_then(Value::as_array).into_iter().flatten().map(|example| (value, example));
        let named = value.get("examples").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values);
        let named = named.filter_map(|example| Some((value.get("schema")?, example.get("value")?)));
        for (schema, example) in listed.chain(named) {
            examples += 1;
            if let Err(fault) = fits(schema, example, "#") {
                panic!("{pointer}: {fault}");
            }
        }
    });
    assert!(examples > 50, "{examples}");
}

#[tokio::test]
async fn headers_and_lists_are_accepted_exactly_as_described() {
    let admin = Service::start().await.admin().await;
    let described = |name: &str, value: &str| {
        fits(&DOCUMENT["components"]["parameters"][name]["schema"], &value.into(), "#").is_ok()
    };
    for (name, header) in
        [("RequestId", "x-request-id"), ("Traceparent", "traceparent"), ("IfNoneMatch", "if-none-match")]
    {
        for value in ["", "{}", "a b", "\"7\""] {
            assert!(described(name, value), "{header}: {value}");
            admin.get("/v1/orders/number/1").header(header, value).await.status(404);
        }
    }
    let order = admin.places(order_of(&[("tea", 1, 100)])).await.created();
    let path = format!("/v1/orders/{}", order.id());
    for key in ["k", "a\"b", "\"k\"", r#""a\"b\\c""#, "\"k", "\"\"", r#""a\b""#, "a b", ""] {
        let status = if described("IdempotencyKey", key) { 200 } else { 400 };
        admin.patch(&path, json!({})).key(key).await.status(status);
    }
    for tags in ["*", "\"1\"", "W/\"1\"", "\"0\",\t\"1\" , \"x\"", "", "1", "\"1", "\"a b\"", "*, \"1\"", "\"1\" \"2\""]
    {
        let status = if described("IfMatch", tags) { 200 } else { 400 };
        admin.patch(&path, json!({})).header("if-match", tags).await.status(status);
    }
    let parameters = DOCUMENT["paths"]["/v1/orders"]["get"]["parameters"].as_array().unwrap();
    let schema = |name: &str| &parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"];
    assert_eq!(schema("status")["minItems"], 1);
    admin.get("/v1/orders?status=").await.status(400);
    for length in [0, 1, 40, 41] {
        let name = format!("metadata.{}", "k".repeat(length));
        let described = fits(&schema("metadata")["propertyNames"], &name.as_str().into(), "#").is_ok();
        assert_eq!(described, (1..=40).contains(&length), "{length}");
        admin.get(&format!("/v1/orders?{name}=x")).await.status(if described { 200 } else { 400 });
    }
}

#[test]
fn every_field_of_a_request_body_is_bounded() {
    let mut unbounded = vec![];
    for (id, operation) in documented() {
        let Some(schema) = operation["requestBody"]["content"]["application/json"].get("schema") else { continue };
        unbounded_fields(schema, &format!("{id} #"), &mut unbounded);
    }
    assert!(unbounded.is_empty(), "{unbounded:#?}");
}

/// Collects strings, integers and lists without an upper bound.
fn unbounded_fields(schema: &'static Value, pointer: &str, unbounded: &mut Vec<String>) {
    let schema = resolved(schema);
    let is =
        |name: &str| schema["type"] == name || schema["type"].as_array().is_some_and(|all| all.contains(&name.into()));
    let any = |keys: &[&str]| keys.iter().any(|key| schema.get(key).is_some());
    let missing = (is("string") && !any(&["maxLength", "enum", "const", "pattern", "format"]))
        || (is("integer") && !any(&["maximum", "enum"]))
        || (is("array") && !any(&["maxItems"]));
    if missing {
        unbounded.push(pointer.to_owned());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        unbounded_fields(member, &format!("{pointer}/{name}"), unbounded);
    }
    let inner = schema["anyOf"].as_array().into_iter().flatten().chain(schema.get("items"));
    inner.for_each(|inner| unbounded_fields(inner, pointer, unbounded));
}

#[test]
fn links_name_the_operations_that_read_the_created_resource() {
    let documented = documented();
    // A redirect has a `Location` too, but makes nothing.
    for operation in routes::operations().iter().filter(|operation| operation.location && operation.status != 303) {
        let status = operation.status.to_string();
        let links = documented[operation.id]["responses"][&status]["links"].as_object();
        let links = links.unwrap_or_else(|| panic!("{} creates a resource and has no link to it", operation.id));
        for link in links.values() {
            let target = documented[link["operationId"].as_str().unwrap()];
            for parameter in link["parameters"].as_object().unwrap().keys() {
                let known = target["parameters"].as_array().unwrap().iter().map(resolved);
                assert!(known.into_iter().any(|p| p["name"] == parameter.as_str()), "{}: {parameter}", operation.id);
            }
        }
    }
}

#[test]
fn every_pattern_of_a_request_is_also_given_in_words() {
    let request = |pointer: &str| pointer.contains("/requestBody/") || pointer.contains("/parameters/");
    let mut bodies = BTreeSet::new();
    for operation in documented().values() {
        walk(&operation["requestBody"], "", &mut |_, value| bodies.extend(value.get("$ref").and_then(Value::as_str)));
    }
    let mut lacking = vec![];
    walk(&DOCUMENT, "", &mut |pointer, value| {
        let in_body = bodies.iter().any(|name| pointer.starts_with(&format!("{}/", &name[1..])));
        // A malformed header or part of a path has a text of its own, or is a thing that does not exist.
        let in_query = request(pointer) && pointer.starts_with("/paths") && !pointer.contains('{');
        let in_words = value.get("x-expected").is_some() || value.get("format").is_some();
        if (in_body || in_query) && value.get("pattern").is_some_and(Value::is_string) && !in_words {
            lacking.push(pointer.to_owned());
        }
    });
    let lacking: Vec<_> = lacking.into_iter().filter(|pointer: &String| !pointer.ends_with("/propertyNames")).collect();
    assert!(lacking.is_empty(), "say in `x-expected` what these patterns mean: {lacking:#?}");
    assert!(!bodies.is_empty());
}

#[test]
fn every_type_has_a_name_of_its_own_and_streams_are_bytes() {
    let names: Vec<_> = DOCUMENT["components"]["schemas"].as_object().unwrap().keys().collect();
    assert!(names.iter().all(|name| !name.ends_with(|c: char| c.is_ascii_digit())), "{names:?}");
    for name in ["OrderPage", "UserPage", "TransactionPage", "DailyRowReport", "OrderSort", "RevenueSort"] {
        assert!(names.iter().any(|known| *known == name), "{name}: {names:?}");
    }
    let mut streams = 0;
    walk(&DOCUMENT["paths"], "", &mut |pointer, value| {
        for media in
            ["text/csv", "application/x-ndjson", "image/svg+xml", "text/event-stream", "application/vnd.sqlite3"]
        {
            let Some(content) = value.get(media) else { continue };
            assert_eq!(content["schema"], json!({"type": "string", "format": "binary"}), "{pointer}");
            streams += 1;
        }
    });
    assert!(streams > 10);
    walk(&DOCUMENT, "", &mut |pointer, value| {
        let is_null = value.get("default").is_some_and(Value::is_null) && value.get("type").is_some();
        assert!(!is_null || value["type"].to_string().contains("null"), "{pointer}: {value}");
    });
}
