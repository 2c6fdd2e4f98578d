//! The outermost layer of every request. It assigns the identifier, adds security headers, compresses the response,
//! records the request in log, metrics and trace, and answers 500 if a handler panics.

use super::{
    context::{Context, REQUEST_ID},
    input::entity_tag::EntityTags,
    observation::Observation,
    operation::in_api,
    output::{
        compression::{Encoding, compressed},
        page_tag::tagged,
        problem,
    },
};
use crate::{
    app::App,
    error::{Error, problem::INTERNAL},
};
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tower::ServiceExt;
use tracing::Instrument;

/// Tells browsers to use TLS only, for one year (RFC 6797).
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers a request by `router`, unless the connection layer marked it as malformed.
pub(super) async fn surround(app: &App, router: Router, mut request: Request) -> Response {
    let context = Arc::new(Context::of(app, &request));
    request.extensions_mut().insert(Arc::clone(&context));
    let encoding = Encoding::preferred(request.headers());
    let known = EntityTags::of(request.headers(), &header::IF_NONE_MATCH, "If-None-Match").ok().flatten();
    let observation = Observation::begin(app, &context, request.method(), request.uri().path());
    // A page is made for HEAD as for GET and loses its content last, so that its tag and length are those of GET.
    let is_without_content = request.method() == Method::HEAD && !in_api(&observation.path);
    if is_without_content {
        *request.method_mut() = Method::GET;
    }
    let method = request.method().clone();
    let (log_span, trace_span) = (observation.log_span.clone(), observation.trace_span.clone());
    let answer = async move {
        if let Some(malformed) = request.extensions().get::<Arc<Error>>() {
            return problem::response(Arc::clone(malformed));
        }
        let Ok(response) = router.oneshot(request).await;
        response
    };
    let answered = AssertUnwindSafe(answer).catch_unwind().instrument(trace_span).instrument(log_span).await;
    let response = answered.unwrap_or_else(|_| Error::new(&INTERNAL).into_response());
    let response = problem::finish(response, context.public.base(), &observation.path, &context.request_id);
    let response = context.public.applied_to(response).await;
    let mut response = if in_api(&observation.path) { response } else { tagged(known.as_ref(), response).await };
    add_security_headers(response.headers_mut(), &observation.path);
    if app.config.server.tls_cert.is_some() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let response = compressed(encoding, &method, context.operation.get().map(AsRef::as_ref), response).await;
    let response = if is_without_content { without_content(response) } else { response };
    observation.finish(&response);
    response
}

/// The response to HEAD: with the length of the content if it is known, and without it (RFC 9110, section 9.3.2).
fn without_content(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let (Some(length), false) = (body.size_hint().exact(), parts.status == StatusCode::NOT_MODIFIED) {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}

fn add_security_headers(headers: &mut HeaderMap, path: &str) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // What may be kept says so itself. Nothing of the API may.
    if in_api(path) || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
