//! Accepts connections and hands their requests to the router. `axum::serve` is not used: it has no deadlines for slow
//! clients and no limit on connections. What a connection may send, and how slowly, is decided in [`framing`] and
//! [`wire`]. What a request means is not known here.

mod connection;
mod connection_state;
pub mod framing;
mod limits;
mod listener;
mod request_body;
mod response_body;
mod tls;
mod wire;

pub use limits::max_connections;
pub use listener::Listener;
pub use tls::Certificate;

use crate::app::App;
use axum::Router;
use limits::{ConnectionLimits, ConnectionPermit};
use listener::Stream;
use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// At shutdown, idle connections stay open for this long, so that a request already on its way is answered with the
/// reason for its refusal.
const IDLE_GRACE: Duration = Duration::from_secs(2);
/// At shutdown, requests in progress may take this long to finish.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// The same after storage has failed: only a restart helps then.
const DRAIN_TIME_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// Pause before the next attempt when no connection can be accepted, for example for lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What all connections share.
struct Server {
    app: App,
    router: Router,
    certificate: Option<Arc<Certificate>>,
    limits: ConnectionLimits,
    /// `true` once connections must close as soon as they have no request in progress.
    shutdown: watch::Sender<bool>,
}

/// Serves `router` until `stop` resolves, then lets requests in progress finish.
pub async fn serve(
    app: App,
    router: Router,
    listener: Listener,
    certificate: Option<Arc<Certificate>>,
    stop: impl Future<Output = ()>,
) {
    let limits = ConnectionLimits::new(&app.config);
    if let Some(certificate) = &certificate {
        // A process serves once, so nothing has set it before.
        let _ = app.metrics.certificate_end.set(certificate.shared_end());
    }
    let server = Arc::new(Server { app, router, certificate, limits, shutdown: watch::Sender::new(false) });
    // Nothing is ever sent: the channel closes when every connection has dropped its sender.
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            (stream, peer, permit) = server.accept(&listener) => {
                let (server, open) = (Arc::clone(&server), open.clone());
                tokio::spawn(async move {
                    let _held = (permit, open);
                    if let Err(e) = server.serve_connection(stream, peer).await {
                        tracing::debug!(client.address = %peer, error.cause = %e, "a connection ended early");
                    }
                });
            }
        }
    }
    drop((listener, open));
    server.drain(&mut all_closed).await;
}

impl Server {
    /// Accepts the next connection within the limits. Connections over the limit of their address are closed at once.
    async fn accept(&self, listener: &Listener) -> (Stream, SocketAddr, ConnectionPermit) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let refused = &self.app.metrics.refused_connections;
                    if let Some(permit) = self.limits.admit(peer.ip(), refused).await {
                        return (stream, peer, permit);
                    }
                }
                Err(e) => {
                    tracing::warn!(error.cause = %e, "no connection can be accepted");
                    self.limits.evict_one();
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    /// Refuses new requests and waits until all connections are closed, or the time for that is over.
    async fn drain(&self, all_closed: &mut mpsc::Receiver<Infallible>) {
        self.app.drain();
        let finished = async {
            if timeout(IDLE_GRACE, all_closed.recv()).await.is_err() {
                self.shutdown.send_replace(true);
                all_closed.recv().await;
            }
        };
        let too_late = async {
            tokio::select! {
                () = tokio::time::sleep(DRAIN_TIME) => {}
                () = async {
                    self.app.store.failed().await;
                    tokio::time::sleep(DRAIN_TIME_AFTER_FAILURE).await;
                } => {}
            }
        };
        tokio::select! {
            () = finished => {}
            () = too_late => tracing::warn!("some requests did not finish before the server stopped"),
        }
    }
}
