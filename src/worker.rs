//! Work that no request waits for: a file per task. Each task runs on its own, so that a slow or failing one delays no
//! other. A task decides when something is done; what is done is a use case of `service`.

mod api_key_use;
mod audit_notes;
mod backups;
mod pruning;
mod signing_keys;
mod supervisor;
mod ticks;
mod trace_export;

pub use supervisor::Supervisor;

use crate::{app::App, error::Result, telemetry::traces::FinishedSpans};
use std::sync::Arc;
use supervisor::Stop;

/// Starts every task. Finished spans are there if traces are recorded.
pub fn start(app: &App, spans: Option<FinishedSpans>) -> Supervisor {
    let mut supervisor = Supervisor::new(Arc::clone(&app.metrics.worker_panics));
    supervisor.start(audit_notes::NAME, on(app, audit_notes::run));
    supervisor.start(api_key_use::NAME, on(app, api_key_use::run));
    supervisor.start(signing_keys::NAME, on(app, signing_keys::run));
    supervisor.start(pruning::ACCESS_FACTS, on(app, pruning::prune_access_facts));
    supervisor.start(pruning::SESSIONS, on(app, pruning::prune_sessions));
    supervisor.start(pruning::IDEMPOTENCY_KEYS, on(app, pruning::prune_idempotency_keys));
    supervisor.start(backups::NAME, on(app, backups::run));
    if let (Some(spans), Some(endpoint)) = (spans, &app.config.traces.otlp_endpoint) {
        // Traces are exported once in a process, so nothing has set the counts before.
        let _ = app.metrics.spans.set(spans.counts());
        let export = trace_export::Export::shared(endpoint.clone(), spans);
        supervisor.start(trace_export::NAME, move |stop| trace_export::run(Arc::clone(&export), stop));
    }
    supervisor
}

/// A task that works on the application.
fn on<F, R: Fn(App, Stop) -> F>(app: &App, run: R) -> impl Fn(Stop) -> F + use<F, R> {
    let app = app.clone();
    move |stop| run(app.clone(), stop)
}

/// Logs a failure; the task tries again at its next tick.
fn report(task: &'static str, outcome: Result<()>) {
    if let Err(e) = outcome {
        tracing::warn!(worker.task = task, error.cause = %e, "{task} failed and is tried again later: {e}");
    }
}
