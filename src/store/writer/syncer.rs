//! Where commits are synced: the writer hands each batch over after its commit and goes on with the next one. A thread syncs
//! the write-ahead log and only then answers the batches whose commits are in it, in their order. So the next batch runs
//! while the last one is synced, and one sync may serve several.
//!
//! Readers see a commit before it is synced. [`Synced`] tells them when they may show it.

use super::{job::Job, tx::Effect};
use crate::{
    error::{Error, Result, problem},
    store::gauges::{EVENT_TYPES, Gauges},
    telemetry::logs::Millis,
};
use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The most batches that wait for a sync. The writer waits before it commits more.
const QUEUE_LENGTH: usize = 8;
/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// How far the commits are on disk. Commits are numbered from 1 since the start.
pub(in crate::store) struct Synced {
    /// The last commit that was begun: readers may see it.
    begun: AtomicU64,
    /// The last commit that is on disk; none once storage has failed.
    synced: watch::Sender<Option<u64>>,
}

impl Synced {
    pub(super) fn new() -> Self {
        Self { begun: AtomicU64::new(0), synced: watch::Sender::new(Some(0)) }
    }

    /// Begins a commit and returns its number. To be called before readers can see it.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of the last commit that was begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Resolves when every commit that readers see at this moment is on disk.
    ///
    /// # Errors
    /// `DRAINING` if that will never be, since storage has failed.
    pub(in crate::store) async fn wait(&self) -> Result<()> {
        let seen = self.begun();
        let is_synced = |synced: &Option<u64>| synced.is_none_or(|synced| synced >= seen);
        if self.synced.borrow().is_some_and(|synced| synced >= seen) {
            return Ok(());
        }
        let mut changes = self.synced.subscribe();
        match changes.wait_for(is_synced).await.as_deref() {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => {
                Err(Error::new(&problem::DRAINING).detail("Storage has failed; the service is stopping."))
            }
        }
    }
}

/// A batch whose transaction has ended, with what follows when it is on disk.
pub(super) struct Batched {
    /// The last commit that its jobs saw or made.
    pub(super) commit: u64,
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) effects: Vec<Effect>,
    /// The number of the newest event, and how many there are of each type.
    pub(super) event: i64,
    pub(super) events_by_type: [u64; EVENT_TYPES],
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
    /// Runs the effects of a batch and answers its jobs.
    fn release(&self, batch: Batched) {
        if let Some(begun_at) = batch.begun_at {
            let taken = begun_at.elapsed();
            self.gauges.commits.observe_duration(taken);
            if taken > SLOW_COMMIT {
                let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(commit.duration_ms = millis, "slow commit: {}", Millis(taken));
            }
        }
        batch.effects.into_iter().for_each(|effect| effect());
        self.gauges.set_events(batch.event, batch.events_by_type);
        self.newest_event.send_if_modified(|newest| std::mem::replace(newest, batch.event) != batch.event);
        batch.jobs.into_iter().for_each(Job::answer);
    }
}

/// The writer's side.
pub(super) struct Syncer {
    synced: Arc<Synced>,
    way: Way,
}

enum Way {
    /// Commits count as done when they are written.
    AtOnce(Publisher),
    /// A thread syncs them. Nothing is handed over after the end of the writer.
    Beside(Option<(SyncSender<Batched>, JoinHandle<Result<()>>)>),
}

impl Syncer {
    /// For commits that need not be synced.
    pub(super) fn at_once(synced: Arc<Synced>, publisher: Publisher) -> Self {
        Self { synced, way: Way::AtOnce(publisher) }
    }

    /// Starts the thread that syncs `log`. `fail` is called when that has failed.
    pub(super) fn start(
        log: File,
        synced: Arc<Synced>,
        publisher: Publisher,
        fail: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let (queue, batches) = sync_channel(QUEUE_LENGTH);
        let state = Arc::clone(&synced);
        let run = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| sync_all(&batches, &log, &state, &publisher)))
                .unwrap_or_else(|_| Err(Error::internal("a panic after a commit")));
            ended.inspect_err(|e| {
                tracing::error!(error.cause = %e, "storage failed; the writer stops");
                state.synced.send_replace(None);
                fail();
            })
        };
        let thread = std::thread::Builder::new().name("syncer".to_owned()).spawn(run).map_err(Error::internal)?;
        Ok(Self { synced, way: Way::Beside(Some((queue, thread))) })
    }

    /// Notes that a commit begins. Readers wait for it from now on.
    pub(super) fn begin_commit(&self) {
        if let Way::Beside(_) = self.way {
            self.synced.begin();
        }
    }

    /// The number of the last commit that was begun.
    pub(super) fn begun(&self) -> u64 {
        self.synced.begun()
    }

    /// Answers the jobs of `batch` once its commit is on disk.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn hand_over(&self, batch: Batched) -> Result<()> {
        match &self.way {
            Way::AtOnce(publisher) => publisher.release(batch),
            Way::Beside(Some((queue, _))) => queue.send(batch).map_err(|_| has_failed())?,
            Way::Beside(None) => return Err(has_failed()),
        }
        Ok(())
    }

    /// Waits until everything that was handed over is on disk, and ends the thread.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn finish(&mut self) -> Result<()> {
        match &mut self.way {
            Way::AtOnce(_) => Ok(()),
            Way::Beside(thread) => {
                let Some((queue, thread)) = thread.take() else { return Err(has_failed()) };
                drop(queue);
                thread.join().map_err(|_| has_failed())?.map_err(|_| has_failed())
            }
        }
    }

    /// Notes that the writer has failed: readers no longer wait for its last commit.
    pub(super) fn writer_failed(&self) {
        self.synced.synced.send_replace(None);
    }
}

fn has_failed() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).caused_by("the write-ahead log could not be synced")
}

/// Syncs what is handed over and answers it, until the writer ends.
fn sync_all(batches: &Receiver<Batched>, log: &File, synced: &Synced, publisher: &Publisher) -> Result<()> {
    let mut last = 0;
    while let Ok(first) = batches.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(batches.try_iter()).collect();
        let newest = waiting.iter().map(|batch| batch.commit).max().unwrap_or(last);
        if newest > last {
            if let Err(e) = log.sync_data() {
                synced.synced.send_replace(None);
                let cause = format!("the write-ahead log could not be synced: {e}");
                for job in waiting.into_iter().flat_map(|batch| batch.jobs) {
                    job.refuse(Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause.clone()));
                }
                return Err(Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause));
            }
            last = newest;
            synced.synced.send_replace(Some(last));
        }
        waiting.into_iter().for_each(|batch| publisher.release(batch));
    }
    Ok(())
}
