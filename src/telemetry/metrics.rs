//! Metrics: counts kept while requests are served. Counters are plain atomics, and label values are names that are
//! compiled into this program, so a client can neither slow counting down nor make the page grow. The store and the
//! password hasher keep counts of their own; [`page`] is the text format.

pub mod page;
pub mod table;

use super::{histogram::Histogram, traces::SpanCounts};
use crate::{
    domain::time::Timestamp,
    error::{ALL, Problem},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The label of a request that belongs to no operation.
pub const NO_OPERATION: &str = "none";
/// The label of a log-in that succeeded.
pub const SUCCEEDED: &str = "succeeded";
/// Outcomes of log-ins that are on the page from the start, with 0.
const EXPECTED_OUTCOMES: [&str; 4] = [SUCCEEDED, "invalid_credentials", "login_delayed", "rate_limited"];

/// The outcomes of attempts to deliver, which are on the page from the start.
const ATTEMPTS: [&str; 3] = ["delivered", "failed", "retried"];

/// The states of endpoints, likewise.
const ENDPOINTS: [&str; 4] = ["active", "disabled", "failing", "gone"];

/// The counts of everything but the store and the password hasher.
pub struct Metrics {
    /// When the process started.
    pub started_at: Timestamp,
    /// Requests by operation.
    pub requests: ByName<Requests>,
    /// Requests in progress.
    pub in_flight: AtomicI64,
    /// Requests whose client closed the connection before the response.
    pub abandoned: AtomicU64,
    /// Connections closed at once because their address had too many.
    pub refused_connections: AtomicU64,
    /// Refused and failed requests by the code of the problem.
    pub problems: ByName<AtomicU64>,
    /// Log-in attempts by outcome.
    pub log_ins: ByName<AtomicU64>,
    /// Exported spans; unset while traces are not recorded.
    pub spans: OnceLock<Arc<SpanCounts>>,
    /// Until when the TLS certificate is valid, in milliseconds since 1970 and 0 if unknown; unset without TLS.
    pub certificate_end: OnceLock<Arc<AtomicI64>>,
    /// Attempts to deliver to webhook endpoints by outcome.
    pub webhook_attempts: ByName<AtomicU64>,
    /// The state of the webhook endpoints.
    pub webhooks: WebhookGauges,
    /// Panics of the worker's tasks by task.
    pub worker_panics: Arc<ByName<AtomicU64>>,
}

/// The state of the webhook endpoints, as the worker has last seen it.
#[derive(Debug, Default)]
pub struct WebhookGauges {
    /// Endpoints by their status or, if the server has disabled them, by the reason.
    pub endpoints: ByName<AtomicI64>,
    /// Deliveries that are tried again.
    pub pending: AtomicI64,
    /// When the oldest of them began, in milliseconds since 1970; 0 if there is none.
    pub oldest_pending: AtomicI64,
    /// The number of the event up to which the slowest active endpoint has been sent all; -1 if there is none.
    pub slowest: AtomicI64,
}

/// The requests of one operation.
#[derive(Debug)]
pub struct Requests {
    /// Responses by status; the first element is status 100.
    statuses: Box<[AtomicU64]>,
    /// Time from the head of the request to that of the response.
    pub duration: Histogram,
}

const STATUSES: std::ops::Range<u16> = 100..600;

impl Default for Requests {
    fn default() -> Self {
        Self { statuses: STATUSES.map(|_| AtomicU64::new(0)).collect(), duration: Histogram::of_durations() }
    }
}

impl Requests {
    /// Counts a response. Its status is counted if it is from 100 to 599.
    pub fn answered(&self, status: u16, after: Duration) {
        if let Some(count) = self.statuses.get(usize::from(status.wrapping_sub(STATUSES.start))) {
            count.fetch_add(1, Relaxed);
        }
        self.duration.observe_duration(after);
    }

    /// Each status with its count, without those that are 0.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        STATUSES
            .zip(&self.statuses)
            .map(|(status, count)| (status, count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// A value for each name. Names are static, so no input becomes one.
#[derive(Debug, Default)]
pub struct ByName<T>(RwLock<BTreeMap<&'static str, T>>);

impl<T: Default> ByName<T> {
    /// Starts with these names; others are added when they are first used.
    fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self(RwLock::new(names.into_iter().map(|name| (name, T::default())).collect()))
    }

    /// Calls `work` with the value of `name`.
    pub fn with(&self, name: &'static str, work: impl Fn(&T)) {
        if let Some(value) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return work(value);
        }
        work(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
    }

    /// Calls `work` with each name and its value, in the order of the names.
    pub fn each(&self, mut work: impl FnMut(&'static str, &T)) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(name, value)| work(name, value));
    }
}

impl ByName<AtomicU64> {
    /// Adds 1 to the count of `name`.
    pub fn count(&self, name: &'static str) {
        self.with(name, |count| {
            count.fetch_add(1, Relaxed);
        });
    }
}

impl Metrics {
    /// All counts at 0.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            requests: ByName::default(),
            in_flight: AtomicI64::new(0),
            abandoned: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            problems: ByName::of(ALL.iter().map(|problem: &&Problem| problem.code)),
            log_ins: ByName::of(EXPECTED_OUTCOMES),
            spans: OnceLock::new(),
            certificate_end: OnceLock::new(),
            webhook_attempts: ByName::of(ATTEMPTS),
            webhooks: WebhookGauges { endpoints: ByName::of(ENDPOINTS), ..WebhookGauges::default() },
            worker_panics: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_separately_and_invalid_ones_are_not() {
        let requests = Requests::default();
        for status in [200, 404, 200, 0, 99, 600, 599, 100] {
            requests.answered(status, Duration::ZERO);
        }
        assert_eq!(requests.statuses().collect::<Vec<_>>(), [(100, 1), (200, 2), (404, 1), (599, 1)]);
        assert_eq!(requests.duration.read().count, 8);
    }
}
