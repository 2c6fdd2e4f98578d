//! The single writer: a bounded queue, and one thread that owns the only writing connection. This file is the callers'
//! side: their jobs wait in the queue, start in time or not at all, and are answered after the commit.

mod checkpointer;
mod job;
mod publisher;
mod queue;
mod record;
mod replay;
mod statements;
mod synced;
mod syncer;
mod thread;
mod told;
mod tx;
mod wal;

use job::{CancelOnDrop, Claim, Task};
use publisher::Publisher;
use queue::Queue;
pub(super) use record::{Bound, Recorder, Values};
use synced::Synced;
use syncer::Syncer;
use thread::WriterThread;
pub(super) use told::Told;
pub use tx::WriteTx;
use tx::{Batch, Counters};
use wal::Wal;

use super::{
    connection::{Commits, READ_WRITE, prepare_writer},
    files::with_suffix,
    gauges::Gauges,
    journal::{Journal, Shared},
    mark::WatchedFile,
    options::Options,
    sql::store_error,
};
use crate::error::{Error, Result, problem};
use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::watch;

/// The most jobs that wait. More are refused at once.
const QUEUE_LENGTH: usize = 4_096;

pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: watch::Receiver<bool>,
    last_event: watch::Receiver<i64>,
    synced: Arc<Synced>,
    journal: Option<Arc<Shared>>,
    /// A job that has not started by then is refused.
    start_timeout: Duration,
    /// A job that has not finished by then is answered with an unknown outcome.
    finish_timeout: Duration,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        file: WatchedFile,
        options: &Options,
        gauges: Arc<Gauges>,
        told: Arc<Told>,
        journal: Option<(Journal, Arc<Shared>)>,
    ) -> Result<Self> {
        let counters = Counters::load(&connection).map_err(store_error)?;
        if options.clock.now() < counters.time {
            tracing::warn!(
                last.record = %counters.time,
                "the clock is behind the last record: time continues from {}", counters.time
            );
            options.clock.continue_from(counters.time);
        }
        let (queue, jobs) = Queue::new(Arc::clone(&gauges));
        let queue = Arc::new(queue);
        let (fail, failed) = watch::channel(false);
        let (newest_event, last_event) = watch::channel(counters.event);
        gauges.set_events(counters.event, counters.events_by_type);
        let batch = Batch::new(options, &counters, told, journal.as_ref().map(|_| Recorder::default()));
        let (journal, shared) = journal.unzip();
        let fail_too = fail.clone();
        let checkpoints = checkpointing(options).map_err(store_error)?;
        let wal = Wal::watch(&connection, checkpoints, file, Arc::clone(&gauges), move || {
            fail_too.send_replace(true);
        })?;
        let synced = Arc::<Synced>::default();
        let publisher = Publisher { gauges: Arc::clone(&gauges), newest_event };
        let syncer = match options.commits {
            // With a journal, the file need not be synced.
            Commits::Synced if journal.is_none() => {
                let (log, fail) = (with_suffix(&options.path, "-wal"), fail.clone());
                Syncer::start(&log, Arc::clone(&synced), publisher, Arc::downgrade(&queue), move || {
                    fail.send_replace(true);
                })?
            }
            Commits::Synced | Commits::Written => Syncer::without_threads(publisher),
        };
        let is_locked_out = false;
        let mut thread = WriterThread { jobs, connection, batch, wal, journal, gauges, syncer, is_locked_out };
        let run = move || {
            if thread.run().is_err() {
                fail.send_replace(true);
            }
        };
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(run).map_err(Error::internal)?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
            failed,
            last_event,
            synced,
            journal: shared,
            start_timeout: options.request_timeout / 2,
            finish_timeout: options.request_timeout,
        })
    }

    pub(super) async fn run<T, W>(&self, name: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        let claim = Arc::new(Claim::default());
        let (task, mut reply) = Task::new(name, Arc::clone(&claim), work);
        self.queue.push(Box::new(task))?;
        let _cancel = CancelOnDrop(&claim);
        if let Ok(answer) = tokio::time::timeout(self.start_timeout, &mut reply).await {
            return answer.unwrap_or_else(|_| Err(writer_stopped()));
        }
        if claim.cancel() {
            return Err(Error::new(&problem::OVERLOADED).detail("The change waited too long to be started."));
        }
        let rest = self.finish_timeout.saturating_sub(self.start_timeout);
        match tokio::time::timeout(rest, reply).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(writer_stopped())),
            Err(_) => Err(Error::new(&problem::OUTCOME_UNKNOWN)),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        *self.failed.borrow()
    }

    pub(super) async fn failed(&self) {
        let mut failed = self.failed.clone();
        // An error means that the writer was closed in an orderly way: then this never resolves.
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when every commit that readers see at this moment is on disk.
    pub(super) async fn until_synced(&self) -> Result<()> {
        self.synced.wait().await
    }

    pub(super) async fn event_after(&self, seq: i64) {
        let mut last_event = self.last_event.clone();
        // An error means that the writer was closed: then there are no further events.
        if last_event.wait_for(|last| *last > seq).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Has the writer ask for entries of others, unless it does so anyway.
    pub(super) fn wake(&self) {
        self.queue.wake();
    }

    pub(super) async fn close(&self) {
        if let Some(journal) = &self.journal {
            journal.closing.store(true, Relaxed);
        }
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the writer thread was logged when it happened.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// A connection for the thread that makes checkpoints.
fn checkpointing(options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(&options.path, READ_WRITE)?;
    prepare_writer(&connection, options.commits)?;
    Ok(connection)
}

/// The writer stopped after a storage failure before it answered this job.
fn writer_stopped() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).detail("Storage has failed; the service is stopping.")
}

#[cfg(test)]
mod tests;
