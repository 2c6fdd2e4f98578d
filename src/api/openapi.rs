//! The OpenAPI 3.1 document, written from the table of operations and the schemas of their types. It decides nothing:
//! what an operation accepts and answers is said in the table, and this file only puts it into OpenAPI's words.

mod parameters;
mod paths;
mod problems;

use super::{operation::Operation, output::problem::ProblemBody};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const DESCRIPTION: &str = "Orders, payments and exact analytics.\n\n\
    Amounts are integers in the minor units of the currency (cents for EUR, yen for JPY). Times are RFC 3339 in UTC with \
    milliseconds. Unknown fields and query parameters are refused. Errors are problem details (RFC 9457), and `type` \
    leads to a page that says what to do. Writes take an `Idempotency-Key`: the same key and request always have the \
    same outcome.";

/// What the tags mean; a tag is the part of an operation's id before the dot.
const TAGS: &[(&str, &str)] = &[
    ("setup", "The first administrator."),
    ("auth", "Log-in, log-out and the caller's own account."),
    ("users", "People who can log in."),
    ("sessions", "Where a user is logged in."),
    ("roles", "Named sets of permissions."),
    ("api_keys", "Credentials for programs."),
    ("orders", "Orders, from draft to fulfilment."),
    ("transactions", "Payments and refunds: rows that are added and never changed in amount."),
    ("events", "Everything that happened to orders, in one sequence without gaps."),
    ("idempotency_keys", "Whether an earlier request took effect."),
    ("analytics", "Exact and current figures, by currency."),
    ("audit", "Who did what, when and from where."),
    ("system", "Health, metrics, version and backups."),
    ("pages", "Pages for people: documentation, guide and the meaning of problems."),
];

/// The document for these operations of this version of the service.
pub fn document(operations: &[Operation], version: &str) -> Value {
    let mut schemas = Schemas::new();
    let mut responses = Map::new();
    let mut paths = Map::new();
    for operation in operations {
        let described = paths::describe(operation, &mut schemas, &mut responses);
        let path = operation.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    let schemas = schemas.finish(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "orderd",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": tags(operations),
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An access token from `POST /v1/auth/login`, or an API key (`ork_…`).",
            }},
            "parameters": parameters::shared(),
            "headers": paths::headers(),
            "responses": responses,
            "schemas": schemas,
        },
    })
}

fn tags(operations: &[Operation]) -> Vec<Value> {
    let used: BTreeSet<_> = operations.iter().map(Operation::tag).collect();
    let known = TAGS.iter().filter(|(name, _)| used.contains(name)).copied();
    let others = used.iter().filter(|name| TAGS.iter().all(|(known, _)| known != *name));
    let described = known.chain(others.map(|name| (*name, "Further operations.")));
    described.map(|(name, description)| json!({"name": name, "description": description})).collect()
}

/// The schemas of all types. What is read and what is written have a generator each: a field that may be left out of a
/// request is always there in an answer.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            // Sums may have more bits than any format that generators of clients know.
            settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
                if schema.get("format").is_some_and(|format| format == "int128") {
                    schema.remove("format");
                }
            })));
        });
        let mut answers = settings.clone().for_serialize().into_generator();
        answers.subschema_for::<ProblemBody<'static>>();
        Self { requests: settings.into_generator(), answers }
    }

    /// All definitions under one roof. A type that is read and written is defined twice, as `Name` and `NameInput`,
    /// unless both are the same and refer to nothing.
    fn finish(mut self, paths: &mut Map<String, Value>) -> Map<String, Value> {
        let mut all = self.answers.take_definitions(true);
        let mut requests = Value::Object(self.requests.take_definitions(true));
        let clashes = |(name, schema): (&String, &Value)| {
            let other = all.get(name)?;
            (other != schema || schema.to_string().contains("\"$ref\"")).then(|| name.clone())
        };
        let renamed: BTreeSet<_> = requests.as_object().into_iter().flatten().filter_map(clashes).collect();
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            for part in ["requestBody", "parameters"] {
                operation.get_mut(part).into_iter().for_each(|part| rename_references(part, &renamed));
            }
        }
        rename_references(&mut requests, &renamed);
        if let Value::Object(requests) = requests {
            all.extend(requests.into_iter().map(|(name, schema)| (input_name(name, &renamed), schema)));
        }
        all
    }
}

fn input_name(name: String, renamed: &BTreeSet<String>) -> String {
    if renamed.contains(&name) { name + "Input" } else { name }
}

fn rename_references(value: &mut Value, renamed: &BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && renamed.contains(target.trim_start_matches("#/components/schemas/"))
            {
                target.push_str("Input");
            }
            members.values_mut().for_each(|member| rename_references(member, renamed));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| rename_references(element, renamed)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::operation::{Idempotency, Unruled, Versioned},
        domain::permission::Permission,
        error::problem,
    };
    use axum::{http::Method, routing::MethodRouter};
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
    #[allow(dead_code, reason = "only its schema is of interest")]
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
    #[allow(dead_code, reason = "only its schema is of interest")]
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
        let new = |id, method, path| Unruled::new(id, method, path, "Summary", MethodRouter::new());
        vec![
            new("orders.create", Method::POST, "/v1/orders")
                .needs(&[Permission::OrdersCreate, Permission::OrdersCreateOwn])
                .key(Idempotency::Required)
                .takes::<CreateOrder>()
                .creates::<OrderView>()
                .versioned(Versioned::Write)
                .problems(&[&problem::DUPLICATE_EXTERNAL_REF])
                .read_by("orders.get"),
            new("orders.list", Method::GET, "/v1/orders")
                .needs(&[Permission::OrdersRead])
                .query::<Filters>()
                .pages::<Vec<OrderView>>()
                .answers_text("text/csv"),
            new("orders.get", Method::GET, "/v1/orders/{id}")
                .needs(&[Permission::OrdersRead])
                .versioned(Versioned::Read)
                .answers::<OrderView>(),
            new("auth.logout", Method::POST, "/v1/auth/logout").signed_in().answers_nothing(),
            new("pages.asset", Method::GET, "/assets/{*path}").anonymous().answers_text("text/css"),
        ]
    }

    /// Calls `visit` with every value of the document and its place.
    fn walk(value: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
        visit(place, value);
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, v)| walk(v, &format!("{place}/{}", key.replace('/', "~1")), visit));
            }
            Value::Array(elements) => {
                elements.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{place}/{i}"), visit));
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
    fn every_reference_leads_somewhere() {
        let document = document(&operations(), "1.2.3");
        let mut references = 0;
        walk(&document, "", &mut |place, value| {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                references += 1;
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{place}: {target}");
            }
        });
        assert!(references > 50);
    }

    #[test]
    fn requests_are_closed_and_answers_are_open() {
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
    fn a_write_says_all_it_takes_and_answers() {
        let document = document(&operations(), "1.2.3");
        let create = at(&document, "/paths/~1v1~1orders/post");
        assert_eq!(create["operationId"], "orders.create");
        assert_eq!(create["security"], json!([{"bearer": []}]));
        let answers =
            ["201", "400", "401", "403", "408", "409", "412", "413", "415", "422", "428", "429", "500", "503"];
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
    fn parameters_of_paths_and_queries_have_their_bounds() {
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
    fn answers_fit_their_operation() {
        let document = document(&operations(), "1.2.3");
        let statuses = |pointer: &str| keys(at(&document, pointer)).join(" ");
        assert_eq!(statuses("/paths/~1v1~1orders~1{id}/get/responses"), "200 304 400 401 403 404 408 429 500 503");
        assert_eq!(statuses("/paths/~1v1~1auth~1logout/post/responses"), "204 400 401 408 429 500 503");
        assert_eq!(statuses("/paths/~1assets~1{path}/get/responses"), "200 400 404 408 500 503");
        assert_eq!(at(&document, "/paths/~1assets~1{path}/get/security"), &json!([]));
        let list = at(&document, "/paths/~1v1~1orders/get/responses/200");
        assert!(list["headers"].get("Link").is_some());
        assert_eq!(keys(&list["content"]), ["application/json", "text/csv"]);
    }

    #[test]
    fn responses_and_tags_are_described_and_problems_have_their_headers() {
        let document = document(&operations(), "1.2.3");
        for (name, response) in at(&document, "/components/responses").as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name}");
            assert_eq!(keys(&response["content"]), ["application/problem+json"], "{name}");
            let has = |header: &str| response["headers"].get(header).is_some();
            assert!(has("X-Request-Id"), "{name}");
            assert_eq!(has("WWW-Authenticate"), name.starts_with("401"), "{name}");
            assert_eq!(has("Retry-After"), name.starts_with("429") || name.starts_with("503"), "{name}");
        }
        let tags: Vec<_> =
            document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        assert_eq!(tags, ["auth", "orders", "pages"]);
    }
}
