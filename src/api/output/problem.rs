//! Problem details (RFC 9457). This is the one file that chooses statuses of errors and writes their bodies. The kinds
//! of problem and their texts are in `error/catalogue.rs`.

mod body;

pub use body::ProblemBody;
pub(crate) use body::place;

use crate::error::{Category, Error, Problem, problem};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

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

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        response(Arc::new(self))
    }
}

/// A response with the status of `error`. [`finish`] writes the body later, because it knows the request; until then
/// the error is in the extensions.
pub(crate) fn response(error: Arc<Error>) -> Response {
    let mut response = status(error.problem().category).into_response();
    response.extensions_mut().insert(error);
    response
}

/// Gives every unsuccessful `response` its problem body and headers. Errors of this service are in the extensions as
/// `Arc<Error>`; a response that the framework refused itself gets the problem of its status. Other headers, such as
/// `Allow`, stay. `base` is what stands in front of the path of the problem's page.
pub fn finish(mut response: Response, base: &str, instance: &str, request_id: &str) -> Response {
    let own = response.extensions().get::<Arc<Error>>().cloned();
    let error = match own {
        Some(error) => error,
        None if is_framework_error(&response) => {
            let error = Arc::new(Error::new(problem_of(response.status())));
            response.extensions_mut().insert(error.clone());
            error
        }
        None => return response,
    };
    let mut body = ProblemBody::new(&error, instance, request_id).below(base);
    if error.is(&problem::METHOD_NOT_ALLOWED)
        && let Some(allowed) = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok())
    {
        body = body.allowing(allowed);
    }
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
        // A body of strings and JSON values can always be serialised.
        Err(_) => Body::empty(),
    };
    response
}

fn is_framework_error(response: &Response) -> bool {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    failed && response.headers().get(header::CONTENT_TYPE).is_none_or(|media| media != MEDIA_TYPE)
}

/// The problem that a status of the framework stands for. It uses 400 only for a path that cannot be decoded, where
/// nothing exists.
fn problem_of(status: StatusCode) -> &'static Problem {
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
    use crate::error::Fault;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use std::time::Duration;

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn an_error_becomes_a_complete_problem() {
        let error = Error::new(&problem::REFUND_EXCEEDS_PAID)
            .detail("1500 is left to refund; 2000 was asked for.")
            .with_faults(vec![Fault::body("#/amount", "too_large", "must be at most 1500")])
            .member("current_version", 3)
            .caused_by("a secret of the database");
        let response = finish(error.into_response(), "https://a.example/b", "/v1/orders/ord_1/refunds", "req_1");
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        let expected = serde_json::json!({
            "type": "https://a.example/b/problems/refund-exceeds-paid", "title": problem::REFUND_EXCEEDS_PAID.title, "status": 422,
            "detail": "1500 is left to refund; 2000 was asked for.", "instance": "/v1/orders/ord_1/refunds",
            "code": "refund_exceeds_paid", "request_id": "req_1", "retryable": false, "current_version": 3,
            "errors": [{"pointer": "#/amount", "code": "too_large", "detail": "must be at most 1500"}],
        });
        assert_eq!(body(response).await, expected);
    }

    #[tokio::test]
    async fn every_detail_says_what_to_do() {
        for problem in crate::error::ALL {
            let body = body(finish(Error::new(problem).into_response(), "", "/", "r")).await;
            assert!(body["detail"].as_str().unwrap().ends_with(problem.remedy), "{body}");
        }
        let error = Error::new(&problem::OVERLOADED).detail("The queue of changes is full.");
        let body = body(finish(error.into_response(), "", "/", "r")).await;
        assert_eq!(body["detail"], "The queue of changes is full. Try again after the time in Retry-After.");
    }

    #[tokio::test]
    async fn faults_explain_an_error_without_a_detail() {
        let faults = vec![
            Fault::parameter("limit", "too_small", "must be at least 1"),
            Fault::header("If-Match", "invalid_format", "must be quoted"),
        ];
        let error = Error::new(&problem::INVALID_PARAMETER).with_faults(faults);
        let body = body(finish(error.into_response(), "", "/", "r")).await;
        assert_eq!(body["detail"], "limit must be at least 1 (and 1 more; see errors).");
        assert_eq!(body["errors"][0]["parameter"], "limit");
        assert_eq!(body["errors"][1]["header"], "If-Match");
        assert_eq!(body["errors"][1].as_object().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn retry_after_is_in_whole_seconds_and_credentials_are_challenged() {
        let late = Error::new(&problem::RATE_LIMITED).retry_after(Duration::from_millis(1200));
        assert_eq!(finish(late.into_response(), "", "/", "r").headers()["retry-after"], "2");
        let now = Error::new(&problem::OVERLOADED).retry_after(Duration::ZERO);
        assert_eq!(finish(now.into_response(), "", "/", "r").headers()["retry-after"], "1");
        let unknown = finish(Error::new(&problem::UNAUTHENTICATED).into_response(), "", "/", "r");
        assert_eq!(unknown.headers()["www-authenticate"], "Bearer");
        assert!(unknown.headers().get("retry-after").is_none());
    }

    #[tokio::test]
    async fn errors_of_the_framework_become_problems_and_keep_their_headers() {
        let refused = (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")], "words").into_response();
        let response = finish(refused, "", "/v1/orders", "r");
        assert_eq!(response.headers()["allow"], "GET");
        assert!(response.headers().get("content-length").is_none());
        let refusal = body(response).await;
        assert_eq!(refusal["code"], "method_not_allowed");
        assert!(refusal["detail"].as_str().unwrap().ends_with("Use one of these methods: GET."), "{refusal}");
        let fell = finish((StatusCode::INTERNAL_SERVER_ERROR, "at src/x.rs:1").into_response(), "", "/", "r");
        let expected = format!("{} {}", problem::INTERNAL.meaning, problem::INTERNAL.remedy);
        assert_eq!(body(fell).await["detail"], expected);
    }

    #[tokio::test]
    async fn a_successful_response_is_not_changed() {
        let response = finish("fine".into_response(), "", "/", "r");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "fine");
    }
}
