//! Problem details (RFC 9457): the one file that chooses statuses and writes error bodies. What kinds of problem
//! there are, and their words, is the catalogue's matter.

use super::super::input::fault::{self, HEADER, PARAMETER};
use crate::error::{Category, Error, Fault, Problem, problem};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// The media type of every error body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The status that tells a client what it can do.
pub const fn status(category: Category) -> StatusCode {
    match category {
        Category::Malformed => StatusCode::BAD_REQUEST,
        Category::Unauthenticated => StatusCode::UNAUTHORIZED,
        Category::Forbidden => StatusCode::FORBIDDEN,
        Category::NotFound => StatusCode::NOT_FOUND,
        Category::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Category::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Category::Conflict => StatusCode::CONFLICT,
        Category::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        Category::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Category::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Category::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Category::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        Category::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Category::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Category::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A problem, as RFC 9457 writes it, with this service's extensions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// Address of the page that explains this kind of problem.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri-reference"))]
    kind: String,
    /// What kind of problem it is, in words; the same for every occurrence.
    title: &'a str,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is particular to this occurrence.
    detail: String,
    /// Path of the request.
    #[schemars(extend("format" = "uri-reference"))]
    instance: &'a str,
    /// What kind of problem it is, for programs; never changes.
    code: &'a str,
    /// Identifier of the request, also in `X-Request-Id` and in the logs.
    request_id: &'a str,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
    /// Every fault of the request, where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultBody<'a>>,
    /// Further members that the kind of problem has, such as `current_version`.
    #[serde(flatten)]
    members: BTreeMap<&'a str, &'a Value>,
}

/// One fault of a request.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
struct FaultBody<'a> {
    /// Where in the body: a JSON pointer (RFC 6901) as a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<Cow<'a, str>>,
    /// The name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<Cow<'a, str>>,
    /// The name of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Cow<'a, str>>,
    /// What kind of fault, for programs.
    code: &'a str,
    /// What would be right.
    detail: &'a str,
}

impl<'a> ProblemBody<'a> {
    /// The body for `error`, met by the request `request_id` at the path `instance`.
    pub fn new(error: &'a Error, instance: &'a str, request_id: &'a str) -> Self {
        let problem = error.problem();
        Self {
            kind: format!("/problems/{}", problem.slug()),
            title: problem.title,
            status: status(problem.category).as_u16(),
            detail: detail(error),
            instance,
            code: problem.code,
            request_id,
            retryable: problem.retryable(),
            errors: error.faults().iter().map(FaultBody::from).collect(),
            members: error.members().iter().map(|(name, value)| (*name, value)).collect(),
        }
    }
}

/// The words of this occurrence; without any, the first fault, and without faults, what the kind means.
fn detail(error: &Error) -> String {
    match (error.public_detail(), error.faults()) {
        (Some(detail), _) => detail.to_owned(),
        (None, []) => error.problem().meaning.to_owned(),
        (None, [only]) => format!("{} {}.", place(only), only.detail),
        (None, [first, rest @ ..]) => {
            format!("{} {} (and {} more; see errors).", place(first), first.detail, rest.len())
        }
    }
}

pub(crate) fn place(fault: &Fault) -> Cow<'_, str> {
    fault::place(fault).1
}

impl<'a> From<&'a Fault> for FaultBody<'a> {
    fn from(fault: &'a Fault) -> Self {
        let body = Self { pointer: None, parameter: None, header: None, code: fault.code, detail: &fault.detail };
        match fault::place(fault) {
            (PARAMETER, name) => Self { parameter: Some(name), ..body },
            (HEADER, name) => Self { header: Some(name), ..body },
            (_, pointer) => Self { pointer: Some(pointer), ..body },
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        response(Arc::new(self))
    }
}

/// The status alone; the error waits in the extensions until [`finish`], which knows the request, writes the body.
pub(crate) fn response(error: Arc<Error>) -> Response {
    let mut response = status(error.problem().category).into_response();
    response.extensions_mut().insert(error);
    response
}

/// Gives every unsuccessful `response` its problem body and headers: errors of ours, which lie in the extensions as
/// `Arc<Error>`, and whatever else the framework refused in words of its own. Other headers, such as `Allow`, stay.
pub fn finish(mut response: Response, instance: &str, request_id: &str) -> Response {
    let known = response.extensions().get::<Arc<Error>>().cloned();
    let error = match known {
        Some(error) => error,
        None if is_foreign_error(&response) => {
            let error = Arc::new(Error::new(kind_of(response.status())));
            response.extensions_mut().insert(error.clone());
            error
        }
        None => return response,
    };
    let body = ProblemBody::new(&error, instance, request_id);
    *response.status_mut() = status(error.problem().category);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Some(wait) = error.wait() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, seconds.max(1).into());
    }
    if error.problem().category == Category::Unauthenticated {
        headers.entry(header::WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = match serde_json::to_vec(&body) {
        Ok(bytes) => Body::from(bytes),
        Err(_) => Body::empty(), // strings and JSON values alone: nothing here can fail to be written
    };
    response
}

fn is_foreign_error(response: &Response) -> bool {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    failed && response.headers().get(header::CONTENT_TYPE).is_none_or(|media| media != MEDIA_TYPE)
}

/// What the framework meant by `status`. It says 400 for a path that cannot be decoded only: nothing is there.
fn kind_of(status: StatusCode) -> &'static Problem {
    match status.as_u16() {
        400 | 404 | 410 => &problem::NOT_FOUND,
        401 => &problem::UNAUTHENTICATED,
        403 => &problem::FORBIDDEN,
        405 => &problem::METHOD_NOT_ALLOWED,
        408 => &problem::SLOW_BODY,
        413 => &problem::BODY_TOO_LARGE,
        415 => &problem::UNSUPPORTED_MEDIA_TYPE,
        422 => &problem::VALIDATION_FAILED,
        429 => &problem::RATE_LIMITED,
        503 => &problem::OVERLOADED,
        504 => &problem::TIMEOUT,
        400..500 => &problem::INVALID_HEADER,
        _ => &problem::INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::time::Duration;

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn an_error_becomes_the_whole_problem() {
        let error = Error::new(&problem::REFUND_EXCEEDS_PAID)
            .detail("1500 is left to refund; 2000 was asked for.")
            .with_faults(vec![Fault::body("#/amount", "too_large", "must be at most 1500")])
            .member("current_version", 3)
            .caused_by("a secret of the database");
        let response = finish(error.into_response(), "/v1/orders/ord_1/refunds", "req_1");
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        let expected = serde_json::json!({
            "type": "/problems/refund-exceeds-paid", "title": "Refund exceeds what was paid", "status": 422,
            "detail": "1500 is left to refund; 2000 was asked for.", "instance": "/v1/orders/ord_1/refunds",
            "code": "refund_exceeds_paid", "request_id": "req_1", "retryable": false, "current_version": 3,
            "errors": [{"pointer": "#/amount", "code": "too_large", "detail": "must be at most 1500"}],
        });
        assert_eq!(body(response).await, expected);
    }

    #[tokio::test]
    async fn faults_speak_for_an_error_without_words() {
        let faults = vec![
            Fault::parameter("limit", "too_small", "must be at least 1"),
            Fault::header("If-Match", "invalid_format", "must be quoted"),
        ];
        let error = Error::new(&problem::INVALID_PARAMETER).with_faults(faults);
        let body = body(finish(error.into_response(), "/", "r")).await;
        assert_eq!(body["detail"], "limit must be at least 1 (and 1 more; see errors).");
        assert_eq!(body["errors"][0]["parameter"], "limit");
        assert_eq!(body["errors"][1]["header"], "If-Match");
        assert_eq!(body["errors"][1].as_object().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn waits_are_whole_seconds_and_credentials_are_challenged() {
        let late = Error::new(&problem::RATE_LIMITED).retry_after(Duration::from_millis(1200));
        assert_eq!(finish(late.into_response(), "/", "r").headers()["retry-after"], "2");
        let now = Error::new(&problem::OVERLOADED).retry_after(Duration::ZERO);
        assert_eq!(finish(now.into_response(), "/", "r").headers()["retry-after"], "1");
        let unknown = finish(Error::new(&problem::UNAUTHENTICATED).into_response(), "/", "r");
        assert_eq!(unknown.headers()["www-authenticate"], "Bearer");
        assert!(unknown.headers().get("retry-after").is_none());
    }

    #[tokio::test]
    async fn refusals_of_the_framework_become_problems_and_keep_their_headers() {
        let refused = (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")], "words").into_response();
        let response = finish(refused, "/v1/orders", "r");
        assert_eq!(response.headers()["allow"], "GET");
        assert!(response.headers().get("content-length").is_none());
        assert_eq!(body(response).await["code"], "method_not_allowed");
        let fell = finish((StatusCode::INTERNAL_SERVER_ERROR, "at src/x.rs:1").into_response(), "/", "r");
        assert_eq!(body(fell).await["detail"], problem::INTERNAL.meaning);
    }

    #[tokio::test]
    async fn success_is_left_alone() {
        let response = finish("fine".into_response(), "/", "r");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "fine");
    }
}
