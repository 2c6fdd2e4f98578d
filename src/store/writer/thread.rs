//! The writer thread: it runs the waiting jobs in one transaction and answers them after the commit. A job that fails
//! does not affect the others. A storage failure, after which it is unknown what is on disk, stops the writer.

use super::{
    job::{Job, JobError},
    tx::{Batch, WriteTx},
    wal::Wal,
};
use crate::{
    error::{Error, Problem, Result, problem},
    store::{connection::WRITE_LOCK_TIMEOUT, gauges::Gauges, sql::store_error},
    telemetry::logs::Millis,
};
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The most jobs in one transaction.
const BATCH_SIZE: usize = 256;
/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// Why a transaction was not committed.
enum BatchError {
    /// A job failed after it had written: the jobs have to run one by one.
    RunOneByOne,
    /// The transaction was rolled back for this reason.
    RolledBack(Error),
    /// It is unknown what is on disk.
    Unknown(Error),
}

pub(super) struct WriterThread {
    pub(super) connection: Connection,
    pub(super) batch: Batch,
    pub(super) wal: Wal,
    pub(super) gauges: Arc<Gauges>,
    /// Publishes the number of the newest event.
    pub(super) newest_event: watch::Sender<i64>,
    /// Whether another process held the write lock when a transaction was begun last.
    pub(super) is_locked_out: bool,
}

impl WriterThread {
    /// Runs jobs until the queue is closed. An error or panic outside of a job is final: the state on disk, or in
    /// memory, can no longer be trusted.
    pub(super) fn run(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.run_batches(jobs)))
            .unwrap_or_else(|_| Err(Error::internal("a panic outside of a transaction")));
        ended.inspect_err(|e| tracing::error!(error.cause = %e, "storage failed; the writer stops"))
    }

    fn run_batches(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        while let Some(first) = self.next(jobs)? {
            let waiting: Vec<_> = std::iter::once(first).chain(jobs.try_iter().take(BATCH_SIZE - 1)).collect();
            self.gauges.queued.fetch_sub(i64::try_from(waiting.len()).unwrap_or_default(), Relaxed);
            let batch: Vec<_> = waiting.into_iter().filter(|job| job.claim().start()).collect();
            self.write(batch)?;
            self.wal.after_batch(&self.connection, Instant::now())?;
            self.empty_log()?;
        }
        self.fold_rollups()?;
        self.wal.truncate(&self.connection)
    }

    /// Empties the write-ahead log if anybody waits for that.
    fn empty_log(&mut self) -> Result<()> {
        let waiters = self.batch.take_log_waiters();
        if waiters.is_empty() {
            return Ok(());
        }
        let emptied = self.wal.empty(&self.connection, Instant::now())?;
        for waiter in waiters {
            // A waiter that is gone does not need to know.
            let _ = waiter.send(emptied);
        }
        Ok(())
    }

    /// Folds the whole log of the rollups, so that reports on the closed file read the sums alone.
    fn fold_rollups(&self) -> Result<()> {
        let mut log = self.batch.counters().rollup_log;
        if log.is_folded() {
            return Ok(());
        }
        match self.execute("BEGIN IMMEDIATE") {
            // Another process holds the write lock. The changes stay in the log, where reports find them too.
            Err(e) if e.is(&problem::STORAGE_BUSY) => return Ok(()),
            begun => begun?,
        }
        match log.fold_all(&self.connection).and_then(|()| self.execute("COMMIT")) {
            // The changes stay in the log, where reports find them too.
            Err(e) if e.is(&problem::STORAGE_FULL) && self.connection.is_autocommit() => Ok(()),
            Err(e) if e.is(&problem::STORAGE_FULL) => self.execute("ROLLBACK"),
            folded => folded,
        }
    }

    /// The next job; none when the queue is closed. While no job comes, the write-ahead log is truncated when it is
    /// due.
    fn next(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<Option<Box<dyn Job>>> {
        loop {
            let Some(wait) = self.wal.idle_truncation_in(Instant::now()) else { return Ok(jobs.recv().ok()) };
            match jobs.recv_timeout(wait) {
                Ok(job) => return Ok(Some(job)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.wal.truncate_idle(&self.connection, Instant::now())?,
            }
        }
    }

    /// Commits `jobs` together, or one by one if that fails, and answers each. An error is final.
    fn write(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Result<()> {
        match self.transaction(&mut jobs) {
            Err(BatchError::RunOneByOne) if jobs.len() > 1 => return self.write_one_by_one(jobs),
            Ok(()) | Err(BatchError::RunOneByOne) => {}
            Err(BatchError::RolledBack(e)) => {
                refuse(jobs, e.problem(), &e);
                if e.is(&problem::STORAGE_BUSY) && !std::mem::replace(&mut self.is_locked_out, true) {
                    tracing::error!(
                        error.cause = %e,
                        "another process holds the write lock of the database; changes are refused until it ends its \
                         transaction"
                    );
                }
                return if e.is(&problem::STORAGE_FULL) { self.wal.disk_is_full(&self.connection, &e) } else { Ok(()) };
            }
            Err(BatchError::Unknown(e)) => {
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

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), BatchError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.begin(jobs)?;
        let counters_before = self.batch.counters();
        match self.run_all(jobs).and_then(|()| self.commit()) {
            Ok(()) => {
                self.batch.committed();
                self.gauges.batch_size.observe_size(jobs.len());
                let counters = self.batch.counters();
                self.gauges.set_events(counters.event, counters.events_by_type);
                self.newest_event.send_if_modified(|newest| std::mem::replace(newest, counters.event) != *newest);
                Ok(())
            }
            Err(error) => {
                self.batch.reset(&counters_before);
                self.gauges.rollbacks.fetch_add(1, Relaxed);
                // After some failures SQLite has rolled back by itself.
                if !self.connection.is_autocommit() && !matches!(error, BatchError::Unknown(_)) {
                    self.execute("ROLLBACK").map_err(BatchError::Unknown)?;
                }
                Err(error)
            }
        }
    }

    /// Begins a transaction, after waiting for the write lock if another process holds it: never longer than
    /// [`WRITE_LOCK_TIMEOUT`] after the first of `jobs` came, even if the lock has been held for longer than that.
    fn begin(&mut self, jobs: &[Box<dyn Job>]) -> Result<(), BatchError> {
        if self.is_locked_out {
            let waited = jobs.first().map_or(Duration::ZERO, |job| job.queued_at().elapsed());
            self.wait_for_locks(WRITE_LOCK_TIMEOUT.saturating_sub(waited)).map_err(rolled_back_or_unknown)?;
        }
        self.execute("BEGIN IMMEDIATE").map_err(rolled_back_or_unknown)?;
        if std::mem::take(&mut self.is_locked_out) {
            tracing::info!("the write lock of the database is free again");
            self.wait_for_locks(WRITE_LOCK_TIMEOUT).map_err(rolled_back_or_unknown)?;
        }
        Ok(())
    }

    fn wait_for_locks(&self, limit: Duration) -> Result<()> {
        self.connection.busy_timeout(limit).map_err(store_error)
    }

    fn run_all(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), BatchError> {
        let size = jobs.len();
        for job in jobs {
            let (savepoint, changes) = (self.batch.savepoint(), self.connection.total_changes());
            let tx = WriteTx::new(&self.connection, &self.batch);
            match job.run(&tx) {
                Ok(()) => {}
                Err(JobError::Storage(e)) => return Err(rolled_back_or_unknown(e)),
                Err(JobError::Own) => {
                    // Checks come before writes, so a job that fails has usually written nothing and the others go on.
                    // After some failures SQLite has rolled back the whole transaction by itself.
                    let untouched = self.connection.total_changes() == changes && !self.connection.is_autocommit();
                    if !untouched {
                        if size > 1 {
                            tracing::warn!(
                                write.name = job.name(),
                                batch.size = size,
                                "a change failed after it had written: {}; the batch of {size} runs one by one",
                                job.name(),
                            );
                        }
                        return Err(BatchError::RunOneByOne);
                    }
                    self.batch.roll_back_to(savepoint);
                }
            }
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), BatchError> {
        self.batch.log_changes(&self.connection).map_err(rolled_back_or_unknown)?;
        let started = Instant::now();
        self.execute("COMMIT").map_err(|e| {
            if e.is(&problem::STORAGE_FULL) { BatchError::RolledBack(e) } else { BatchError::Unknown(e) }
        })?;
        let taken = started.elapsed();
        self.gauges.commits.observe_duration(taken);
        if taken > SLOW_COMMIT {
            let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(commit.duration_ms = millis, "slow commit: {}", Millis(taken));
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(store_error)
    }
}

/// Before the commit, a rollback undoes every failure but one of storage.
fn rolled_back_or_unknown(e: Error) -> BatchError {
    if e.is(&problem::OUTCOME_UNKNOWN) { BatchError::Unknown(e) } else { BatchError::RolledBack(e) }
}

fn refuse(jobs: Vec<Box<dyn Job>>, problem: &'static Problem, cause: &Error) {
    for job in jobs {
        job.refuse(Error::new(problem).caused_by(cause.to_string()));
    }
}
