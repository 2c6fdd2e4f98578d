//! What follows a commit: what it tells is told, and its jobs are answered, once it is on disk.
//!
//! Usually SQLite syncs the write-ahead log within the commit. Where that takes long, threads sync the log after the commit,
//! and the writer runs the next transaction meanwhile. That one is open for jobs until it is worth a sync of its own.
//! Readers see a commit before it is on disk: [`Synced`] tells them when they may show it.

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
    collections::VecDeque,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How many syncs go on at once.
const SYNCS: usize = 2;
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
    shared: Arc<Shared>,
    /// The threads that may sync; none if commits count as done without a sync.
    threads: Vec<JoinHandle<()>>,
    /// Whether commits are synced by these threads.
    is_used: Cell<bool>,
    /// When the commit of the current transaction was begun, if it changes anything.
    begun_at: Cell<Option<Instant>>,
}

struct Shared {
    synced: Arc<Synced>,
    /// Locked while transactions are released, so that they are released in their order.
    publisher: Mutex<Publisher>,
    waiting: Mutex<Waiting>,
    /// For the threads: there is something to do.
    handed_over: Condvar,
    /// For the writer: something has been synced.
    has_synced: Condvar,
    /// Woken when something has been synced.
    queue: Weak<Queue>,
}

#[derive(Default)]
struct Waiting {
    /// Transactions that are not released, in the order of their commits.
    batches: VecDeque<Batched>,
    /// The newest commit that a sync was begun for.
    syncing: u64,
    /// How long a sync takes on average.
    average: Duration,
    /// Whether the writer has ended.
    is_closed: bool,
    /// Why it is not known what is on disk.
    failure: Option<String>,
}

impl Syncer {
    /// For commits that count as done when SQLite has made them.
    pub(super) fn without_threads(publisher: Publisher) -> Self {
        Self::new(publisher, Arc::default(), Weak::new())
    }

    fn new(publisher: Publisher, synced: Arc<Synced>, queue: Weak<Queue>) -> Self {
        let shared = Shared {
            synced,
            publisher: Mutex::new(publisher),
            waiting: Mutex::default(),
            handed_over: Condvar::new(),
            has_synced: Condvar::new(),
            queue,
        };
        Self { shared: Arc::new(shared), threads: vec![], is_used: Cell::default(), begun_at: Cell::default() }
    }

    /// For commits that have to be synced: the log is at `log`. `fail` is called when that has failed, and `queue` is woken
    /// after each sync.
    pub(super) fn start(
        log: &Path,
        synced: Arc<Synced>,
        publisher: Publisher,
        queue: Weak<Queue>,
        fail: impl Fn() + Clone + Send + 'static,
    ) -> Result<Self> {
        let mut syncer = Self::new(publisher, synced, queue);
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

    /// Decides who syncs the next commit. To be called outside of a transaction.
    pub(super) fn choose(&self, connection: &Connection) -> Result<()> {
        if self.threads.is_empty() {
            return Ok(());
        }
        let waiting = self.shared.waiting();
        let average = match std::env::var("SYNC_MODE").as_deref() { Ok("always") => Duration::from_secs(1), Ok("never") => Duration::ZERO, _ => waiting.average };
        let may_change = !self.is_used.get() || waiting.batches.is_empty();
        drop(waiting);
        match self.is_used.get() {
            false if average > SLOW_SYNC => self.switch(connection, "NORMAL", true),
            true if average < FAST_SYNC && may_change => self.switch(connection, "FULL", false),
            _ => Ok(()),
        }
    }

    fn switch(&self, connection: &Connection, synchronous: &str, is_used: bool) -> Result<()> {
        self.is_used.set(is_used);
        connection.pragma_update(None, "synchronous", synchronous).map_err(store_error)
    }

    /// Notes that the commit of the current transaction begins. Where SQLite does not sync it, readers wait for it.
    pub(super) fn begin_commit(&self) {
        self.begun_at.set(Some(Instant::now()));
        if self.is_used.get() {
            self.shared.synced.begin();
        }
    }

    /// Answers `jobs`, after `effects`, once the transaction in which they ran is on disk.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn hand_over(&self, jobs: Vec<Box<dyn Job>>, effects: Vec<Effect>, after: &Counters) -> Result<()> {
        let (commit, begun_at) = (self.shared.synced.begun(), self.begun_at.take());
        let batch = Batched { commit, jobs, effects, events: (after.event, after.events_by_type), begun_at };
        if self.is_used.get() {
            let mut waiting = self.shared.waiting();
            waiting.check()?;
            waiting.batches.push_back(batch);
            self.shared.handed_over.notify_one();
            return Ok(());
        }
        if let Some(begun_at) = begun_at {
            self.shared.waiting().took(begun_at.elapsed());
        }
        self.shared.publisher().release(batch);
        Ok(())
    }

    /// Whether a transaction with so many jobs waits for further ones before it is committed, since commits are being synced.
    /// Those whose jobs are all here need not wait: with as many as are being synced, nobody else is likely to come before
    /// these are answered.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn waits(&self, jobs: usize) -> Result<bool> {
        if !self.is_used.get() {
            return Ok(false);
        }
        let waiting = self.shared.waiting();
        waiting.check()?;
        let synced = self.shared.synced.synced();
        let unsynced = waiting.batches.iter().filter(|batch| batch.commit > synced);
        let before: usize = unsynced.map(|batch| batch.jobs.len()).sum();
        Ok(self.shared.synced.begun() >= synced + SYNCS as u64 || before > jobs)
    }

    /// Waits until there is a thread for the next commit.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn wait_for_thread(&self) -> Result<()> {
        self.wait(SYNCS as u64 - 1)
    }

    /// Waits until every commit is on disk.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn settle(&self) -> Result<()> {
        self.wait(0)
    }

    /// Waits until at most so many commits are not on disk.
    fn wait(&self, unsynced: u64) -> Result<()> {
        let (mut waiting, synced) = (self.shared.waiting(), &self.shared.synced);
        while waiting.failure.is_none() && synced.begun() > synced.synced() + unsynced {
            waiting = self.shared.has_synced.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.check()
    }

    /// Notes that the current transaction was rolled back.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn rolled_back(&self) -> Result<()> {
        if self.begun_at.take().is_some() && self.is_used.get() {
            // Readers may wait for its commit. It is undone: what they have seen is on disk when the others are.
            self.wait(1)?;
            self.shared.synced.advance(self.shared.synced.begun());
        }
        Ok(())
    }

    /// Waits until everything is on disk and answered. Later commits are synced by SQLite.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn finish(&mut self, connection: &Connection) -> Result<()> {
        self.settle()?;
        self.shared.close();
        for thread in self.threads.drain(..) {
            // A panic in it was caught.
            let _ = thread.join();
        }
        self.switch(connection, "FULL", false)
    }

    /// Notes that the writer has failed: a commit that is not on disk now may never be, as far as readers know.
    pub(super) fn fail(&self) {
        self.shared.synced.fail();
        self.shared.close();
    }
}

impl Waiting {
    fn check(&self) -> Result<()> {
        self.failure.as_ref().map_or(Ok(()), |cause| Err(unknown(cause)))
    }

    /// Notes how long a sync took.
    fn took(&mut self, taken: Duration) {
        self.average = (self.average * (AVERAGE_OF - 1) + taken) / AVERAGE_OF;
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publisher(&self) -> MutexGuard<'_, Publisher> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is handed over.
    fn close(&self) {
        self.waiting().is_closed = true;
        self.handed_over.notify_all();
    }

    fn wake_writer(&self) {
        self.has_synced.notify_all();
        if let Some(queue) = self.queue.upgrade() {
            queue.wake();
        }
    }

    /// Syncs `log` for what is handed over and releases it, until the writer ends.
    fn sync_all(&self, log: &File) -> Result<(), String> {
        while let Some(newest) = self.next() {
            if newest > self.synced.synced() {
                let begun = Instant::now();
                log.sync_data().map_err(|e| format!("the write-ahead log could not be synced: {e}"))?;
                let mut waiting = self.waiting();
                if waiting.failure.is_some() {
                    return Ok(());
                }
                waiting.took(begun.elapsed());
                self.synced.advance(newest);
                drop(waiting);
                self.wake_writer();
            }
            self.release();
        }
        Ok(())
    }

    /// Waits until something is to be synced or released, and returns its newest commit; none when the writer has ended, or
    /// storage has failed.
    fn next(&self) -> Option<u64> {
        let mut waiting = self.waiting();
        loop {
            if waiting.failure.is_some() {
                return None;
            }
            let synced = self.synced.synced();
            let is_synced = waiting.batches.front().is_some_and(|oldest| oldest.commit <= synced);
            match waiting.batches.back().map(|newest| newest.commit) {
                Some(_) if is_synced => return Some(synced),
                Some(newest) if newest > waiting.syncing => {
                    waiting.syncing = newest;
                    return Some(newest);
                }
                _ if waiting.is_closed => return None,
                _ => waiting = self.handed_over.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Releases the transactions that are on disk.
    fn release(&self) {
        let publisher = self.publisher();
        let mut waiting = self.waiting();
        let synced = self.synced.synced();
        let count = waiting.batches.partition_point(|batch| batch.commit <= synced);
        let batches: Vec<_> = waiting.batches.drain(..count).collect();
        drop(waiting);
        batches.into_iter().for_each(|batch| publisher.release(batch));
    }

    /// Notes that it is not known what is on disk. Nothing that waits is answered as done.
    fn fail(&self, cause: String) {
        let mut waiting = self.waiting();
        for job in waiting.batches.drain(..).flat_map(|batch| batch.jobs) {
            job.refuse(unknown(&cause));
        }
        waiting.failure.get_or_insert(cause);
        drop(waiting);
        self.synced.fail();
        self.handed_over.notify_all();
        self.wake_writer();
    }
}

fn unknown(cause: &str) -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause)
}

#[cfg(test)]
mod tests;
