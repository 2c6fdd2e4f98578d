//! Records each request when it ends: one log line, its metrics and its span in a trace. A request whose client
//! disconnects before the response is recorded as abandoned.

use super::context::{Context, Trace};
use crate::{
    app::App,
    domain::trace::TARGET,
    error::Error,
    telemetry::{logs::Millis, metrics::NO_OPERATION},
};
use axum::{http::Method, response::Response};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tracing::{Span, field};

/// A request that takes longer than this plus the extra time of its operation is logged as slow.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// A request in progress.
pub(super) struct Observation {
    app: App,
    context: Arc<Context>,
    method: Method,
    pub(super) path: String,
    begun: Instant,
    /// Adds the identifiers of the request to each of its log lines.
    pub(super) log_span: Span,
    /// The span that is exported; disabled if the caller does not sample its trace.
    pub(super) trace_span: Span,
    is_finished: bool,
}

impl Observation {
    pub(super) fn begin(app: &App, context: &Arc<Context>, method: &Method, path: &str) -> Self {
        app.metrics.in_flight.fetch_add(1, Relaxed);
        let Trace { id, parent } = context.trace;
        // The level is `error`, because a span applies only to log lines of its own level or a more severe one.
        let log_span = tracing::error_span!("request", request.id = &*context.request_id, trace.id = %id);
        let trace_span = if parent.is_none_or(|parent| parent.sampled) {
            tracing::trace_span!(
                target: TARGET,
                "request",
                trace.id = %id,
                trace.parent_id = parent.map(|parent| field::display(parent.span)),
                request.id = &*context.request_id,
                http.request.method = %method,
                http.response.status_code = field::Empty,
                operation = field::Empty,
                error.code = field::Empty,
            )
        } else {
            Span::none()
        };
        let (app, context, method, path) = (app.clone(), Arc::clone(context), method.clone(), path.to_owned());
        Self { app, context, method, path, begun: Instant::now(), log_span, trace_span, is_finished: false }
    }

    /// Records the response.
    pub(super) fn finish(mut self, response: &Response) {
        self.is_finished = true;
        let (taken, status) = (self.begun.elapsed(), response.status().as_u16());
        let error = response.extensions().get::<Arc<Error>>();
        let code = error.map(|error| error.problem().code);
        let operation = self.context.operation.get();
        let id = operation.map_or(NO_OPERATION, |operation| operation.id);
        self.app.metrics.requests.with(id, |requests| requests.answered(status, taken));
        self.trace_span.record("operation", id).record("http.response.status_code", status).record("error.code", code);
        let _in_span = self.log_span.enter();
        self.log(Some(status), code, taken);
        let slow_after = operation.map_or(SLOW_AFTER, |operation| SLOW_AFTER.saturating_add(operation.extra_time));
        if taken > slow_after {
            tracing::warn!(operation = id, duration_us = micros(taken), "slow request {id}: {}", Millis(taken));
        }
        if let Some(error) = error {
            self.app.metrics.problems.count(error.problem().code);
            log_cause(error, response);
        }
    }

    fn log(&self, status: Option<u16>, code: Option<&str>, taken: Duration) {
        let is_probe = self.context.operation.get().is_some_and(|operation| operation.is_probe);
        // The level of an entry has to be a constant.
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
            http.method = %self.method,
            http.path = self.path,
            http.status = status,
            operation = self.context.operation.get().map(|operation| operation.id),
            actor = self.context.actor.get().map(|actor| field::display(actor.principal)),
            error.code = code,
            client.address = self.context.address.map(field::display),
            duration_us = micros(taken),
            "{} {} {}",
            self.method,
            self.path,
            status.map_or_else(
                || format!("was abandoned by its client after {}", Millis(taken)),
                |status| format!("→ {status} in {}", Millis(taken))
            )
        )
            };
        }
        if is_probe && status == Some(200) { log!(debug) } else { log!(info) }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.app.metrics.in_flight.fetch_sub(1, Relaxed);
        if !self.is_finished {
            self.app.metrics.abandoned.fetch_add(1, Relaxed);
            let _in_span = self.log_span.enter();
            self.log(None, None, self.begun.elapsed());
        }
    }
}

/// Logs the internal cause of an error. This is the only place that does.
fn log_cause(error: &Error, response: &Response) {
    let Some(cause) = error.cause() else { return };
    let code = error.problem().code;
    if response.status().is_server_error() {
        tracing::error!(error.code = code, error.cause = chain(cause), "request failed: {code}");
    } else {
        tracing::debug!(error.code = code, error.cause = chain(cause), "request refused: {code}");
    }
}

/// An error and its causes, as one line.
fn chain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors already contain the text of their cause.
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    words
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::around::Surrounded;
    use crate::{
        app::{App, Surroundings},
        config::{Flag, Sources, load},
    };
    use axum::{
        Router,
        body::Body,
        http::{Request, Response},
        routing::get,
    };
    use std::sync::atomic::Ordering::Relaxed;
    use tower::ServiceExt;

    /// An application with its own database file, and a router that answers `GET /` with `handler`.
    fn serving<F>(handler: fn() -> F) -> (tempfile::TempDir, App, Router)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db").display().to_string();
        let sources = Sources { file: None, environment: vec![], flags: vec![Flag::new("--db", "db.path", &path)] };
        let app = App::open(load(sources).unwrap().config, Surroundings::system().unwrap()).unwrap();
        let surrounded = Surrounded { app: app.clone(), router: Router::new().route("/", get(handler)) };
        (folder, app, Router::new().fallback_service(surrounded))
    }

    async fn get_root(router: Router) -> Response<Body> {
        router.oneshot(Request::new(Body::empty())).await.unwrap()
    }

    fn problem_count(app: &App, code: &str) -> u64 {
        let mut found = 0;
        app.metrics.problems.each(|name, count| found += if name == code { count.load(Relaxed) } else { 0 });
        found
    }

    async fn panics() {
        panic!("on purpose");
    }

    #[tokio::test]
    async fn a_panic_in_a_handler_is_answered_and_counted() {
        let (_folder, app, router) = serving(panics);
        assert_eq!(get_root(router.clone()).await.status(), 500);
        assert_eq!(get_root(router).await.status(), 500);
        assert_eq!((problem_count(&app, "internal"), app.metrics.in_flight.load(Relaxed)), (2, 0));
    }

    #[tokio::test]
    async fn an_abandoned_request_is_counted_and_no_longer_in_flight() {
        let (_folder, app, router) = serving(std::future::pending);
        let request = tokio::spawn(get_root(router));
        while app.metrics.in_flight.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert_eq!((app.metrics.abandoned.load(Relaxed), app.metrics.in_flight.load(Relaxed)), (1, 0));
    }
}
