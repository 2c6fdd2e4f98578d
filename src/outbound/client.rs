//! The client: one request, one connection, one response. Connections are not kept, since requests are rare and go to
//! many hosts.

use super::{
    Addresses, OutboundError, Resolver,
    connect::Connector,
    proxy::authorization,
    tls::{Tls, Trust},
};
use crate::{
    config::Proxies,
    domain::url::{Scheme, Url},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Uri,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// How this program calls itself.
const AGENT: &str = concat!("orderd/", env!("CARGO_PKG_VERSION"));
/// Bytes that the head of a response may have.
const HEAD_BYTES: usize = 64 * 1024;

/// An HTTP and HTTPS client. It follows no redirect: a response that is one is returned as it is.
pub struct Client {
    connector: Connector,
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
        Self::trusting(Tls::new(Trust::MachineRoots), addresses)
    }

    /// A client that accepts any certificate. It is for a request to a server on this machine that carries no secret.
    pub fn trusting_any_certificate(addresses: Addresses) -> Self {
        Self::trusting(Tls::new(Trust::Anything), addresses)
    }

    fn trusting(tls: Tls, allowed: Addresses) -> Self {
        let connector = Connector { allowed, resolver: Resolver::system(), proxies: Proxies::default() };
        Self { connector, tls }
    }

    /// This client with another resolver.
    #[must_use]
    pub fn resolving_by(mut self, resolver: Resolver) -> Self {
        self.connector.resolver = resolver;
        self
    }

    /// This client with proxies.
    #[must_use]
    pub fn through(mut self, proxies: Proxies) -> Self {
        self.connector.proxies = proxies;
        self
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
        let deadline = Instant::now() + limits.time;
        let answer = async {
            let stream = UnixStream::connect(path).await.map_err(|e| OutboundError::Socket(path.to_owned(), e))?;
            Answer::to(stream, request).await
        };
        let answer = timeout_at(deadline, answer).await.unwrap_or(Err(OutboundError::Timeout))?;
        answer.read(deadline, limits.body_bytes).await
    }

    async fn exchange(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Response, OutboundError> {
        if let Some(proxy) = self.connector.forwarding_proxy(url) {
            forward(&mut request, url, authorization(proxy))?;
        }
        let deadline = Instant::now() + limits.time;
        let answer = async {
            let stream = self.connector.connect(url).await?;
            match url.scheme() {
                Scheme::Http => Answer::to(stream, request).await,
                Scheme::Https => Answer::to(self.tls.connect(url.host(), stream).await?, request).await,
            }
        };
        let answer = timeout_at(deadline, answer).await.unwrap_or(Err(OutboundError::Timeout))?;
        answer.read(deadline, limits.body_bytes).await
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

/// Turns a request to a host into one that a proxy forwards (RFC 9112, section 3.2.2).
fn forward(request: &mut Request<Full<Bytes>>, url: &Url, authorization: Option<String>) -> Result<(), OutboundError> {
    *request.uri_mut() = Uri::try_from(url.to_string()).map_err(|e| OutboundError::Request(e.to_string()))?;
    if let Some(value) = authorization {
        let value = HeaderValue::try_from(value).map_err(|e| OutboundError::Request(e.to_string()))?;
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    Ok(())
}

/// A response whose body is still to be read.
struct Answer {
    response: Response,
    body: Incoming,
    /// Carries the connection, and ends it when it is dropped, also when the time is over.
    _driver: JoinSet<hyper::Result<()>>,
}

impl Answer {
    /// Sends the request, and returns when the head of the response is there.
    async fn to<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Self, OutboundError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(OutboundError::Protocol)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let (head, body) = sender.send_request(request).await.map_err(OutboundError::Protocol)?.into_parts();
        let response = Response { status: head.status.as_u16(), body: vec![], headers: head.headers };
        Ok(Self { response, body, _driver: driver })
    }

    /// The response with its whole body.
    async fn read(mut self, deadline: Instant, limit: usize) -> Result<Response, OutboundError> {
        let body = timeout_at(deadline, read(&mut self.body, limit)).await;
        match body.unwrap_or_else(|_| Err("it was not there in time".to_owned())) {
            Ok(body) => Ok(Response { body, ..self.response }),
            Err(reason) => Err(OutboundError::Incomplete { response: Box::new(self.response), reason }),
        }
    }
}

/// The whole body, unless it is cut off or has more bytes than `limit`.
async fn read(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, String> {
    let too_large = || format!("it is larger than {limit} bytes");
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut bytes = vec![];
    while let Some(frame) = body.frame().await {
        // Trailers are of no use here.
        let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() else { continue };
        if data.len() > limit - bytes.len() {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
