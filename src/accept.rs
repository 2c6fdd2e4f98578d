//! The accept loop: our own, since `axum::serve` has neither deadlines for slow clients nor a limit on connections. What a
//! connection may send, and how slowly, is said in [`wire`] and [`framing`]; what a request means is not known here.

mod chunks;
mod descriptors;
pub mod framing;
mod peers;
mod talk;
mod tls;
mod wire;

pub use descriptors::most_connections;
pub use tls::Certificate;

use crate::app::App;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use peers::{Counted, Peers};
use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use talk::{Busy, Talk};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::timeout,
};
use tower::ServiceExt;
use wire::Wire;

/// How long what was accepted may take to finish when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long kept connections stay when the server stops, so that a request that is on its way learns why it is refused.
const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// How long both may take when storage has failed: starting again is what helps then.
const FAILED_TIME: Duration = Duration::from_millis(500);
/// How long to wait when no connection can be accepted, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// Bytes of answers that the system holds for a client. With more, many slow readers would take much of its memory.
const SEND_BUFFER: u32 = 128 * 1024;
/// Bytes that are read ahead of what is being answered.
const READ_BUFFER: usize = 64 * 1024;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What connections share.
struct Server {
    app: App,
    router: Router,
    certificate: Option<Arc<Certificate>>,
    places: Arc<Semaphore>,
    peers: Arc<Peers>,
    /// Asks the connection that has been without a request for longest to make room.
    crowd: Arc<Notify>,
    /// Whether connections are to end as soon as nothing is being answered.
    farewell: watch::Sender<bool>,
}

/// What a connection takes up as long as it is there.
struct Place {
    _free: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Has `router` answer until `stop` resolves, then finishes what was accepted.
pub async fn serve(
    app: App,
    router: Router,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    stop: impl Future<Output = ()>,
) {
    let most = descriptors::connections(app.config.limits.connections).min(Semaphore::MAX_PERMITS);
    let peers = Peers::new(app.config.limits.connections_per_address, &app.config.server.trusted_proxies);
    let server = Arc::new(Server {
        app,
        router,
        certificate,
        places: Arc::new(Semaphore::new(most)),
        peers: Arc::new(peers),
        crowd: Arc::default(),
        farewell: watch::Sender::new(false),
    });
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            (stream, peer, place) = server.accept(&listener) => {
                let (server, alive) = (Arc::clone(&server), alive.clone());
                tokio::spawn(async move {
                    let _here = (place, alive);
                    if let Err(e) = server.attend(stream, peer).await {
                        tracing::debug!(client.address = %peer, error.cause = %e, "the connection ended early");
                    }
                });
            }
        }
    }
    drop((listener, alive));
    server.app.drain();
    let finished = async {
        // No message is ever sent: this is over when every connection is.
        if timeout(FAREWELL_TIME, all_gone.recv()).await.is_err() {
            server.farewell.send_replace(true);
            all_gone.recv().await;
        }
    };
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(DRAIN_TIME) => {}
            () = async { server.app.store.failed().await; tokio::time::sleep(FAILED_TIME).await } => {}
        }
    };
    tokio::select! {
        () = finished => {}
        () = patience => tracing::warn!("some requests were not finished in time"),
    }
}

impl Server {
    /// The next connection, and its place. One from an address that has too many is closed at once.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Place) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if let Some(counted) = self.peers.admit(peer.ip(), &self.app.metrics.refused_connections) {
                        return (stream, peer, Place { _free: self.place().await, _counted: counted });
                    }
                }
                Err(e) => {
                    tracing::warn!(error.cause = %e, "no connection can be accepted");
                    self.crowd.notify_one();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// A place among all connections. While there is none, idle ones are asked to make room.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            self.crowd.notify_one();
            // Nothing that was promised is lost when this is given up.
            if let Ok(Ok(place)) = timeout(ACCEPT_PAUSE, Arc::clone(&self.places).acquire_owned()).await {
                return place;
            }
        }
    }

    /// Serves one connection, one request after the other.
    async fn attend(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), BoxError> {
        // Answers are small and complete: waiting for more to send would only delay them.
        stream.set_nodelay(true)?;
        match &self.certificate {
            None => self.talk(stream, peer).await?,
            Some(certificate) => {
                // What TLS needs is large: a connection without it has no room for it, nor has one for a handshake that is over.
                let stream = Box::pin(timeout(wire::HEAD_TIME, certificate.accept(stream))).await??;
                Box::pin(self.talk(stream, peer)).await?;
            }
        }
        Ok(())
    }

    /// Has the library serve the connection whenever there is something to do, and waits without it when there is not:
    /// thousands of idle connections take little memory then.
    async fn talk<S>(&self, stream: S, peer: SocketAddr) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let talk = Arc::new(Talk::default());
        let mut wire = Wire::new(stream, Arc::clone(&talk), Arc::clone(&self.crowd));
        let mut farewell = self.farewell.subscribe();
        while wire.is_resting() {
            let has_begun = tokio::select! {
                has_begun = wire.has_begun() => has_begun,
                () = told(&mut farewell) => false,
            };
            if !has_begun {
                wire.end().await;
                break;
            }
            wire = self.answer_all(wire, &talk, peer, &mut farewell).await?;
        }
        Ok(())
    }

    /// Answers requests until the connection is over, or rests.
    async fn answer_all<S>(
        &self,
        wire: Wire<S>,
        talk: &Arc<Talk>,
        peer: SocketAddr,
        farewell: &mut watch::Receiver<bool>,
    ) -> hyper::Result<Wire<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (app, router, talk) = (self.app.clone(), self.router.clone(), Arc::clone(talk));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (app, router, talk) = (app.clone(), router.clone(), Arc::clone(&talk));
            async move { Ok::<_, Infallible>(answer(&app, router, &talk, peer, request.map(Body::new)).await) }
        });
        // The wire has the deadlines, of which the library knows only one.
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            // Who has sent everything may say so before the answer is there.
            .half_close(true)
            .max_buf_size(READ_BUFFER)
            .serve_connection(TokioIo::new(wire), service);
        let mut connection = Box::pin(connection);
        tokio::select! {
            ended = &mut connection => ended?,
            () = told(farewell) => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await?;
            }
        }
        Ok(Pin::into_inner(connection).into_parts().io.into_inner())
    }
}

/// Resolves when connections are to end.
async fn told(farewell: &mut watch::Receiver<bool>) {
    // The server outlives its connections.
    let _ = farewell.wait_for(|told| *told).await;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn answer(app: &App, router: Router, talk: &Arc<Talk>, peer: SocketAddr, mut request: Request) -> Response {
    let busy = Busy::on(talk);
    request.extensions_mut().insert(ConnectInfo(peer));
    let refusal = talk.next_request().map(Arc::new);
    let refused = refusal.is_some();
    if let Some(error) = refusal {
        request.extensions_mut().insert(error);
    }
    let Ok(mut response) = router.oneshot(request).await;
    // What is left of a body that was not taken whole would be read as the next request.
    let abandoned = matches!(response.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE);
    if refused || abandoned || talk.is_broken() || app.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Body::new(Answering { body, _busy: busy }))
}

/// The body of an answer, for as long as which its connection is not idle.
struct Answering {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
