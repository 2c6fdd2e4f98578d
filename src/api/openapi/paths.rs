//! Describes one operation for OpenAPI: its access, its request and its responses.

use super::{Schemas, parameters, problems};
use crate::{
    api::{
        operation::{Access, Body, Idempotency, Operation, Payload, Versioning},
        output::problem::{MEDIA_TYPE, ProblemBody},
    },
    error::{Category, Error, Problem, Retry},
};
use serde_json::{Map, Value, json};

/// The OpenAPI operation object. Problem responses go to `responses`, because many operations share them.
pub(super) fn describe(operation: &Operation, schemas: &mut Schemas, responses: &mut Map<String, Value>) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag()],
        "summary": operation.summary,
        "description": access(operation),
        "security": if operation.access == Access::Anonymous { json!([]) } else { json!([{"bearer": []}, {"cookie": [], "console_key": []}]) },
        "parameters": parameters::of(operation, &mut schemas.requests),
        "responses": {operation.status.to_string(): success(operation, schemas)},
    });
    if let Some(body) = request_body(operation, schemas) {
        described["requestBody"] = body;
    }
    if operation.may_create {
        let mut created = described["responses"][operation.status.to_string()].clone();
        created["description"] = "Created.".into();
        described["responses"]["201"] = created;
    }
    if operation.versioning == Versioning::ConditionalRead {
        let headers = header_references(&["ETag", "X-Request-Id"]);
        described["responses"]["304"] =
            json!({"description": "The version in If-None-Match is the current one.", "headers": headers});
    }
    for (status, problems) in problems::by_status(operation) {
        let (name, response) = problem_response(operation, status, &problems);
        described["responses"][status.to_string()] = json!({"$ref": format!("#/components/responses/{name}")});
        responses.insert(name, response);
    }
    described
}

fn access(operation: &Operation) -> String {
    match operation.access {
        Access::Anonymous => "Needs no credentials.".to_owned(),
        Access::SignedIn => "Needs valid credentials.".to_owned(),
        Access::AnyOf(permissions) => {
            let names: Vec<_> = permissions.iter().map(|permission| format!("`{}`", permission.name())).collect();
            format!("Needs {}.", names.join(" or "))
        }
    }
}

fn request_body(operation: &Operation, schemas: &mut Schemas) -> Option<Value> {
    match operation.body {
        Body::None => None,
        Body::Stream(media) => Some(json!({"required": true, "content": {media: {"schema": bytes()}}})),
        Body::Json { schema, optional, media } => {
            let schema = schema(&mut schemas.requests);
            let content: Map<_, _> = media.iter().map(|&media| (media.to_owned(), json!({"schema": schema}))).collect();
            Some(json!({"required": !optional, "content": content}))
        }
    }
}

fn success(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut headers = vec!["X-Request-Id"];
    headers.extend(operation.location.then_some("Location"));
    headers.extend((operation.versioning != Versioning::None).then_some("ETag"));
    headers.extend(operation.paged.then_some("Link"));
    if operation.file {
        headers.extend(["Content-Disposition", "Repr-Digest"]);
    }
    headers.extend(operation.form.is_some().then_some("Content-Disposition"));
    headers.extend(operation.sets_cookie.then_some("Set-Cookie"));
    if operation.in_api() {
        headers.extend(["RateLimit", "RateLimit-Policy"]);
    }
    if operation.idempotency != Idempotency::Ignored {
        headers.extend(["Idempotent-Replayed", "Original-Request-Id"]);
    }
    let payload = |payload: &Payload| match payload {
        Payload::Empty => None,
        Payload::Json(schema) => {
            Some(("application/json".to_owned(), json!({"schema": schema(&mut schemas.responses)})))
        }
        Payload::Text(media) => Some(((*media).to_owned(), json!({"schema": {"type": "string"}}))),
        Payload::Bytes(media) => Some(((*media).to_owned(), json!({"schema": bytes()}))),
    };
    let content: Map<_, _> = operation.payloads.iter().filter_map(payload).collect();
    let description = match operation.status {
        201 => "Created.",
        204 => "Done. The response has no content.",
        303 => "Go on at `Location`.",
        _ => "Done.",
    };
    let mut response = json!({"description": description, "headers": header_references(&headers)});
    if !content.is_empty() {
        response["content"] = content.into();
    }
    if let Some(reader) = operation.read_by {
        response["links"][reader] = json!({"operationId": reader, "parameters": {"id": "$response.body#/id"}});
    }
    response
}

/// A stream or a file. OpenAPI 3.1 needs no schema for it, but generators of clients know bytes by this one of 3.0.
fn bytes() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// The response for these problems, and its name. All operations with the same problems share it.
fn problem_response(operation: &Operation, status: u16, problems: &[&'static Problem]) -> (String, Value) {
    let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    let mut name = format!("{status}.{}", codes.join("."));
    let mut headers = vec!["X-Request-Id"];
    if operation.in_api() {
        headers.extend(["RateLimit", "RateLimit-Policy"]);
    } else {
        name.push_str(".unlimited");
    }
    headers.extend(
        problems.iter().any(|problem| problem.category == Category::Unauthenticated).then_some("WWW-Authenticate"),
    );
    headers
        .extend(problems.iter().any(|problem| problem.category.retry() == Retry::AfterDelay).then_some("Retry-After"));
    if problems.iter().any(|problem| problem.category == Category::UnsupportedMedia) {
        headers.extend(["Accept", "Accept-Encoding"]);
    }
    let titles: Vec<_> = problems.iter().map(|problem| format!("`{}`: {}.", problem.code, problem.title)).collect();
    let examples: Map<_, _> = problems.iter().map(|problem| (problem.code.to_owned(), example(problem))).collect();
    let response = json!({
        "description": titles.join(" "),
        "headers": header_references(&headers),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    });
    (name, response)
}

fn example(problem: &'static Problem) -> Value {
    let error = Error::new(problem);
    json!({"summary": problem.title, "value": ProblemBody::new(&error, "/v1/orders", "req_01h455vb4pex5vsknk084sn02q")})
}

fn header_references(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))).collect()
}

/// The descriptions of all response headers.
pub(super) fn headers() -> Value {
    let text = |description: &str, example: &str| json!({"description": description, "schema": {"type": "string", "examples": [example]}});
    json!({
        "X-Request-Id": {
            "description": "Identifies the request: the identifier that the caller sent, or a new one.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        },
        "Accept": text("The media types that the operation accepts.", "application/json"),
        "Accept-Encoding": text("The encodings that the operation accepts.", "identity"),
        "Location": {
            "description": "The address of the created resource.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        "ETag": text("The version, for If-Match and If-None-Match.", "\"3\""),
        "Link": text("The next page, if there is one (RFC 8288).", "</v1/orders?cursor=abc>; rel=\"next\""),
        "Content-Disposition": text("The suggested file name (RFC 6266).", "attachment; filename=\"orderd-20261123T031411.123Z.db\""),
        "Set-Cookie": text("Sets or removes the cookie of a browser's session: `__Host-Http-orderd`, or `orderd` over plain HTTP.", "__Host-Http-orderd=orb_0123; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Strict"),
        "Repr-Digest": text("SHA-256 of the file (RFC 9530).", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        "RateLimit": text("The requests that are left in the rate limit, and the seconds until it is renewed.", "\"default\";r=599;t=60"),
        "RateLimit-Policy": text("The rate limit: the number of requests, and its period in seconds.", "\"default\";q=600;w=60"),
        "Idempotent-Replayed": text("`true` if the key was used before and this is the earlier response.", "true"),
        "Original-Request-Id": text("The identifier of the request that had this outcome first.", "req_01h455vb4pex5vsknk084sn02q"),
        "WWW-Authenticate": text("How to send credentials (RFC 6750).", "Bearer"),
        "Retry-After": {
            "description": "Seconds to wait before the next attempt.",
            "schema": {"type": "integer", "minimum": 1},
        },
    })
}
