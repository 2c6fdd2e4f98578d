//! What follows a commit: what it tells is told, and its jobs are answered, once it is on disk.
//!
//! Usually SQLite syncs the write-ahead log within the commit. Where that takes long, threads sync the log after the
//! commit, and the writer runs the next transaction meanwhile. That one is open for jobs until it is worth a sync of
//! its own. Readers see a commit before it is on disk: [`Synced`] tells them when they may show it.

mod threads;

use super::{
    job::Job,
    publisher::{Batched, Publisher},
    queue::Queue,
    synced::Synced,
    tx::{Counters, Effect},
};
use crate::{
    error::{Error, Result},
    store::sql::store_error,
};
use rusqlite::Connection;
use std::{
    cell::Cell,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use threads::Shared;

/// How many syncs go on at once: the jobs that one has finished come back while the other is running.
const SYNCS: u64 = 2;
/// Where commits take longer than this on average, they are synced beside the writer.
const SLOW_SYNC: Duration = Duration::from_micros(1_500);
/// Where syncs beside the writer take less than this on average, they are within the commit again.
const FAST_SYNC: Duration = Duration::from_micros(500);

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

    /// For commits that have to be synced: the log is at `log`. `fail` is called when that has failed, and `queue` is
    /// woken after each sync.
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
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn choose(&self, connection: &Connection) -> Result<()> {
        if self.threads.is_empty() {
            return Ok(());
        }
        let waiting = self.shared.waiting();
        waiting.check()?;
        let (average, is_idle) = (waiting.average, waiting.batches.is_empty());
        drop(waiting);
        match self.is_used.get() {
            false if average > SLOW_SYNC => self.switch(connection, "NORMAL", true),
            true if average < FAST_SYNC && is_idle => self.switch(connection, "FULL", false),
            _ => Ok(()),
        }
    }

    /// Whether commits are synced beside the writer.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.get()
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

    /// Whether a transaction with so many jobs is to wait for further ones before its commit, since others are being
    /// synced. Once it has as many as those, few are left that could come before these are answered.
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
        Ok(self.shared.synced.begun() >= synced + SYNCS || before > jobs)
    }

    /// Waits until there is a thread for the next commit.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn wait_for_thread(&self) -> Result<()> {
        self.wait(SYNCS - 1)
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
        while waiting.check().is_ok() && synced.begun() > synced.synced() + unsynced {
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
        if self.threads.is_empty() {
            return Ok(());
        }
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

#[cfg(test)]
mod tests;
