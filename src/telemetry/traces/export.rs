//! Sending spans to the collector: OTLP over HTTP, a batch a second at most. A batch that cannot be sent is dropped: the
//! spans of the next second are worth more than those of the last.

use super::{Counts, Span, otlp};
use crate::config::HttpUrl;
use http_body_util::Full;
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

/// The time between two looks at what there is to send.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Steps in one request.
const BATCH: usize = 512;

/// Sends what was recorded.
pub struct Exporter {
    to: HttpUrl,
    finished: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
    failing: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Exporter {
    pub(super) fn new(to: HttpUrl, finished: mpsc::Receiver<Span>, counts: Arc<Counts>) -> Self {
        Self { to, finished, counts, failing: false }
    }

    /// What has become of the spans.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Sends until `stop` is dropped, and then what is left.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let stopping = tokio::select! {
                _ = &mut stop => true,
                () = sleep(PAUSE) => false,
            };
            while self.send_some().await {}
            if stopping {
                return;
            }
        }
    }

    /// Sends a batch, and says whether there may be more to send now.
    async fn send_some(&mut self) -> bool {
        let batch: Vec<_> = std::iter::from_fn(|| self.finished.try_recv().ok()).take(BATCH).collect();
        if batch.is_empty() {
            return false;
        }
        let outcome = timeout(PATIENCE, post(&self.to, otlp::body(&batch))).await;
        let outcome = outcome.unwrap_or_else(|late| Err(late.into()));
        let count = if outcome.is_ok() { &self.counts.sent } else { &self.counts.dropped };
        count.fetch_add(batch.len() as u64, Relaxed);
        let sent = outcome.is_ok();
        self.report(outcome);
        sent
    }

    /// Says once that it begins to fail, and once that it works again.
    fn report(&mut self, outcome: Result<(), Failure>) {
        match outcome {
            Err(e) if !self.failing => {
                tracing::warn!(collector.address = self.to.authority, error.cause = %e, "traces cannot be sent");
                self.failing = true;
            }
            Ok(()) if self.failing => {
                tracing::info!(collector.address = self.to.authority, "traces are sent again");
                self.failing = false;
            }
            _ => {}
        }
    }
}

async fn post(to: &HttpUrl, body: Vec<u8>) -> Result<(), Failure> {
    let stream = TcpStream::connect(&to.authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(&to.path)
        .header(HOST, &to.authority)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    // Ends with this set, whatever comes of the request.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let answer = sender.send_request(request).await?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("the collector answered {}", answer.status()).into())
    }
}
