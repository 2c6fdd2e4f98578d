//! What is known about a request while it is processed. The middleware creates the context from the head of the
//! request, the gate adds the operation and the caller, and the log, the metrics and the trace read it at the end.

use super::{client_address, operation::Operation, public_address::PublicAddress, scheme::Scheme};
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

/// The header that carries the request identifier.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The longest request identifier that is accepted from a client, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// What is known about one request.
pub(super) struct Context {
    /// The identifier that the client sent, or a new one.
    pub(super) request_id: Arc<str>,
    pub(super) trace: Trace,
    /// The address of the client, behind trusted proxies.
    pub(super) address: Option<IpAddr>,
    /// The address under which the client reaches this server.
    pub(super) public: PublicAddress,
    /// How the client reached the server.
    pub(super) scheme: Scheme,
    /// Set by the gate.
    pub(super) operation: OnceLock<Arc<Operation>>,
    /// Set by the gate after authentication.
    pub(super) actor: OnceLock<Actor>,
    /// Set by the gate if a rate limit applies.
    pub(super) rate_limit: OnceLock<RateLimitState>,
}

impl Context {
    /// The context of a request that has just arrived.
    pub(super) fn of(app: &App, request: &Request) -> Self {
        let (request_id, trace) = identify(app, request.headers());
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let proxies = &app.config.server.trusted_proxies;
        Self {
            request_id,
            trace,
            address: peer.map(|peer| client_address::of(peer, request.headers(), proxies)),
            scheme: Scheme::of(&app.config, peer, request.headers()),
            public: PublicAddress::of(&app.config.server, peer, request.headers()),
            operation: OnceLock::new(),
            actor: OnceLock::new(),
            rate_limit: OnceLock::new(),
        }
    }
}

/// The trace that a request belongs to (W3C Trace Context).
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    /// The trace of the caller, or a new one.
    pub(super) id: TraceId,
    /// The `traceparent` header, if it is valid.
    pub(super) parent: Option<TraceParent>,
}

impl Trace {
    /// The trace that events and audit rows record. They record it only if the caller or a configured collector knows
    /// it.
    pub(super) fn recorded_id(&self, app: &App) -> Option<TraceId> {
        (self.parent.is_some() || app.config.traces.otlp_endpoint.is_some()).then_some(self.id)
    }
}

/// The identifiers that the client sent, if they are well formed, or new ones.
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

/// The request identifier that the client sent, if it was sent once and has at most [`MAX_REQUEST_ID`] letters, digits,
/// `.`, `_` and `-`.
fn sent_request_id(headers: &HeaderMap) -> Option<&str> {
    let plain = |text: &&str| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
    };
    let mut sent = headers.get_all(REQUEST_ID).iter();
    let id = sent.next().and_then(|value| value.to_str().ok()).filter(plain);
    id.filter(|_| sent.next().is_none())
}

/// The `traceparent` header, if it was sent once and is well formed.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut sent = headers.get_all("traceparent").iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    TraceParent::parse(value.to_str().ok()?)
}
