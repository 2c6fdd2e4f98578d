//! The single writer: a thread that owns the one writing connection, runs what waits in one transaction, and answers
//! after the commit. A failing piece of work never takes another one with it.

mod job;
mod log;
mod tx;

use job::{Job, Task, Ticket};
use log::Log;
pub use tx::WriteTx;
use tx::{Batch, Counters};

use super::{connection::Options, gauges::Gauges, sql::failed};
use crate::error::{Error, Result, problem};
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Pieces of work that may wait; more are refused at once.
const QUEUE_LENGTH: usize = 4_096;
/// Pieces of work in one transaction at most.
const BATCH_SIZE: usize = 256;

pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: watch::Receiver<bool>,
    last_event: watch::Receiver<i64>,
    gauges: Arc<Gauges>,
    time_to_begin: Duration,
    time_to_finish: Duration,
}

impl Writer {
    pub(super) fn start(connection: Connection, options: &Options, gauges: Arc<Gauges>) -> Result<Self> {
        let counters = Counters::load(&connection).map_err(failed)?;
        if options.clock.now() < counters.time {
            tracing::warn!(last.record = %counters.time, "the clock is behind the last record; time goes on from that");
            options.clock.go_on_from(counters.time);
        }
        let (queue, jobs) = sync_channel(QUEUE_LENGTH);
        let (fail, failed) = watch::channel(false);
        let (newest, last_event) = watch::channel(counters.event);
        let batch = Batch::new(options.clock.clone(), Arc::clone(&options.ids), counters);
        let log = Log::watch(&connection, Arc::clone(&gauges));
        let mut loop_ = Loop { connection, batch, log, gauges: Arc::clone(&gauges), newest };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                if loop_.run(&jobs).is_err() {
                    fail.send_replace(true);
                }
            })
            .map_err(Error::internal)?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failed,
            last_event,
            gauges,
            time_to_begin: options.request_timeout / 2,
            time_to_finish: options.request_timeout,
        })
    }

    pub(super) async fn run<T, W>(&self, name: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        let ticket = Arc::new(Ticket::default());
        let (task, mut reply) = Task::new(name, Arc::clone(&ticket), work);
        self.enqueue(Box::new(task))?;
        let _give_up_when_dropped = job::GiveUp(&ticket);
        if let Ok(answer) = tokio::time::timeout(self.time_to_begin, &mut reply).await {
            return answer.unwrap_or_else(|_| Err(stopped()));
        }
        if ticket.give_up() {
            return Err(Error::new(&problem::OVERLOADED).detail("The change waited too long to be begun."));
        }
        let answer = tokio::time::timeout(self.time_to_finish.saturating_sub(self.time_to_begin), reply).await;
        match answer {
            Ok(answer) => answer.unwrap_or_else(|_| Err(stopped())),
            Err(_) => Err(Error::new(&problem::OUTCOME_UNKNOWN)),
        }
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<()> {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(Error::new(&problem::DRAINING)) };
        self.gauges.queued.fetch_add(1, Relaxed);
        queue.try_send(job).map_err(|refused| {
            self.gauges.queued.fetch_sub(1, Relaxed);
            match refused {
                TrySendError::Full(_) => Error::new(&problem::OVERLOADED).detail("The queue of changes is full."),
                TrySendError::Disconnected(_) => stopped(),
            }
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        *self.failed.borrow()
    }

    pub(super) async fn failed(&self) {
        let mut failed = self.failed.clone();
        // An error means that the writer was closed in good order: then this never resolves.
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn event_after(&self, seq: i64) {
        let mut last_event = self.last_event.clone();
        // An error means that the writer was closed: then nothing more will come.
        if last_event.wait_for(|last| *last > seq).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the writer's thread has been logged where it happened.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// The writer has stopped, after a failure of storage, with this work in its hands.
fn stopped() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).detail("Storage has failed; the service is stopping.")
}

/// Why a transaction came to nothing.
enum Broken {
    /// One piece of work failed after it had written: each has to run alone.
    ByOne,
    /// Nothing was kept, for this reason, and all was undone.
    Undone(Error),
    /// It is not known what is on disk.
    Unknown(Error),
}

struct Loop {
    connection: Connection,
    batch: Batch,
    log: Log,
    gauges: Arc<Gauges>,
    newest: watch::Sender<i64>,
}

impl Loop {
    /// Works until the queue is closed. An error or a panic of its own is final: the writer cannot vouch any more for
    /// what is on disk, or for what memory says about it.
    fn run(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work(jobs)))
            .unwrap_or_else(|_| Err(Error::internal("a panic outside of a transaction")));
        ended.inspect_err(|e| tracing::error!(error.cause = %e, "storage failed; the writer stops"))
    }

    fn work(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        while let Some(first) = self.next(jobs)? {
            let waiting: Vec<_> = std::iter::once(first).chain(jobs.try_iter().take(BATCH_SIZE - 1)).collect();
            self.gauges.queued.fetch_sub(waiting.len(), Relaxed);
            let batch: Vec<_> = waiting.into_iter().filter(|job| job.ticket().begin()).collect();
            self.write(batch)?;
            self.log.after_batch(&self.connection, Instant::now())?;
        }
        self.log.empty(&self.connection)
    }

    /// The next piece of work; nothing when the queue is closed. While none comes, the log is looked after.
    fn next(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<Option<Box<dyn Job>>> {
        loop {
            let Some(wait) = self.log.rests_in(Instant::now()) else { return Ok(jobs.recv().ok()) };
            match jobs.recv_timeout(wait) {
                Ok(job) => return Ok(Some(job)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.log.rest(&self.connection, Instant::now())?,
            }
        }
    }

    /// Commits `jobs` together or, if that cannot be, one by one; answers each. An error is final.
    fn write(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Result<()> {
        match self.transaction(&mut jobs) {
            Err(Broken::ByOne) if jobs.len() > 1 => return self.write_one_by_one(jobs),
            Ok(()) | Err(Broken::ByOne) => {}
            Err(Broken::Undone(e)) => {
                refuse(jobs, e.problem(), &e);
                return if e.is(&problem::STORAGE_FULL) { self.log.no_room(&self.connection, &e) } else { Ok(()) };
            }
            Err(Broken::Unknown(e)) => {
                refuse(jobs, &problem::OUTCOME_UNKNOWN, &e);
                return Err(e);
            }
        }
        jobs.into_iter().for_each(Job::answer);
        Ok(())
    }

    fn write_one_by_one(&mut self, jobs: Vec<Box<dyn Job>>) -> Result<()> {
        jobs.into_iter().try_for_each(|job| self.write(vec![job]))
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Broken> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE").map_err(undone_or_unknown)?;
        let kept = self.batch.counters();
        match self.run_all(jobs).and_then(|()| self.commit()) {
            Ok(()) => {
                self.gauges.batch_sizes.add(jobs.len() as u64);
                self.batch.committed();
                self.newest
                    .send_if_modified(|newest| std::mem::replace(newest, self.batch.counters().event) != *newest);
                Ok(())
            }
            Err(broken) => {
                self.batch.undo(kept);
                // After some failures SQLite has rolled back by itself; then there is nothing left to do.
                if !self.connection.is_autocommit() && !matches!(broken, Broken::Unknown(_)) {
                    self.execute("ROLLBACK").map_err(Broken::Unknown)?;
                }
                Err(broken)
            }
        }
    }

    fn run_all(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Broken> {
        for job in jobs {
            let (mark, changes) = (self.batch.mark(), self.connection.total_changes());
            let tx = WriteTx::new(&self.connection, &self.batch);
            match job.run(&tx) {
                Ok(()) => {}
                Err(job::Failed::Storage(e)) => return Err(undone_or_unknown(e)),
                Err(job::Failed::Itself) => {
                    // Checks come before writes, so what fails has mostly written nothing and needs no undoing. After
                    // some failures SQLite rolls the whole transaction back by itself.
                    let untouched = self.connection.total_changes() == changes && !self.connection.is_autocommit();
                    if !untouched {
                        return Err(Broken::ByOne);
                    }
                    self.batch.rewind(mark);
                }
            }
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), Broken> {
        self.batch.flush(&self.connection).map_err(undone_or_unknown)?;
        let begun = Instant::now();
        self.execute("COMMIT")
            .map_err(|e| if e.is(&problem::STORAGE_FULL) { Broken::Undone(e) } else { Broken::Unknown(e) })?;
        self.gauges.commits.add_micros(begun.elapsed());
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed)
    }
}

/// Before the commit, rolling back undoes whatever failed, unless storage itself did.
fn undone_or_unknown(e: Error) -> Broken {
    if e.is(&problem::OUTCOME_UNKNOWN) { Broken::Unknown(e) } else { Broken::Undone(e) }
}

fn refuse(jobs: Vec<Box<dyn Job>>, problem: &'static crate::error::Problem, cause: &Error) {
    for job in jobs {
        job.refuse(Error::new(problem).caused_by(cause.to_string()));
    }
}

#[cfg(test)]
mod tests;
