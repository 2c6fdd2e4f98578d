//! What surrounds every request, whatever it is for: its identifier, its security headers, that it is observed, and that
//! it is answered even if a handler panics.

use super::{
    client,
    observation::{Observation, Trace, trace_parent},
    operation::{Operation, in_api},
    problem,
};
use crate::{
    app::App,
    auth::{Actor, allowance::Standing},
    domain::{id::RequestId, trace::TraceId},
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
};
use tracing::Instrument;

/// The header that names a request.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The longest request identifier that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// For a year, nothing but TLS (RFC 6797).
const ONLY_BY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What is known of a request from its first byte on, and what is learnt of it on the way.
pub(super) struct Context {
    /// Its identifier: the client's, or a fresh one.
    pub(super) request_id: Arc<str>,
    /// The trace that it belongs to.
    pub(super) trace: Trace,
    /// Where it came from.
    pub(super) address: Option<IpAddr>,
    /// The operation, once it is known.
    pub(super) operation: OnceLock<Arc<Operation>>,
    /// Who is calling, once it is known.
    pub(super) actor: OnceLock<Actor>,
    /// What is left of the caller's allowance, where there is one.
    pub(super) standing: OnceLock<Standing>,
}

/// The outermost layer.
pub(super) async fn surround(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (request_id, trace) = identify(&app, request.headers());
    let context = Arc::new(Context {
        request_id,
        trace,
        address: request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| client::address(peer.0.ip(), request.headers(), &app.config.server.trusted_proxies)),
        operation: OnceLock::new(),
        actor: OnceLock::new(),
        standing: OnceLock::new(),
    });
    request.extensions_mut().insert(Arc::clone(&context));
    let observation = Observation::begin(&app, &context, request.method(), request.uri().path());
    let (step, span) = (observation.step.clone(), observation.span.clone());
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(step).instrument(span).await;
    let response = answered.unwrap_or_else(|_| Error::new(&INTERNAL).into_response());
    let mut response = problem::finish(response, &observation.path, &context.request_id);
    protect(response.headers_mut(), &observation.path);
    if app.config.server.tls_cert.is_some() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, ONLY_BY_TLS);
    }
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    observation.answered(&response);
    response
}

/// The client's identifiers if they are well formed, or fresh ones.
fn identify(app: &App, headers: &HeaderMap) -> (Arc<str>, Trace) {
    let (sent, parent) = (sent_request_id(headers), trace_parent(headers));
    match (sent, parent) {
        (Some(id), Some(parent)) => (id.into(), Trace { id: parent.trace, parent: Some(parent) }),
        (sent, parent) => {
            let fresh = app.ids.next::<RequestId>(app.clock.now());
            let id = parent.map_or_else(|| TraceId::of(fresh), |parent| parent.trace);
            (sent.map_or_else(|| fresh.to_string().into(), Arc::from), Trace { id, parent })
        }
    }
}

/// The client's identifier, if it sends one that is short and plain.
fn sent_request_id(headers: &HeaderMap) -> Option<&str> {
    let plain = |text: &&str| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
    };
    let mut sent = headers.get_all(REQUEST_ID).iter();
    let id = sent.next().and_then(|value| value.to_str().ok()).filter(plain);
    id.filter(|_| sent.next().is_none())
}

fn protect(headers: &mut HeaderMap, path: &str) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if in_api(path) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
