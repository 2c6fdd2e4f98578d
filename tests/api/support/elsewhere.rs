//! A service that runs elsewhere: an executable, or a load balancer before several, any of which may be killed at any
//! moment. As a careful client does, this sends a request again, with the same key, until it is answered.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long a request may stay without an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Headers that belong to a connection, and the time of the answer. The document does not name them.
const FRAMING: &[header::HeaderName] =
    &[header::CONNECTION, header::CONTENT_LENGTH, header::DATE, header::TRANSFER_ENCODING];

pub struct Elsewhere {
    address: String,
    counts: Mutex<Counts>,
}

/// What happened to requests on their way.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// How often a request was sent again.
    pub repeats: u64,
    /// How often it had taken effect already, as a look at the order showed.
    pub settled: u64,
    pub longest_wait: Duration,
}

impl Elsewhere {
    pub(super) fn new(address: &str) -> Arc<Self> {
        Arc::new(Self { address: address.to_owned(), counts: Mutex::default() })
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap()
    }

    /// A router that sends every request there.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        let there = Arc::clone(self);
        Router::new().fallback(move |request: Request| async move { there.deliver(request).await })
    }

    async fn deliver(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (begun, mut repeats) = (Instant::now(), 0);
        let answer = loop {
            let why = match timeout(PATIENCE, self.send(&parts, body.clone())).await {
                Ok(Ok(answer)) if !is_passing(answer.status()) => break answer,
                Ok(Ok(answer)) => format!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body())),
                Ok(Err(e)) => e,
                Err(_) => "no answer".to_owned(),
            };
            assert!(begun.elapsed() < PATIENCE, "{} {}: sent {repeats} times again: {why}", parts.method, parts.uri);
            repeats += 1;
            sleep(Duration::from_millis(20)).await;
        };
        let settled = if repeats > 0 { self.settle(&parts, &answer).await } else { None };
        let mut counts = self.counts.lock().unwrap();
        counts.repeats += repeats;
        counts.longest_wait = counts.longest_wait.max(begun.elapsed());
        counts.settled += u64::from(settled.is_some());
        settled.unwrap_or(answer).map(Body::from)
    }

    /// A request that names a version cannot be sent again without a key: once it has taken effect, the version is
    /// another one. Then the order is as the lost answer had it.
    async fn settle(&self, parts: &Parts, answer: &Response<Bytes>) -> Option<Response<Bytes>> {
        let version = |value: Option<&HeaderValue>| value?.to_str().ok()?.trim_matches('"').parse::<u64>().ok();
        let named = version(parts.headers.get(header::IF_MATCH))?;
        if answer.status() != StatusCode::PRECONDITION_FAILED || parts.headers.contains_key("idempotency-key") {
            return None;
        }
        let order = parts.uri.path().split('/').take(4).collect::<Vec<_>>().join("/");
        let (mut read, ()) = Request::get(order).body(()).unwrap().into_parts();
        read.headers.insert(header::AUTHORIZATION, parts.headers[header::AUTHORIZATION].clone());
        let begun = Instant::now();
        loop {
            match self.send(&read, Bytes::new()).await {
                Ok(found) if found.status() == StatusCode::OK => {
                    return (version(found.headers().get(header::ETAG)) > Some(named)).then_some(found);
                }
                _ => assert!(begun.elapsed() < PATIENCE, "{}: no answer", read.uri),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, parts: &Parts, body: Bytes) -> Result<Response<Bytes>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|e| e.to_string())?;
        let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(body));
        request.method_mut().clone_from(&parts.method);
        request.uri_mut().clone_from(&parts.uri);
        request.headers_mut().clone_from(&parts.headers);
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("orders.example.com"));
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let (mut parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
        for name in FRAMING {
            parts.headers.remove(name);
        }
        Ok(Response::from_parts(parts, body))
    }
}

/// Whether a process, or the load balancer for it, says that the request may be sent again.
fn is_passing(status: StatusCode) -> bool {
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status)
}
