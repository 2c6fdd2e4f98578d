//! What surrounds every request, whatever it is for: its identifier, its log line, its security headers, and that it is
//! answered even if a handler panics.

use super::{client, problem};
use crate::{
    app::App,
    auth::{Actor, allowance::Standing},
    domain::id::RequestId,
    error::{Error, problem::INTERNAL},
};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Instant,
};
use tracing::Instrument;

/// The header that names a request.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The longest request identifier that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// For a year, nothing but TLS (RFC 6797).
const ONLY_BY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What is known of a request from its first byte on, and what is learnt of it on the way.
#[derive(Debug)]
pub(super) struct Context {
    /// Its identifier: the client's, or a fresh one.
    pub(super) request_id: Arc<str>,
    /// Where it came from.
    pub(super) address: Option<IpAddr>,
    /// The operation, once it is known.
    pub(super) operation: OnceLock<&'static str>,
    /// Who is calling, once it is known.
    pub(super) actor: OnceLock<Actor>,
    /// What is left of the caller's allowance, where there is one.
    pub(super) standing: OnceLock<Standing>,
}

/// The outermost layer.
pub(super) async fn surround(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let context = Arc::new(Context {
        request_id: request_id(&app, request.headers()),
        address: request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| client::address(peer.0.ip(), request.headers(), &app.config.server.trusted_proxies)),
        operation: OnceLock::new(),
        actor: OnceLock::new(),
        standing: OnceLock::new(),
    });
    request.extensions_mut().insert(Arc::clone(&context));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", request.id = %context.request_id);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let response = answered.unwrap_or_else(|_| Error::new(&INTERNAL).into_response());
    let mut response = problem::finish(response, &path, &context.request_id);
    protect(response.headers_mut(), &path);
    if app.config.server.tls_cert.is_some() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, ONLY_BY_TLS);
    }
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let _in_span = span.enter();
    let duration = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        http.method = %method,
        http.path = path,
        http.status = response.status().as_u16(),
        operation = context.operation.get(),
        actor = context.actor.get().map(|actor| tracing::field::display(actor.principal)),
        client.address = context.address.map(tracing::field::display),
        duration_us = duration,
        "request"
    );
    log_cause(&response);
    response
}

/// The client's identifier if it is short and plain, or a fresh one.
fn request_id(app: &App, headers: &HeaderMap) -> Arc<str> {
    let plain = |text: &&str| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
    };
    let mut sent = headers.get_all(REQUEST_ID).iter();
    match (sent.next().and_then(|value| value.to_str().ok()).filter(plain), sent.next()) {
        (Some(id), None) => id.into(),
        _ => app.ids.next::<RequestId>(app.clock.now()).to_string().into(),
    }
}

fn protect(headers: &mut HeaderMap, path: &str) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if path.starts_with("/v1/") {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The internal cause of an error goes to the log once, here.
fn log_cause(response: &Response) {
    let Some(error) = response.extensions().get::<Arc<Error>>() else { return };
    if let Some(cause) = error.cause() {
        let code = error.problem().code;
        if response.status().is_server_error() {
            tracing::error!(error.code = code, error.cause = %cause, "the request failed");
        } else {
            tracing::debug!(error.code = code, error.cause = %cause, "the request was refused");
        }
    }
}
