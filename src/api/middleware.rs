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
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
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
    let (encoding, method) = (Encoding::preferred(request.headers()), request.method().clone());
    let known = EntityTags::of(request.headers(), &header::IF_NONE_MATCH, "If-None-Match").ok().flatten();
    let observation = Observation::begin(app, &context, request.method(), request.uri().path());
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
    // A response to HEAD has lost the content that a tag would be made of.
    let has_tag = !in_api(&observation.path) && method != Method::HEAD;
    let mut response = if has_tag { tagged(known.as_ref(), response).await } else { response };
    add_security_headers(response.headers_mut(), &observation.path);
    if app.config.server.tls_cert.is_some() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let response = compressed(encoding, &method, context.operation.get().map(AsRef::as_ref), response).await;
    observation.finish(&response);
    response
}

fn add_security_headers(headers: &mut HeaderMap, path: &str) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // What may be kept says so itself. Nothing of the API may.
    if in_api(path) || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
