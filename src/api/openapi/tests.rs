//! Checks the generated document of a few sample operations.

use super::*;
use crate::{
    api::operation::{self, Idempotency, Versioning},
    domain::permission::Permission,
    error::problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fee {
    name: String,
    amount: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"fees": []}))]
#[allow(dead_code, reason = "the test uses only its schema")]
struct CreateOrder {
    fees: Vec<Fee>,
}

#[derive(Serialize, JsonSchema)]
struct OrderView {
    id: String,
    fees: Vec<Fee>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the test uses only its schema")]
struct Filters {
    /// The most rows of a page.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    status: Option<Vec<Status>>,
    #[schemars(extend("x-prefix" = "metadata."))]
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
    from: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Draft,
}

fn operations() -> Vec<Operation> {
    let handler = async || ();
    vec![
        operation::post("orders.create", "/v1/orders", "Summary", handler)
            .requires(&[Permission::OrdersCreate, Permission::OrdersCreateOwn])
            .idempotency(Idempotency::Required)
            .body::<CreateOrder>()
            .creates::<OrderView>()
            .versioning(Versioning::ConditionalWrite)
            .problems(&[&problem::DUPLICATE_EXTERNAL_REF])
            .read_by("orders.get"),
        operation::get("orders.list", "/v1/orders", "Summary", handler)
            .requires(&[Permission::OrdersRead])
            .query::<Filters>()
            .returns_page::<Vec<OrderView>>()
            .returns_text("text/csv"),
        operation::get("orders.get", "/v1/orders/{id}", "Summary", handler)
            .requires(&[Permission::OrdersRead])
            .versioning(Versioning::ConditionalRead)
            .returns::<OrderView>(),
        operation::post("auth.logout", "/v1/auth/logout", "Summary", handler).signed_in().returns_nothing(),
        operation::get("pages.asset", "/assets/{*path}", "Summary", handler).anonymous().returns_text("text/css"),
    ]
}

/// Calls `visit` with every value of the document and its JSON pointer.
fn walk(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(pointer, value);
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, v)| walk(v, &format!("{pointer}/{}", key.replace('/', "~1")), visit));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{pointer}/{i}"), visit));
        }
        _ => {}
    }
}

fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {document:#}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_reference_resolves() {
    let document = document(&operations(), "1.2.3");
    let mut references = 0;
    walk(&document, "", &mut |pointer, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{pointer}: {target}");
        }
    });
    assert!(references > 50);
}

#[test]
fn request_schemas_are_closed_and_response_schemas_are_open() {
    let document = document(&operations(), "1.2.3");
    let schemas = at(&document, "/components/schemas");
    assert_eq!(schemas["FeeInput"]["additionalProperties"], false);
    assert_eq!(schemas["FeeInput"]["required"], json!(["name"]));
    assert_eq!(schemas["CreateOrder"]["properties"]["fees"]["items"]["$ref"], "#/components/schemas/FeeInput");
    assert_eq!(schemas["CreateOrder"]["examples"], json!([{"fees": []}]));
    assert_eq!(schemas["Fee"]["required"], json!(["name", "amount"]));
    assert_eq!(schemas["OrderView"]["properties"]["fees"]["items"]["$ref"], "#/components/schemas/Fee");
    assert!(schemas["OrderView"].get("additionalProperties").is_none());
    assert_eq!(schemas["Problem"]["required"].as_array().unwrap().len(), 8);
}

#[test]
fn a_write_documents_its_request_and_its_responses() {
    let document = document(&operations(), "1.2.3");
    let create = at(&document, "/paths/~1v1~1orders/post");
    assert_eq!(create["operationId"], "orders.create");
    assert_eq!(create["security"], json!([{"bearer": []}, {"cookie": [], "console_key": []}]));
    let answers = ["201", "400", "401", "403", "408", "409", "412", "413", "415", "422", "428", "429", "500", "503"];
    assert_eq!(keys(&create["responses"]), answers);
    let created = &create["responses"]["201"];
    let headers = [
        "ETag",
        "Idempotent-Replayed",
        "Location",
        "Original-Request-Id",
        "RateLimit",
        "RateLimit-Policy",
        "X-Request-Id",
    ];
    assert_eq!(keys(&created["headers"]), headers);
    assert_eq!(created["links"]["orders.get"]["parameters"]["id"], "$response.body#/id");
    let parameters: Vec<_> =
        create["parameters"].as_array().unwrap().iter().map(|p| p["$ref"].as_str().unwrap()).collect();
    let expected = ["RequestId", "Traceparent", "RequiredIdempotencyKey", "IfMatch"];
    assert_eq!(parameters, expected.map(|name| format!("#/components/parameters/{name}")));
    let body = &create["requestBody"];
    assert_eq!((&body["required"], keys(&body["content"])), (&json!(true), vec!["application/json"]));
}

#[test]
fn path_and_query_parameters_have_their_bounds() {
    let document = document(&operations(), "1.2.3");
    let id = at(&document, "/paths/~1v1~1orders~1{id}/get/parameters/0");
    assert_eq!(id["schema"]["pattern"], "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$");
    let of = |name: &str| {
        let all = at(&document, "/paths/~1v1~1orders/get/parameters").as_array().unwrap();
        all.iter().find(|parameter| parameter["name"] == name).unwrap().clone()
    };
    assert_eq!(of("limit")["schema"], json!({"type": "integer", "format": "uint64", "minimum": 1}));
    assert_eq!(of("limit")["description"], "The most rows of a page.");
    assert_eq!(of("from")["required"], true);
    assert_eq!((&of("status")["style"], &of("status")["explode"]), (&json!("form"), &json!(false)));
    assert_eq!(of("metadata")["schema"]["propertyNames"]["pattern"], "^metadata\\.");
}

#[test]
fn responses_follow_from_the_operation() {
    let document = document(&operations(), "1.2.3");
    let statuses = |pointer: &str| keys(at(&document, pointer)).join(" ");
    assert_eq!(statuses("/paths/~1v1~1orders~1{id}/get/responses"), "200 304 400 401 403 404 408 429 500 503");
    assert_eq!(statuses("/paths/~1v1~1auth~1logout/post/responses"), "204 400 401 403 408 429 500 503");
    assert_eq!(statuses("/paths/~1assets~1{path}/get/responses"), "200 400 404 408 500 503");
    assert_eq!(at(&document, "/paths/~1assets~1{path}/get/security"), &json!([]));
    let list = at(&document, "/paths/~1v1~1orders/get/responses/200");
    assert!(list["headers"].get("Link").is_some());
    assert_eq!(keys(&list["content"]), ["application/json", "text/csv"]);
}

#[test]
fn responses_and_tags_are_described_and_problems_have_headers() {
    let document = document(&operations(), "1.2.3");
    for (name, response) in at(&document, "/components/responses").as_object().unwrap() {
        assert!(!response["description"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(keys(&response["content"]), ["application/problem+json"], "{name}");
        let has = |header: &str| response["headers"].get(header).is_some();
        assert!(has("X-Request-Id"), "{name}");
        assert_eq!(has("WWW-Authenticate"), name.starts_with("401"), "{name}");
        assert_eq!(has("Retry-After"), name.starts_with("429") || name.starts_with("503"), "{name}");
    }
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, ["auth", "orders", "pages"]);
}

#[test]
fn every_tag_has_a_description() {
    for operation in crate::api::routes::operations() {
        let tag = operation.tag();
        assert!(TAGS.iter().any(|(known, _)| *known == tag), "{tag}");
    }
}
