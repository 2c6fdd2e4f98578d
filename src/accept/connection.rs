//! Serves one connection, one request after the other: TLS, the HTTP library, the router. Deadlines and framing are the
//! work of [`super::wire`].

use super::{
    Server,
    connection_state::{Busy, ConnectionState},
    listener::Stream,
    request_body::{self, Rest},
    response_body::ResponseBody,
    wire::{self, Wire},
};
use crate::app::App;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};
use tower::ServiceExt;

/// Bytes that the HTTP library reads ahead of the request that is being answered.
const READ_BUFFER: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Server {
    pub(super) async fn serve_connection(&self, stream: Stream, peer: SocketAddr) -> Result<(), BoxError> {
        let stream = match stream {
            Stream::Tcp(stream) => stream,
            // The configuration refuses TLS on a socket.
            Stream::Unix(stream) => return Ok(self.serve_requests(stream, peer).await?),
        };
        // Responses are small and complete: waiting for more bytes to send would only delay them.
        stream.set_nodelay(true)?;
        match &self.certificate {
            None => self.serve_requests(stream, peer).await?,
            Some(certificate) => {
                // Boxed because a TLS session and its handshake are large: plain connections reserve no room for them.
                let stream = Box::pin(timeout(wire::HEAD_TIME, certificate.accept(stream))).await??;
                Box::pin(self.serve_requests(stream, peer)).await?;
            }
        }
        Ok(())
    }

    /// Runs the HTTP library only while there are requests. An idle connection is parked without the library, whose
    /// buffers are large, so that thousands of idle connections take little memory.
    async fn serve_requests<S>(&self, stream: S, peer: SocketAddr) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let state = Arc::new(ConnectionState::default());
        let mut wire = Wire::new(stream, Arc::clone(&state), self.limits.evictions());
        let mut shutdown = self.shutdown.subscribe();
        while wire.is_parked() {
            let has_bytes = tokio::select! {
                has_bytes = wire.wait_for_bytes() => has_bytes,
                () = shutdown_begins(&mut shutdown) => false,
            };
            if !has_bytes {
                wire.close().await;
                break;
            }
            wire = self.run_http(wire, &state, peer, &mut shutdown).await?;
        }
        Ok(())
    }

    /// Answers requests until the connection is parked or over.
    async fn run_http<S>(
        &self,
        wire: Wire<S>,
        state: &Arc<ConnectionState>,
        peer: SocketAddr,
        shutdown: &mut watch::Receiver<bool>,
    ) -> hyper::Result<Wire<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (app, router, state) = (self.app.clone(), self.router.clone(), Arc::clone(state));
        let service = service_fn(move |request| {
            let (app, router, state) = (app.clone(), router.clone(), Arc::clone(&state));
            async move { Ok::<_, Infallible>(respond(&app, router, &state, peer, request).await) }
        });
        let connection = http1::Builder::new()
            // `Wire` has the deadlines.
            .header_read_timeout(None)
            // A client may shut down its sending side before it has its response.
            .half_close(true)
            .max_buf_size(READ_BUFFER)
            .serve_connection(TokioIo::new(wire), service);
        let mut connection = Box::pin(connection);
        tokio::select! {
            ended = &mut connection => ended?,
            () = shutdown_begins(shutdown) => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await?;
            }
        }
        Ok(Pin::into_inner(connection).into_parts().io.into_inner())
    }
}

async fn shutdown_begins(shutdown: &mut watch::Receiver<bool>) {
    // The sender outlives all connections, so this cannot fail.
    let _ = shutdown.wait_for(|begun| *begun).await;
}

/// Answers one request. A body that the router leaves unread is discarded, or the response says `Connection: close`:
/// otherwise the rest of the body would stand in the way of the next request.
async fn respond(
    app: &App,
    router: Router,
    state: &Arc<ConnectionState>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response {
    let busy = Busy::new(state);
    let (mut request, body_tracker) = request_body::track(request);
    request.extensions_mut().insert(ConnectInfo(peer));
    let refusal = state.next_request().map(Arc::new);
    let is_refused = refusal.is_some();
    if let Some(error) = refusal {
        request.extensions_mut().insert(error);
    }
    let Ok(mut response) = router.oneshot(request).await;
    // Both mean that the rest of the body is too slow or too large to wait for.
    let gave_up = matches!(response.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE);
    let rest = if is_refused || gave_up || app.is_draining() {
        Rest::Unread
    } else {
        body_tracker.discard_rest(app.body_limit() as u64).await
    };
    if rest == Rest::Unread || state.is_framing_broken() || app.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| {
        let body = ResponseBody::new(body, busy);
        if rest == Rest::BeingRead {
            // The head is sent before the body is read, so it cannot promise to close. Bodies of this kind have no
            // limit.
            let discard = async move {
                body_tracker.discard_rest(u64::MAX).await;
            };
            return Body::new(body.before_end(discard));
        }
        Body::new(body)
    })
}
