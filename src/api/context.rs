//! What is known of a request from its head on, and what is learnt of it on the way: the layers before a handler write it
//! down, and what is told of the request when it is over comes from here.

use super::{client_address, operation::Operation};
use crate::{
    app::App,
    auth::{Actor, rate_limit::RateLimitState},
    domain::{
        id::RequestId,
        trace::{TraceId, TraceParent},
    },
};
use axum::{
    extract::{ConnectInfo, Request},
    http::HeaderMap,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

/// The header that names a request.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The longest request identifier that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// What is known of a request from its head on, and what is learnt of it on the way.
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
    /// The rate limit of the caller after this request, if there is one.
    pub(super) rate_limit: OnceLock<RateLimitState>,
}

impl Context {
    /// What the head of a request says.
    pub(super) fn of(app: &App, request: &Request) -> Self {
        let (request_id, trace) = identify(app, request.headers());
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let proxies = &app.config.server.trusted_proxies;
        Self {
            request_id,
            trace,
            address: peer.map(|peer| client_address::of(peer.0.ip(), request.headers(), proxies)),
            operation: OnceLock::new(),
            actor: OnceLock::new(),
            rate_limit: OnceLock::new(),
        }
    }
}

/// The trace of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    /// The caller's, or a fresh one.
    pub(super) id: TraceId,
    /// What the caller says.
    pub(super) parent: Option<TraceParent>,
}

impl Trace {
    /// The trace as rows name it: where somebody can look it up, the caller or the collector that spans are sent to.
    pub(super) fn kept(&self, app: &App) -> Option<TraceId> {
        (self.parent.is_some() || app.config.traces.otlp_endpoint.is_some()).then_some(self.id)
    }
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

/// What the request says about the trace that it belongs to, if it says so once.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut sent = headers.get_all("traceparent").iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    TraceParent::parse(value.to_str().ok()?)
}
