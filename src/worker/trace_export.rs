//! Sends finished spans to the collector: OTLP over HTTP or HTTPS, in batches, once a second. A batch that cannot be
//! sent is dropped and not tried again, since newer spans matter more than old ones.

use super::{supervisor::Stop, ticks::Ticks};
use crate::{
    app::App,
    domain::url::Url,
    outbound::{Addresses, Client, Limits},
    telemetry::traces::{Batch, FinishedSpans},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

pub(super) const NAME: &str = "traces.export";
const PERIOD: Duration = Duration::from_secs(1);
const LIMITS: Limits = Limits { time: Duration::from_secs(5), body_bytes: 64 * 1024 };

/// The export of spans to one collector.
pub(super) struct Export {
    endpoint: Url,
    client: Client,
    spans: FinishedSpans,
    is_failing: bool,
}

impl Export {
    /// The operator has configured the endpoint, so it may have any address. A lock keeps the queue for the next run if
    /// a run panics.
    pub(super) fn shared(app: &App, endpoint: Url, spans: FinishedSpans) -> Arc<Mutex<Self>> {
        let client = app.outbound_client(Addresses::Any);
        Arc::new(Mutex::new(Self { endpoint, client, spans, is_failing: false }))
    }

    /// Sends what is queued, until the queue is empty or a batch fails.
    async fn send_all(&mut self) {
        while let Some(batch) = self.spans.next_batch() {
            let outcome = self.post(&batch).await;
            let has_failed = outcome.is_err();
            if !has_failed {
                batch.sent();
            }
            self.report(outcome);
            if has_failed {
                return;
            }
        }
    }

    async fn post(&self, batch: &Batch) -> Result<(), String> {
        let headers = [("content-type", "application/json")];
        let response = self.client.post(&self.endpoint, &headers, batch.to_otlp(), LIMITS).await;
        match response.map_err(|e| e.to_string())? {
            response if response.is_success() => Ok(()),
            response => Err(format!("the collector answered {}", response.status)),
        }
    }

    /// Logs the first of several failures in a row, and the first success after them.
    fn report(&mut self, outcome: Result<(), String>) {
        let collector = self.endpoint.authority();
        match outcome {
            Err(e) if !self.is_failing => {
                tracing::warn!(
                    collector.address = collector,
                    error.cause = e,
                    "traces cannot be sent to {collector}: {e}"
                );
                self.is_failing = true;
            }
            Ok(()) if self.is_failing => {
                tracing::info!(collector.address = collector, "traces are sent to {collector} again");
                self.is_failing = false;
            }
            _ => {}
        }
    }
}

pub(super) async fn run(export: Arc<Mutex<Export>>, stop: Stop) {
    let mut export = export.lock().await;
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        export.send_all().await;
    }
    // The database is closed by now, so these are the last spans.
    export.send_all().await;
}
