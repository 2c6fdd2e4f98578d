//! The OpenAPI 3.1 document, generated from the table of operations and the schemas of their types. It only describes:
//! the table and the types decide what an operation accepts and returns.

mod parameters;
mod paths;
mod problems;

use super::{browser::SESSION, operation::Operation, output::problem::ProblemBody};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const DESCRIPTION: &str = "Orders, payments and exact analytics.\n\n\
    Amounts are integers in the minor units of the currency (cents for EUR, yen for JPY). Times are RFC 3339 in UTC with \
    milliseconds. Unknown fields and query parameters are refused. Errors are problem details (RFC 9457), and `type` \
    is the address of a page that says what to do. Writes accept an `Idempotency-Key`: the same key and request always \
    have the same outcome.";

/// The description of each tag. A tag is the part of an operation's id before the dot.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Log-in, log-out and the caller's own account."),
    ("users", "People who can log in."),
    ("sessions", "Where a user is logged in."),
    ("roles", "Named sets of permissions."),
    ("api_keys", "Credentials for programs."),
    ("orders", "Orders, from draft to fulfilment."),
    ("items", "What was sold before, for suggestions."),
    ("payments", "Recording payments and what becomes of them."),
    ("refunds", "Recording refunds and what becomes of them."),
    ("transactions", "Payments and refunds. Their amounts never change."),
    ("events", "Every change to an order, in one sequence without gaps."),
    ("webhooks", "Endpoints that events are sent to, and the deliveries to them."),
    ("idempotency_keys", "Whether an earlier request took effect."),
    ("analytics", "Exact and current reports, by currency."),
    ("audit", "The audit trail: who did what, when and from where."),
    ("system", "Health, metrics, version and backups."),
    ("pages", "Pages for people: documentation, guide and problems."),
];

/// Stands for the address of the server in the document.
const SERVER: &str = "{server}";

/// The document of a table of operations, as JSON text.
pub struct Document {
    /// With a placeholder for the address of the server.
    template: String,
    json: String,
}

impl Document {
    /// The document that describes `operations`.
    pub(super) fn of(operations: &[Operation]) -> Self {
        let template = document(operations, env!("CARGO_PKG_VERSION")).to_string();
        let json = below(&template, "/");
        Self { template, json }
    }

    /// The text for clients that reach the server at the root of its address.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The document as a response to clients that reach the server below the address `base`.
    pub(super) fn response(&'static self, base: &str) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
        if base.is_empty() {
            (headers, self.json()).into_response()
        } else {
            (headers, below(&self.template, base)).into_response()
        }
    }
}

fn below(template: &str, base: &str) -> String {
    template.replacen(SERVER, base, 1)
}

/// The document that describes `operations`.
fn document(operations: &[Operation], version: &str) -> Value {
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
        "servers": [{"url": SERVER, "description": "This server"}],
        "tags": tags(operations),
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "parameters": parameters::shared(),
            "headers": paths::headers(),
            "responses": responses,
            "schemas": schemas,
        },
    })
}

/// How a caller proves who it is: a program by one header, a browser by two halves that go together.
fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token from `POST /v1/auth/login`, or an API key (`ork_…`).",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION.secure_name,
            "description": "For browsers: the cookie that `POST /v1/auth/session` sets. Over plain HTTP its name is `orderd`.",
        },
        "console_key": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Console-Key",
            "description": "For browsers, beside the cookie: the `console_key` of `POST /v1/auth/session`.",
        },
    })
}

fn tags(operations: &[Operation]) -> Vec<Value> {
    let used: BTreeSet<_> = operations.iter().map(Operation::tag).collect();
    let described = TAGS.iter().filter(|(name, _)| used.contains(name));
    described.map(|(name, description)| json!({"name": name, "description": description})).collect()
}

/// Generates the schemas of all types. Requests and responses need separate generators: a field that is optional in a
/// request is always present in a response.
struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            // Client generators know no format for sums of more than 64 bits.
            settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
                if schema.get("format").is_some_and(|format| format == "int128") {
                    schema.remove("format");
                }
                // A field that may be left out but is never null has a default that its own schema does not allow.
                let is_null = schema.get("default").is_some_and(Value::is_null);
                if is_null && schema.get("type").is_some_and(|kind| !kind.to_string().contains("\"null\"")) {
                    schema.remove("default");
                }
            })));
        });
        let mut responses = settings.clone().for_serialize().into_generator();
        responses.subschema_for::<ProblemBody<'static>>();
        Self { requests: settings.into_generator(), responses }
    }

    /// All definitions. A type that occurs in requests and in responses is defined twice, as `NameInput` and `Name`,
    /// unless both schemas are equal and contain no reference.
    fn finish(mut self, paths: &mut Map<String, Value>) -> Map<String, Value> {
        let mut all = self.responses.take_definitions(true);
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
mod tests;
