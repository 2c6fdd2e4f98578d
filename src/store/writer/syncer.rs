//! Where commits are synced: the writer hands each batch over after its commit and goes on with the next one. Threads sync
//! the write-ahead log and only then answer the batches whose commits are in it, in their order. So the next batch runs
//! while the last one is synced, and one sync may serve several.
//!
//! Readers see a commit before it is synced. [`Synced`] tells them when they may show it.

use super::{
    job::Job,
    synced::Synced,
    tx::{Counters, Effect},
};
use crate::{
    error::{Error, Result, problem},
    store::gauges::{EVENT_TYPES, Gauges},
    telemetry::logs::Millis,
};
use std::{
    collections::VecDeque,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How many syncs go on at once: a batch that ends while another one is synced need not wait for that.
const SYNCS: usize = 2;
/// The most batches that wait for a sync. The writer waits before it commits more.
const MAX_WAITING: usize = 8;
/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// A batch whose transaction has ended, with what follows when it is on disk.
struct Batched {
    /// The last commit that its jobs made or saw.
    commit: u64,
    jobs: Vec<Box<dyn Job>>,
    effects: Vec<Effect>,
    /// The number of the newest event, and how many there are of each type.
    events: (i64, [u64; EVENT_TYPES]),
    /// When its commit was begun; none if it changed nothing.
    begun_at: Option<Instant>,
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
        let (event, by_type) = batch.events;
        self.gauges.set_events(event, by_type);
        self.newest_event.send_if_modified(|newest| std::mem::replace(newest, event) != event);
        batch.jobs.into_iter().for_each(Job::answer);
    }
}

/// The writer's side.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    /// The threads that sync; none if commits count as done when they are written.
    threads: Vec<JoinHandle<()>>,
    /// When the commit of the current batch was begun, if it changes anything.
    begun_at: Option<Instant>,
}

struct Shared {
    synced: Arc<Synced>,
    publisher: Publisher,
    queue: Mutex<Queue>,
    /// For the threads: there is something to do.
    handed_over: Condvar,
    /// For the writer: there is room in the queue.
    released: Condvar,
    /// Held while batches are answered, so that they are in their order.
    releasing: Mutex<()>,
}

#[derive(Default)]
struct Queue {
    /// Batches that are not answered, in the order of their commits.
    waiting: VecDeque<Batched>,
    /// The newest commit that a sync was begun for.
    syncing: u64,
    /// Whether the writer has ended.
    is_closed: bool,
    /// Why it is not known what is on disk.
    failure: Option<String>,
}

impl Syncer {
    /// For commits that count as done when they are written.
    pub(super) fn at_once(synced: Arc<Synced>, publisher: Publisher) -> Self {
        let shared = Shared {
            synced,
            publisher,
            queue: Mutex::default(),
            handed_over: Condvar::new(),
            released: Condvar::new(),
            releasing: Mutex::default(),
        };
        Self { shared: Arc::new(shared), threads: vec![], begun_at: None }
    }

    /// Starts the threads that sync the file `log`. `fail` is called when that has failed.
    pub(super) fn start(
        log: &Path,
        synced: Arc<Synced>,
        publisher: Publisher,
        fail: &(impl Fn() + Clone + Send + 'static),
    ) -> Result<Self> {
        let mut syncer = Self::at_once(synced, publisher);
        for _ in 0..SYNCS {
            // Each has the file open for itself: the system reports an error once to each.
            let log = File::open(log).map_err(Error::internal)?;
            let (shared, fail) = (Arc::clone(&syncer.shared), fail.clone());
            let run = move || {
                let ended = catch_unwind(AssertUnwindSafe(|| shared.sync_all(&log)))
                    .unwrap_or_else(|_| Err("a panic after a commit".to_owned()));
                if let Err(cause) = ended {
                    shared.fail(cause);
                    fail();
                }
            };
            let thread = std::thread::Builder::new().name("syncer".to_owned()).spawn(run).map_err(Error::internal)?;
            syncer.threads.push(thread);
        }
        Ok(syncer)
    }

    /// Notes that the commit of a batch begins. Readers wait for it from now on.
    pub(super) fn begin_commit(&mut self) {
        self.begun_at = Some(Instant::now());
        if !self.threads.is_empty() {
            self.shared.synced.begin();
        }
    }

    /// Answers `jobs`, after their effects, once the last commit is on disk: they have made or seen it.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn hand_over(&mut self, jobs: Vec<Box<dyn Job>>, effects: Vec<Effect>, after: &Counters) -> Result<()> {
        let commit = self.shared.synced.begun();
        let events = (after.event, after.events_by_type);
        let batch = Batched { commit, jobs, effects, events, begun_at: self.begun_at.take() };
        if self.threads.is_empty() {
            self.shared.publisher.release(batch);
            return Ok(());
        }
        let mut queue = self.shared.queue();
        while queue.waiting.len() >= MAX_WAITING && queue.failure.is_none() {
            queue = self.shared.released.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.check()?;
        queue.waiting.push_back(batch);
        self.shared.handed_over.notify_one();
        Ok(())
    }

    /// Waits until everything that was handed over is on disk and answered, and ends the threads.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.shared.close();
        for thread in self.threads.drain(..) {
            // A panic in it was caught.
            let _ = thread.join();
        }
        self.shared.queue().check()
    }

    /// Notes that the writer has failed: what it has handed over is answered, but readers no longer wait for its last commit.
    pub(super) fn writer_failed(&self) {
        self.shared.synced.fail();
        self.shared.close();
    }
}

impl Queue {
    fn check(&self) -> Result<()> {
        self.failure.as_ref().map_or(Ok(()), |cause| Err(unknown(cause)))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is handed over.
    fn close(&self) {
        self.queue().is_closed = true;
        self.handed_over.notify_all();
    }

    /// Syncs `log` for what is handed over and answers it, until the writer ends.
    fn sync_all(&self, log: &File) -> Result<(), String> {
        while let Some(newest) = self.next() {
            if newest > self.synced.synced() {
                log.sync_data().map_err(|e| format!("the write-ahead log could not be synced: {e}"))?;
            }
            self.release(newest);
        }
        Ok(())
    }

    /// Waits until something is to be synced or answered, and returns its newest commit; none when the writer has ended,
    /// or storage has failed.
    fn next(&self) -> Option<u64> {
        let mut queue = self.queue();
        loop {
            if queue.failure.is_some() {
                return None;
            }
            let is_synced = queue.waiting.front().is_some_and(|oldest| oldest.commit <= self.synced.synced());
            match queue.waiting.back().map(|newest| newest.commit) {
                Some(_) if is_synced => return Some(self.synced.synced()),
                Some(newest) if newest > queue.syncing => {
                    queue.syncing = newest;
                    return Some(newest);
                }
                _ if queue.is_closed => return None,
                _ => queue = self.handed_over.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Answers the batches up to commit `newest`, which is on disk.
    fn release(&self, newest: u64) {
        let _in_order = self.releasing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = self.queue();
        if queue.failure.is_some() {
            return;
        }
        self.synced.advance(newest);
        let count = queue.waiting.partition_point(|batch| batch.commit <= newest);
        let batches: Vec<_> = queue.waiting.drain(..count).collect();
        drop(queue);
        self.released.notify_one();
        batches.into_iter().for_each(|batch| self.publisher.release(batch));
    }

    /// Notes that it is not known what is on disk. Nothing that waits is answered as done.
    fn fail(&self, cause: String) {
        let mut queue = self.queue();
        for job in queue.waiting.drain(..).flat_map(|batch| batch.jobs) {
            job.refuse(unknown(&cause));
        }
        queue.failure.get_or_insert(cause);
        drop(queue);
        self.synced.fail();
        self.released.notify_all();
        self.handed_over.notify_all();
    }
}

fn unknown(cause: &str) -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;
    use rusqlite::Connection;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    fn counters() -> Counters {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        Counters::load(&connection).unwrap()
    }

    /// Hands over `count` batches, each with an effect. Returns the effects that were done, in their order, how it ended, and
    /// whether a failure was reported.
    fn hand_over(log: &Path, count: u32) -> (Vec<u32>, Result<()>, bool) {
        let (done, has_failed) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let publisher = Publisher { gauges: Arc::new(Gauges::new(1)), newest_event: watch::Sender::new(0) };
        let failing = Arc::clone(&has_failed);
        let fail = move || failing.store(true, SeqCst);
        let mut syncer = Syncer::start(log, Arc::default(), publisher, &fail).unwrap();
        let after = counters();
        let mut ended = Ok(());
        for number in 0..count {
            // Every third batch has changed nothing.
            if number % 3 != 0 {
                syncer.begin_commit();
            }
            let done = Arc::clone(&done);
            let effect: Effect = Box::new(move || done.lock().unwrap().push(number));
            ended = ended.and(syncer.hand_over(vec![], vec![effect], &after));
        }
        ended = ended.and(syncer.finish());
        let done = done.lock().unwrap().clone();
        (done, ended, has_failed.load(SeqCst))
    }

    #[test]
    fn batches_follow_each_other_whichever_sync_ends_first() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "a log").unwrap();
        let (done, ended, has_failed) = hand_over(&log, 1_000);
        assert!(ended.is_ok() && !has_failed);
        assert_eq!(done, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_that_was_not_synced_is_done() {
        // The system refuses to sync it.
        let (done, ended, has_failed) = hand_over(Path::new("/dev/null"), 20);
        assert_eq!(done, [0], "the first batch has changed nothing, and had nothing to wait for");
        assert!(ended.unwrap_err().is(&problem::OUTCOME_UNKNOWN) && has_failed);
    }
}
