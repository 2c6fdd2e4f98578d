//! What follows a commit: what it tells is told, and its jobs are answered, once it is on disk.
//!
//! Usually SQLite syncs the write-ahead log within the commit. Where that takes long, the writer has a thread of its own
//! sync the log after the commit, and runs the jobs of the next transaction meanwhile. That transaction is committed when
//! the sync has ended, so there is never more than one commit that is not on disk, and a job that ran afterwards is answered
//! after it. Readers see that commit before it is on disk: [`Synced`] tells them when they may show it.

use super::{
    job::Job,
    queue::Queue,
    synced::Synced,
    tx::{Counters, Effect},
};
use crate::{
    error::{Error, Result, problem},
    store::{
        gauges::{EVENT_TYPES, Gauges},
        sql::store_error,
    },
    telemetry::logs::Millis,
};
use rusqlite::Connection;
use std::{
    cell::Cell,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Where commits take longer than this on average, they are synced beside the writer.
const SLOW_SYNC: Duration = Duration::from_micros(1_500);
/// Where syncs beside the writer take less than this on average, they are within the commit again.
const FAST_SYNC: Duration = Duration::from_micros(500);
/// The average is that of about so many.
const AVERAGE_OF: u32 = 16;
/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// What follows a transaction.
struct Batched {
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
    /// Runs the effects of a transaction that is on disk and answers its jobs.
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
    /// Locked while a transaction is released, so that they are released in their order.
    publisher: Arc<Mutex<Publisher>>,
    /// When the commit of the current transaction was begun, if it changes anything.
    begun_at: Cell<Option<Instant>>,
    /// The thread that may sync; none if commits count as done without a sync.
    thread: Option<SyncThread>,
}

/// The thread that syncs, as the writer sees it.
struct SyncThread {
    synced: Arc<Synced>,
    handle: JoinHandle<()>,
    batches: SyncSender<Batched>,
    /// How long each sync took; nothing if none was needed.
    results: Receiver<Result<Option<Duration>>>,
    is_running: Cell<bool>,
    /// Whether commits are synced by this thread.
    is_used: Cell<bool>,
    /// How long a sync takes on average.
    average: Cell<Duration>,
}

impl Syncer {
    /// For commits that count as done when SQLite has made them.
    pub(super) fn without_thread(publisher: Publisher) -> Self {
        Self { publisher: Arc::new(Mutex::new(publisher)), begun_at: Cell::default(), thread: None }
    }

    /// For commits that have to be synced: the log is at `log`. `fail` is called when that has failed, and `queue` is woken
    /// after each sync.
    pub(super) fn start(
        log: &Path,
        synced: Arc<Synced>,
        publisher: Publisher,
        queue: Weak<Queue>,
        fail: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let mut syncer = Self::without_thread(publisher);
        let log = File::open(log).map_err(Error::internal)?;
        let (batches, handed_over) = sync_channel(1);
        let (results, ended) = sync_channel(2);
        let (publisher, told) = (Arc::clone(&syncer.publisher), Arc::clone(&synced));
        let run = move || {
            for batch in handed_over {
                let report = |result| {
                    let _ = results.send(result);
                    if let Some(queue) = queue.upgrade() {
                        queue.wake();
                    }
                };
                let released = catch_unwind(AssertUnwindSafe(|| release_synced(&log, &told, &publisher, batch, &report)))
                    .unwrap_or_else(|_| Err(Error::internal("a panic after a commit")));
                if let Err(e) = released {
                    told.fail();
                    fail();
                    report(Err(e));
                    return;
                }
            }
        };
        let handle = std::thread::Builder::new().name("syncer".to_owned()).spawn(run).map_err(Error::internal)?;
        let (is_running, is_used, average) = (Cell::default(), Cell::default(), Cell::default());
        syncer.thread = Some(SyncThread { synced, handle, batches, results: ended, is_running, is_used, average });
        Ok(syncer)
    }

    /// Decides who syncs the next commit. To be called outside of a transaction.
    pub(super) fn choose(&self, connection: &Connection) -> Result<()> {
        let Some(thread) = &self.thread else { return Ok(()) };
        match (thread.is_used.get(), thread.average.get()) {
            (false, average) if average > SLOW_SYNC => thread.switch(connection, "NORMAL", true),
            (true, average) if average < FAST_SYNC && !self.is_running()? => thread.switch(connection, "FULL", false),
            _ => Ok(()),
        }
    }

    /// Notes that the commit of the current transaction begins. Where it is not synced at once, readers wait for it.
    pub(super) fn begin_commit(&self) {
        self.begun_at.set(Some(Instant::now()));
        if let Some(thread) = self.thread.as_ref().filter(|thread| thread.is_used.get()) {
            thread.synced.begin();
        }
    }

    /// Notes that the current transaction was rolled back.
    pub(super) fn rolled_back(&self) {
        self.begun_at.set(None);
        // All earlier commits were on disk before this one was begun.
        if let Some(thread) = self.thread.as_ref().filter(|thread| !thread.is_running.get()) {
            thread.synced.advance();
        }
    }

    /// Answers `jobs`, after `effects`, once the transaction in which they ran is on disk.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn hand_over(&self, jobs: Vec<Box<dyn Job>>, effects: Vec<Effect>, after: &Counters) -> Result<()> {
        let begun_at = self.begun_at.take();
        let batch = Batched { jobs, effects, events: (after.event, after.events_by_type), begun_at };
        match &self.thread {
            Some(thread) if thread.is_used.get() => {
                self.wait()?;
                thread.is_running.set(true);
                thread.batches.send(batch).map_err(|_| has_ended())
            }
            thread => {
                if let (Some(thread), Some(begun_at)) = (thread, begun_at) {
                    thread.took(begun_at.elapsed());
                }
                self.publisher.lock().unwrap_or_else(PoisonError::into_inner).release(batch);
                Ok(())
            }
        }
    }

    /// Whether the last commit is being synced.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn is_running(&self) -> Result<bool> {
        let Some(thread) = self.thread.as_ref().filter(|thread| thread.is_running.get()) else { return Ok(false) };
        match thread.results.try_recv() {
            Ok(result) => thread.ended(result).map(|()| false),
            Err(TryRecvError::Empty) => Ok(true),
            Err(TryRecvError::Disconnected) => Err(has_ended()),
        }
    }

    /// Waits until the last commit is on disk.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn wait(&self) -> Result<()> {
        match self.thread.as_ref().filter(|thread| thread.is_running.get()) {
            Some(thread) => thread.ended(thread.results.recv().map_err(|_| has_ended())?),
            None => Ok(()),
        }
    }

    /// Waits until everything is on disk and answered. Later commits are synced by SQLite.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn finish(&mut self, connection: &Connection) -> Result<()> {
        self.wait()?;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.switch(connection, "FULL", false)?;
        drop(thread.batches);
        // A panic in it was caught.
        let _ = thread.handle.join();
        Ok(())
    }

    /// Notes that the writer has failed: a commit that is not on disk now may never be, as far as readers know.
    pub(super) fn fail(&self) {
        if let Some(thread) = &self.thread {
            thread.synced.fail();
        }
    }
}

impl SyncThread {
    fn switch(&self, connection: &Connection, synchronous: &str, is_used: bool) -> Result<()> {
        self.is_used.set(is_used);
        connection.pragma_update(None, "synchronous", synchronous).map_err(store_error)
    }

    fn ended(&self, result: Result<Option<Duration>>) -> Result<()> {
        self.is_running.set(false);
        if let Some(taken) = result? {
            self.took(taken);
        }
        Ok(())
    }

    /// Notes how long a sync took.
    fn took(&self, taken: Duration) {
        self.average.set((self.average.get() * (AVERAGE_OF - 1) + taken) / AVERAGE_OF);
    }
}

/// Syncs `log` if the transaction has changed anything, reports that, and releases the transaction.
fn release_synced(
    log: &File,
    synced: &Synced,
    publisher: &Mutex<Publisher>,
    batch: Batched,
    report: &impl Fn(Result<Option<Duration>>),
) -> Result<()> {
    let mut taken = None;
    if batch.begun_at.is_some() {
        let begun = Instant::now();
        if let Err(e) = log.sync_data() {
            let cause = format!("the write-ahead log could not be synced: {e}");
            for job in batch.jobs {
                job.refuse(Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause.clone()));
            }
            return Err(Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause));
        }
        taken = Some(begun.elapsed());
        synced.advance();
    }
    // The writer goes on before the jobs are answered, but answers nothing itself before that.
    let publisher = publisher.lock().unwrap_or_else(PoisonError::into_inner);
    report(Ok(taken));
    publisher.release(batch);
    Ok(())
}

fn has_ended() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).caused_by("the thread that syncs the write-ahead log has ended")
}
