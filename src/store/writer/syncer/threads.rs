//! The threads that sync the write-ahead log, and release transactions in their order.

use crate::{
    error::{Error, Result, problem},
    store::writer::{
        publisher::{Batched, Publisher},
        queue::Queue,
        synced::Synced,
    },
};
use std::{
    collections::VecDeque,
    fs::File,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

/// The average time of a sync is that of about so many.
const AVERAGE_OF: u32 = 16;

/// What the writer and the threads share.
pub(super) struct Shared {
    pub(super) synced: Arc<Synced>,
    /// Locked while transactions are released, so that they are released in their order.
    pub(super) publisher: Mutex<Publisher>,
    pub(super) waiting: Mutex<Waiting>,
    /// For the threads: there is something to do.
    pub(super) handed_over: Condvar,
    /// For the writer: something has been synced.
    pub(super) has_synced: Condvar,
    /// Woken when something has been synced.
    pub(super) queue: Weak<Queue>,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// Transactions that are not released, in the order of their commits.
    pub(super) batches: VecDeque<Batched>,
    /// The newest commit that a sync was begun for.
    syncing: u64,
    /// How long a sync takes on average.
    pub(super) average: Duration,
    /// Whether the writer has ended.
    is_closed: bool,
    /// Why it is not known what is on disk.
    failure: Option<String>,
}

impl Waiting {
    pub(super) fn check(&self) -> Result<()> {
        self.failure.as_ref().map_or(Ok(()), |cause| Err(unknown(cause)))
    }

    /// Notes how long a sync took.
    pub(super) fn took(&mut self, taken: Duration) {
        self.average = (self.average * (AVERAGE_OF - 1) + taken) / AVERAGE_OF;
    }
}

impl Shared {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publisher(&self) -> MutexGuard<'_, Publisher> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is handed over.
    pub(super) fn close(&self) {
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
    pub(super) fn sync_all(&self, log: &File) -> Result<(), String> {
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

    /// Waits until something is to be synced or released, and returns its newest commit; none when the writer has
    /// ended, or storage has failed.
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
        for batch in batches {
            publisher.release(batch);
        }
    }

    /// Notes that it is not known what is on disk. Nothing that waits is answered as done.
    pub(super) fn fail(&self, cause: String) {
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
