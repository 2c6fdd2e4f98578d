//! Services around the router and around each handler. They replace axum's `from_fn` layers, because each of those
//! allocates and copies a future for the rest of the request, and every request passes these.

use super::{gate, middleware, operation::Operation};
use crate::app::App;
use axum::{Router, extract::Request, response::Response, routing::Route};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// The router with what surrounds every request.
#[derive(Clone)]
pub(super) struct Surrounded {
    pub(super) app: App,
    pub(super) router: Router,
}

impl Service<Request> for Surrounded {
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ResponseFuture {
        let Self { app, router } = self.clone();
        Box::pin(async move { Ok(middleware::surround(&app, router, request).await) })
    }
}

/// Puts the handler of an operation behind its gate.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: App,
    pub(super) operation: Arc<Operation>,
}

impl Layer<Route> for Gate {
    type Service = Gated;

    fn layer(&self, handler: Route) -> Gated {
        Gated { gate: self.clone(), handler }
    }
}

/// A handler behind the gate of its operation.
#[derive(Clone)]
pub(super) struct Gated {
    gate: Gate,
    handler: Route,
}

impl Service<Request> for Gated {
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ResponseFuture {
        let Self { gate: Gate { app, operation }, handler } = self.clone();
        Box::pin(async move { Ok(gate::enter(&app, &operation, request, handler).await) })
    }
}
