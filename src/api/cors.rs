//! Cross-origin requests (Fetch standard). Browsers let pages of the configured origins call the API, and no others.
//! Cookies and other credentials that a browser adds by itself are never allowed: callers send tokens.

use crate::app::App;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Request headers that a page may set.
const REQUEST_HEADERS: &str = "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, \
    Traceparent, Tracestate, X-Request-Id";
/// Response headers that a page may read.
const RESPONSE_HEADERS: &str = "ETag, Idempotent-Replayed, Link, Location, Original-Request-Id, RateLimit, RateLimit-Policy, \
    Retry-After, WWW-Authenticate, X-Request-Id";
/// Seconds for which a browser may cache the answer to a preflight request.
const MAX_AGE: &str = "7200";

/// The `Origin` of the calling page, if it is configured.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    app.config.server.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Answers preflight requests, with which a browser asks whether a page may send a request.
pub(super) async fn preflight(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight || allowed_origin(&app, headers).is_none() {
        return next.run(request).await;
    }
    let answer = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, answer).into_response()
}

/// Adds the headers that tell a browser which pages may read the response.
pub(super) async fn expose(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = allowed_origin(&app, request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // This is also set for pages that are not allowed: a cache must not serve their response to a page that is.
    let others = headers.get(header::VARY).and_then(|value| value.to_str().ok());
    let vary = others.and_then(|others| HeaderValue::try_from(format!("{others}, Origin")).ok());
    headers.insert(header::VARY, vary.unwrap_or(HeaderValue::from_static("Origin")));
    let mut set = |name: HeaderName, value| headers.insert(name, value);
    if let Some(origin) = origin {
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
    response
}
