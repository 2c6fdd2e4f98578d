//! The client: one request, one connection, one response. Connections are not kept, since requests are rare and go to many
//! hosts.

use super::{
    Addresses, OutboundError,
    connect::connect,
    tls::{Tls, Trust},
};
use crate::domain::url::{Scheme, Url};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    task::JoinSet,
    time::timeout,
};

/// How this program calls itself.
const AGENT: &str = concat!("orderd/", env!("CARGO_PKG_VERSION"));
/// Bytes that the head of a response may have.
const HEAD_BYTES: usize = 64 * 1024;

/// An HTTP and HTTPS client. It follows no redirect: a response that is one is returned as it is. It uses no proxy.
pub struct Client {
    addresses: Addresses,
    tls: Tls,
}

/// The bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for all of it, from resolving the name to the last byte of the response.
    pub time: Duration,
    /// Bytes that the body of the response may have.
    pub body_bytes: usize,
}

/// A complete response.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status, also of a redirect or a failure.
    pub status: u16,
    /// The body; it may be empty.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Response {
    /// The first value of this header, if there is one and it is plain ASCII. Case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the status is from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// A client that checks certificates against the root certificates of this machine.
    pub fn new(addresses: Addresses) -> Self {
        Self { addresses, tls: Tls::new(Trust::MachineRoots) }
    }

    /// A client that accepts any certificate. It is for a request to a server on this machine that carries no secret.
    pub fn trusting_any_certificate(addresses: Addresses) -> Self {
        Self { addresses, tls: Tls::new(Trust::Anything) }
    }

    /// Sends a GET request.
    pub async fn get(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        limits: Limits,
    ) -> Result<Response, OutboundError> {
        self.exchange(url, request(Method::GET, url, headers, vec![])?, limits).await
    }

    /// Sends a POST request.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<Response, OutboundError> {
        self.exchange(url, request(Method::POST, url, headers, body)?, limits).await
    }

    /// Sends a GET request to the server at a Unix socket of this machine. `url` names the target and the host.
    pub async fn get_over_socket(path: &Path, url: &Url, limits: Limits) -> Result<Response, OutboundError> {
        let request = request(Method::GET, url, &[], vec![])?;
        let exchange = async {
            let stream = UnixStream::connect(path).await.map_err(|e| OutboundError::Socket(path.to_owned(), e))?;
            send(stream, request, limits.body_bytes).await
        };
        timeout(limits.time, exchange).await.unwrap_or(Err(OutboundError::Timeout))
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Response, OutboundError> {
        let exchange = async {
            let stream = connect(url, self.addresses).await?;
            match url.scheme() {
                Scheme::Http => send(stream, request, limits.body_bytes).await,
                Scheme::Https => send(self.tls.connect(url.host(), stream).await?, request, limits.body_bytes).await,
            }
        };
        timeout(limits.time, exchange).await.unwrap_or(Err(OutboundError::Timeout))
    }
}

fn request(
    method: Method,
    url: &Url,
    headers: &[(&'static str, &str)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, OutboundError> {
    let fixed = [(HOST.as_str(), url.authority()), (USER_AGENT.as_str(), AGENT.to_owned())];
    let mut request = Request::builder().method(method).uri(url.target()).header(CONNECTION, "close");
    for (name, value) in fixed {
        request = request.header(name, value);
    }
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Full::new(body.into())).map_err(|e| OutboundError::Request(e.to_string()))
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>, body_limit: usize) -> Result<Response, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(OutboundError::Protocol)?;
    // Ends the connection when it is dropped, also when the time is over.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(OutboundError::Protocol)?;
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let body = read(body, body_limit).await?.ok_or(OutboundError::TooLarge { status })?;
    Ok(Response { status, body, headers: head.headers })
}

/// The whole body; none if it has more bytes than `limit`.
async fn read(mut body: Incoming, limit: usize) -> Result<Option<Vec<u8>>, OutboundError> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(None);
    }
    let mut bytes = vec![];
    while let Some(frame) = body.frame().await {
        // Trailers are of no use here.
        let Ok(data) = frame.map_err(OutboundError::Protocol)?.into_data() else { continue };
        if data.len() > limit - bytes.len() {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
