//! HTTP proxies: what they are told, and connections through them (RFC 9110, section 9.3.6).

use super::OutboundError;
use crate::config::Proxy;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{HOST, PROXY_AUTHORIZATION},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

/// Bytes that the head of a proxy's response may have.
const HEAD_BYTES: usize = 16 * 1024;

/// The value of the header `Proxy-Authorization`, if the proxy needs one.
pub(super) fn authorization(proxy: &Proxy) -> Option<String> {
    proxy.credentials.as_ref().map(|credentials| format!("Basic {}", STANDARD.encode(credentials.expose())))
}

/// Asks the proxy at the other end of `stream` for a connection to `target`, an address or a name with its port. Then
/// `stream` is that connection.
pub(super) async fn tunnel(stream: TcpStream, target: &str, proxy: &Proxy) -> Result<TcpStream, OutboundError> {
    let mut request = Request::connect(target).header(HOST, target);
    if let Some(authorization) = authorization(proxy) {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::new()).map_err(|e| OutboundError::Request(e.to_string()))?;
    let io = TokioIo::new(stream);
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake::<_, Empty<Bytes>>(io).await;
    let (mut sender, connection) = handshake.map_err(failure)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(failure)?;
    if !response.status().is_success() {
        return Err(OutboundError::Proxy(format!("it answered {}", response.status().as_u16())));
    }
    connection_of(response).await
}

async fn connection_of(response: Response<Incoming>) -> Result<TcpStream, OutboundError> {
    let connection = hyper::upgrade::on(response).await.map_err(failure)?;
    let parts = connection.downcast::<TokioIo<TcpStream>>();
    let parts = parts.map_err(|_| OutboundError::Proxy("its connection is of another kind".to_owned()))?;
    // The host has not been sent anything yet.
    if !parts.read_buf.is_empty() {
        return Err(OutboundError::Proxy("more than a head came".to_owned()));
    }
    Ok(parts.io.into_inner())
}

fn failure(e: hyper::Error) -> OutboundError {
    OutboundError::Proxy(e.to_string())
}
