//! Metrics: what is counted while requests are served. Counters are plain atomics, and label values are names that this
//! program was built with, so a client can neither slow counting down nor make it grow. The store and the hasher count
//! for themselves; [`page`] is how all of it is written down.

pub mod page;
pub mod table;

use super::{histogram::Histogram, traces};
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

/// The operation of a request that reached none.
pub const NO_OPERATION: &str = "none";
/// The outcome of a log-in that succeeded.
pub const SUCCEEDED: &str = "succeeded";
/// The outcomes of log-ins that are on the page even before there is one.
const EXPECTED_OUTCOMES: [&str; 4] = [SUCCEEDED, "invalid_credentials", "login_delayed", "rate_limited"];

/// Everything that is counted at the edge of the service.
pub struct Metrics {
    /// When the process started.
    pub started_at: Timestamp,
    /// Requests, by operation.
    pub requests: ByName<Requests>,
    /// Requests that are being worked on.
    pub in_flight: AtomicI64,
    /// Requests whose client went away.
    pub abandoned: AtomicU64,
    /// Connections that were closed at once, since their address had too many.
    pub refused_connections: AtomicU64,
    /// Requests that met a problem, by its code.
    pub problems: ByName<AtomicU64>,
    /// Attempts to log in, by their outcome.
    pub log_ins: ByName<AtomicU64>,
    /// What became of the steps of traces, where they are recorded.
    pub spans: OnceLock<Arc<traces::Counts>>,
}

/// The requests of one operation.
#[derive(Debug)]
pub struct Requests {
    /// How many were answered with each status, by the status less 100.
    statuses: Box<[AtomicU64]>,
    /// How long they took.
    pub duration: Histogram,
}

/// Statuses from 100 to 599.
const STATUSES: std::ops::Range<u16> = 100..600;

impl Default for Requests {
    fn default() -> Self {
        Self { statuses: STATUSES.map(|_| AtomicU64::new(0)).collect(), duration: Histogram::of_durations() }
    }
}

impl Requests {
    /// Counts a request that was answered.
    pub fn answered(&self, status: u16, after: Duration) {
        if let Some(count) = self.statuses.get(usize::from(status.wrapping_sub(STATUSES.start))) {
            count.fetch_add(1, Relaxed);
        }
        self.duration.observe_duration(after);
    }

    /// Each status that there was, and how often.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        STATUSES
            .zip(&self.statuses)
            .map(|(status, count)| (status, count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// One of `T` for each name. That names are static is what keeps input out of them.
#[derive(Debug, Default)]
pub struct ByName<T>(RwLock<BTreeMap<&'static str, T>>);

impl<T: Default> ByName<T> {
    /// One for each of these, and for whatever else will be asked for.
    fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self(RwLock::new(names.into_iter().map(|name| (name, T::default())).collect()))
    }

    /// Does `work` with the one of this name.
    pub fn with(&self, name: &'static str, work: impl Fn(&T)) {
        if let Some(one) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return work(one);
        }
        work(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
    }

    /// Does `work` with each, in the order of their names.
    pub fn each(&self, mut work: impl FnMut(&'static str, &T)) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(name, one)| work(name, one));
    }
}

impl ByName<AtomicU64> {
    /// Counts one of this name.
    pub fn count(&self, name: &'static str) {
        self.with(name, |count| {
            count.fetch_add(1, Relaxed);
        });
    }
}

impl Metrics {
    /// Nothing counted yet.
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_apart_and_nonsense_is_not_counted() {
        let requests = Requests::default();
        for status in [200, 404, 200, 0, 99, 600, 599, 100] {
            requests.answered(status, Duration::ZERO);
        }
        assert_eq!(requests.statuses().collect::<Vec<_>>(), [(100, 1), (200, 2), (404, 1), (599, 1)]);
        assert_eq!(requests.duration.read().count, 8);
    }
}
