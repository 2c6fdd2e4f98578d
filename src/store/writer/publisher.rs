//! What follows a transaction that is on disk: its effects, what it tells, and the answers to its jobs.

use super::{job::Job, tx::Effect};
use crate::{
    store::gauges::{EVENT_TYPES, Gauges},
    telemetry::logs::Millis,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// What follows a transaction.
pub(super) struct Batched {
    /// The last commit that its jobs made or saw.
    pub(super) commit: u64,
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) effects: Vec<Effect>,
    /// The number of the newest event, and how many there are of each type.
    pub(super) events: (i64, [u64; EVENT_TYPES]),
    /// When its commit was begun; none if it changed nothing.
    pub(super) begun_at: Option<Instant>,
}

/// What everybody may know of the commits that are on disk.
pub(super) struct Publisher {
    pub(super) gauges: Arc<Gauges>,
    /// The number of the newest event.
    pub(super) newest_event: watch::Sender<i64>,
}

impl Publisher {
    /// Runs the effects of a transaction that is on disk and answers its jobs.
    pub(super) fn release(&self, batch: Batched) {
        if let Some(begun_at) = batch.begun_at {
            let taken = begun_at.elapsed();
            self.gauges.commits.observe_duration(taken);
            if taken > SLOW_COMMIT {
                let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(commit.duration_ms = millis, "slow commit: {}", Millis(taken));
            }
        }
        batch.effects.into_iter().for_each(|effect| effect());
        let (event, by_type) = batch.events;
        self.gauges.set_events(event, by_type);
        self.newest_event.send_if_modified(|newest| std::mem::replace(newest, event) != event);
        batch.jobs.into_iter().for_each(Job::answer);
    }
}
