//! The accept loop: our own, since `axum::serve` has neither a timer for slow request heads nor a limit on connections.

use crate::app::App;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown},
};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::ServiceExt;

/// How long the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long what was accepted may take to finish when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` resolves, then finishes what was accepted.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) {
    let router = super::routes::router(app.clone());
    let most = match app.config.limits.connections {
        0 => Semaphore::MAX_PERMITS,
        connections => connections.min(Semaphore::MAX_PERMITS),
    };
    let places = Arc::new(Semaphore::new(most));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut stop => break,
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let connection = graceful.watch(connect(router.clone(), stream, peer));
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(e) = connection.await {
                            tracing::debug!(client.address = %peer, error.cause = %e, "the connection ended early");
                        }
                    });
                }
                Err(e) => {
                    tracing::warn!(error.cause = %e, "no connection can be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    app.drain();
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
}

/// Serves one connection, one request after the other.
fn connect(router: Router, stream: TcpStream, peer: SocketAddr) -> impl GracefulConnection<Error = hyper::Error> {
    // Answers are small and complete: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
}
