//! Cross-origin requests (the Fetch standard): pages of the configured origins may call the API from a browser, nobody
//! else's. Credentials are tokens that a page has to hold itself, so cookies and the like are never allowed along.

use crate::app::App;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What a page may send beyond what every page may.
const SENT: &str = "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Traceparent, \
    Tracestate, X-Request-Id";
/// What a page may read beyond what every page may.
const READ: &str = "ETag, Idempotent-Replayed, Link, Location, Original-Request-Id, RateLimit, RateLimit-Policy, \
    Retry-After, WWW-Authenticate, X-Request-Id";
/// Seconds for which a browser need not ask again.
const REMEMBERED: &str = "7200";

/// The origin of the page that calls, if it may.
fn allowed(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    app.config.server.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Answers a browser that asks whether a page may send a request at all.
pub(super) async fn preflight(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || allowed(&app, headers).is_none() {
        return next.run(request).await;
    }
    let answer = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, answer).into_response()
}

/// Says on every answer whose pages may read it.
pub(super) async fn expose(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = allowed(&app, request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Also where the page may not: a cache must not give its answer to one that may.
    let others = headers.get(header::VARY).and_then(|value| value.to_str().ok());
    let vary = others.and_then(|others| HeaderValue::try_from(format!("{others}, Origin")).ok());
    headers.insert(header::VARY, vary.unwrap_or(HeaderValue::from_static("Origin")));
    let mut set = |name: HeaderName, value| headers.insert(name, value);
    if let Some(origin) = origin {
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
    response
}
