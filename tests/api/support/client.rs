//! A client that sends requests to the service under test.

use super::{
    answer::Answer,
    document,
    service::{Outcome, Shared},
};
use axum::{
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header},
};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    io::Read,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tower::ServiceExt;

/// The address that requests come from, unless a test sets another one.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 40_000);

/// How long a part of a stream may take; comments come every 15 seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A user of the service. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    service: Arc<Shared>,
    token: Option<Arc<str>>,
    cookie: Option<Arc<str>>,
    console_key: Option<Arc<str>>,
    /// The user's identifier. Empty for an anonymous client.
    pub id: String,
    /// The response to the log-in. Null for an anonymous client.
    pub session: Value,
}

#[allow(clippy::needless_pass_by_value, reason = "scripts read better without ampersands")]
impl Client {
    pub(super) fn anonymous(service: Arc<Shared>) -> Self {
        Self { service, token: None, cookie: None, console_key: None, id: String::new(), session: Value::Null }
    }

    /// Logs in, and returns a client with the access token.
    pub async fn log_in(&self, email: &str, password: &str) -> Self {
        let answer = self.post("/v1/auth/login", json!({"email": email, "password": password})).await.ok();
        let session = answer.json();
        let token = session["access_token"].as_str().unwrap();
        Self { id: session["user"]["id"].as_str().unwrap().to_owned(), session: session.clone(), ..self.bearing(token) }
    }

    /// Signs in as a browser does, and returns a client with both halves of the session.
    pub async fn sign_in(&self, email: &str, password: &str) -> Self {
        let answer = self.post("/v1/auth/session", json!({"email": email, "password": password})).await.created();
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let key = answer["console_key"].as_str().unwrap();
        let client = self.with_cookie(&cookie).with_console_key(key);
        Self { id: answer["user"]["id"].as_str().unwrap().to_owned(), session: answer.json().clone(), ..client }
    }

    /// The same client with this cookie, as the header has it.
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.into()), ..self.clone() }
    }

    /// The same client with this console key.
    pub fn with_console_key(&self, key: &str) -> Self {
        Self { console_key: Some(key.into()), ..self.clone() }
    }

    /// The cookie alone, of a client that has signed in as a browser.
    pub fn without_console_key(&self) -> Self {
        Self { console_key: None, ..self.clone() }
    }

    /// The console key alone, of a client that has signed in as a browser.
    pub fn without_cookie(&self) -> Self {
        Self { cookie: None, ..self.clone() }
    }

    /// The cookie of this client.
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().expect("a cookie")
    }

    /// A client with this access token or API key.
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..Self::anonymous(Arc::clone(&self.service)) }
    }

    /// The access token or API key of this client.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("credentials")
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Call {
        self.call(Method::POST, path).json(&body)
    }

    /// `PATCH` with a JSON body.
    pub fn patch(&self, path: &str, body: Value) -> Call {
        self.call(Method::PATCH, path).json(&body)
    }

    /// `PUT` with a JSON body.
    pub fn put(&self, path: &str, body: Value) -> Call {
        self.call(Method::PUT, path).json(&body)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Any method, without a body.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_else(|e| panic!("{path}: {e}"));
        request.extensions_mut().insert(ConnectInfo(ADDRESS));
        let call = Call { service: Arc::clone(&self.service), request };
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let sent = [
            ("authorization", bearer.as_deref()),
            ("cookie", self.cookie.as_deref()),
            ("x-console-key", self.console_key.as_deref()),
        ];
        sent.into_iter().fold(call, |call, (name, value)| match value {
            Some(value) => call.header(name, value),
            None => call,
        })
    }

    /// Places an order, with an idempotency key that no other request has.
    pub async fn places(&self, body: Value) -> Answer {
        self.post("/v1/orders", body).fresh_key().await
    }

    /// Records a payment, with an idempotency key that no other request has.
    pub async fn pays(&self, order: &str, body: Value) -> Answer {
        self.post(&format!("/v1/orders/{order}/payments"), body).fresh_key().await
    }

    /// Records a refund, with an idempotency key that no other request has.
    pub async fn refunds(&self, order: &str, body: Value) -> Answer {
        self.post(&format!("/v1/orders/{order}/refunds"), body).fresh_key().await
    }

    /// `place`, `confirm`, `fulfil` or `cancel`, without a body.
    pub async fn moves(&self, order: &str, action: &str) -> Answer {
        self.call(Method::POST, &format!("/v1/orders/{order}/{action}")).await
    }

    /// All entries of a list, collected by following `page.next`.
    pub async fn walk(&self, path: &str) -> Vec<Value> {
        let (mut all, mut next) = (vec![], path.to_owned());
        loop {
            let page = self.get(&next).await.ok();
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["page"]["has_more"] == false {
                return all;
            }
            let joint = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{joint}cursor={}", page["page"]["next"].as_str().unwrap());
        }
    }
}

/// A request under construction. Awaiting it sends it.
#[must_use = "it is sent when awaited"]
pub struct Call {
    service: Arc<Shared>,
    request: Request<Body>,
}

impl Call {
    /// The same request, sent to another service.
    pub(super) fn to(self, service: Arc<Shared>) -> Self {
        Self { service, ..self }
    }

    /// Adds this `Idempotency-Key`.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds an `Idempotency-Key` that no other request has.
    pub fn fresh_key(self) -> Self {
        let number = self.service.keys.fetch_add(1, Ordering::Relaxed);
        self.key(&format!("fresh-key-{number}"))
    }

    /// Adds `If-Match` with this version.
    pub fn if_match(self, version: u64) -> Self {
        self.header("if-match", &format!("\"{version}\""))
    }

    /// Adds this header. Adding the same name twice sends it twice.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// Removes this header.
    pub fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// Sets the media type and the body, which need not be valid.
    pub fn body(mut self, media_type: &str, bytes: impl Into<Body>) -> Self {
        self.request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap());
        *self.request.body_mut() = bytes.into();
        self
    }

    /// Sets the address that the request comes from.
    pub fn from(mut self, address: &str) -> Self {
        let address = SocketAddr::new(address.parse().unwrap(), 40_000);
        self.request.extensions_mut().insert(ConnectInfo(address));
        self
    }

    fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    async fn send(self) -> Answer {
        let (method, uri) = (self.request.method().clone(), self.request.uri().clone());
        let line = format!("{method} {uri}");
        let Ok(response) = self.service.router().oneshot(self.request).await;
        let (parts, body) = response.into_parts();
        let body = if is_endless(&parts.headers) {
            Bytes::new()
        } else {
            body.collect().await.unwrap_or_else(|e| panic!("{line}: {e}")).to_bytes()
        };
        let answer = Answer::new(line, parts.status, parts.headers, unpacked(body));
        document::check(&method, uri.path(), &answer);
        self.service.record(Outcome {
            operation: document::operation_id(&method, uri.path()),
            status: answer.code(),
            problem: answer.problem_code().map(str::to_owned),
        });
        answer
    }
}

/// The body without its compression, which only tests that ask for it get.
fn unpacked(body: Bytes) -> Bytes {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return body;
    }
    let mut plain = vec![];
    GzDecoder::new(&*body).read_to_end(&mut plain).expect("the body is gzip");
    plain.into()
}

/// Whether a response goes on until somebody ends it. Of such a response an [`Answer`] has the head alone.
fn is_endless(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/event-stream")
}

/// A stream of events that is being read.
pub struct EventStream {
    body: Body,
    read: String,
}

impl EventStream {
    /// The next block of lines, without the empty line that ends it; none if the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let frame =
                tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("a part of the stream in time")?;
            self.read.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    /// The next event: its number, its type and the event itself. Comments are passed over.
    pub async fn event(&mut self) -> (i64, String, Value) {
        loop {
            let block = self.next().await.expect("the stream goes on");
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {block}"))
            };
            let data = serde_json::from_str(field("data: ")).unwrap();
            return (field("id: ").parse().unwrap(), field("event: ").to_owned(), data);
        }
    }
}

impl Call {
    /// Sends it and reads the stream of events that it is answered with, whose first lines are those of every stream.
    pub async fn stream(self) -> EventStream {
        let uri = self.request.uri().clone();
        let Ok(response) = self.service.router().oneshot(self.request).await;
        assert_eq!(response.status(), 200, "{uri}");
        assert!(is_endless(response.headers()), "{uri}: {:?}", response.headers());
        let mut stream = EventStream { body: response.into_body(), read: String::new() };
        assert_eq!(stream.next().await.unwrap(), "retry: 1000");
        stream
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
