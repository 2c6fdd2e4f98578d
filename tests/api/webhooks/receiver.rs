//! A receiver of webhooks: a small HTTP server on this machine that answers as it is told and keeps what it was sent.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// How long a message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was received.
#[derive(Clone, Debug)]
pub struct Message {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers)).to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How to answer one request.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    RetryAfter(u16, &'static str),
    Redirect(String),
    Body(u16, usize),
    /// Never.
    Hang,
}

#[derive(Default)]
struct Inner {
    answers: Mutex<VecDeque<Answer>>,
    received: Mutex<Vec<Message>>,
}

pub struct Receiver {
    inner: Arc<Inner>,
    pub url: String,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inner = Arc::new(Inner::default());
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inner, url, server }
    }

    /// Answers the next requests like this, and those after them with 200.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.answers.lock().unwrap().extend(answers);
    }

    pub fn received(&self) -> Vec<Message> {
        self.inner.received.lock().unwrap().clone()
    }

    /// The first `count` messages, once they have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Message> {
        eventually(|| {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    inner.received.lock().unwrap().push(Message { headers, body: body.to_vec() });
    let answer = inner.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(200));
    let status = |code| StatusCode::from_u16(code).unwrap();
    match answer {
        Answer::Status(code) => status(code).into_response(),
        Answer::RetryAfter(code, wait) => (status(code), [(header::RETRY_AFTER, wait)]).into_response(),
        Answer::Redirect(to) => (status(302), [(header::LOCATION, to)]).into_response(),
        Answer::Body(code, bytes) => (status(code), "x".repeat(bytes)).into_response(),
        Answer::Hang => std::future::pending().await,
    }
}

/// What `look` finds, once it finds something.
pub async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it happens in time")
}
