//! Work that no request waits for: a file per task. Each task runs on its own, so that a slow or failing one delays no
//! other. A task decides when something is done; what is done is a use case of `service`.

mod audit_refusals;
mod backups;
mod erasure;
mod journal;
mod last_use;
mod pruning;
mod signing_keys;
mod supervisor;
mod ticks;
mod trace_export;
mod webhooks;

pub use supervisor::Supervisor;

use crate::{app::App, error::Result, telemetry::traces::FinishedSpans};
use std::sync::Arc;
use supervisor::Stop;

/// Starts every task but the export of traces. They use the database, so stop them before it is closed.
pub fn start(app: &App) -> Supervisor {
    let mut supervisor = Supervisor::new(Arc::clone(&app.metrics.worker_panics));
    supervisor.start(audit_refusals::NAME, on(app, audit_refusals::run));
    supervisor.start(last_use::API_KEYS, on(app, last_use::keep_of_api_keys));
    supervisor.start(last_use::SESSIONS, on(app, last_use::keep_of_sessions));
    supervisor.start(signing_keys::NAME, on(app, signing_keys::run));
    supervisor.start(pruning::ACCESS_FACTS, on(app, pruning::prune_access_facts));
    supervisor.start(pruning::SESSIONS, on(app, pruning::prune_sessions));
    supervisor.start(pruning::SIGN_INS, on(app, pruning::prune_sign_ins));
    supervisor.start(pruning::IDEMPOTENCY_KEYS, on(app, pruning::prune_idempotency_keys));
    supervisor.start(pruning::DELIVERIES, on(app, pruning::prune_deliveries));
    supervisor.start(erasure::NAME, on(app, erasure::run));
    supervisor.start(erasure::UNFINISHED, on(app, erasure::finish));
    supervisor.start(webhooks::NAME, on(app, webhooks::run));
    supervisor.start(backups::NAME, on(app, backups::run));
    if app.config.db.url.is_some() {
        supervisor.start(journal::NAME, on(app, journal::run));
    }
    supervisor
}

/// Starts the export of traces. Stop it after the database is closed: the span of a write, and with it that of its
/// request, may end a moment after the response.
pub fn start_trace_export(app: &App, spans: Option<FinishedSpans>) -> Supervisor {
    let mut supervisor = Supervisor::new(Arc::clone(&app.metrics.worker_panics));
    if let (Some(spans), Some(endpoint)) = (spans, &app.config.traces.otlp_endpoint) {
        // Traces are exported once in a process, so nothing has set the counts before.
        let _ = app.metrics.spans.set(spans.counts());
        let export = trace_export::Export::shared(app, endpoint.clone(), spans);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::Surroundings,
        config::{Flag, Sources, load},
    };
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn every_task_is_counted_from_the_start_and_ends_soon_after_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db").display().to_string();
        let sources = Sources { file: None, environment: vec![], flags: vec![Flag::new("--db", "db.path", &path)] };
        let app = App::open(load(sources).unwrap().config, Surroundings::system().unwrap()).unwrap();
        let worker = start(&app);
        let mut names = vec![];
        app.metrics.worker_panics.each(|name, _| names.push(name));
        let expected = [
            "access.prune",
            "api_keys.keep_last_use",
            "audit.write_refusals",
            "backups.make",
            "idempotency.prune",
            "oidc.prune",
            "orders.erase",
            "sessions.keep_last_use",
            "sessions.prune",
            "signing_keys.reload",
            "users.erase",
            "webhooks.deliver",
            "webhooks.prune",
        ];
        assert_eq!(names, expected);
        let begun = Instant::now();
        worker.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        app.store.close().await;
    }
}
