//! The writer thread: it runs the waiting jobs in one transaction and answers them after the commit. A job that fails
//! does not affect the others. A storage failure, after which it is unknown what is on disk, stops the writer.

use super::{
    job::{Job, JobError},
    statements::BatchStatements,
    syncer::Syncer,
    tx::{Batch, WriteTx},
    wal::Wal,
};
use crate::{
    error::{Error, Problem, Result, problem},
    store::{
        connection::WRITE_LOCK_TIMEOUT,
        gauges::Gauges,
        journal::{Journal, Vouched},
        sql::store_error,
    },
};
use rusqlite::{Connection, config::DbConfig};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// The most jobs in one transaction.
const BATCH_SIZE: usize = 256;
/// Transactions of fewer jobs are slower for each job, because the commit is a larger part of them.
const GOOD_BATCH: usize = 32;
/// A transaction on a journal ends after the job with which it has recorded this many bytes, so that entries stay
/// small.
const MAX_RECORDED: usize = 1024 * 1024;
/// How often the file is looked at while nothing is written.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Why a transaction was not committed.
pub(super) enum BatchError {
    /// A job failed after it had written: the jobs have to run one by one.
    RunOneByOne,
    /// The transaction was rolled back for this reason.
    RolledBack(Error),
    /// The journal has not taken it: the same jobs have to run again.
    Again,
    /// The file has not taken it, and whether the journal has is unknown or certain.
    Unsettled(Error),
    /// It is unknown what is on disk.
    Unknown(Error),
}

pub(super) struct WriterThread {
    pub(super) jobs: Receiver<Box<dyn Job>>,
    pub(super) connection: Connection,
    pub(super) batch: Batch,
    pub(super) wal: Wal,
    pub(super) journal: Option<Journal>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) syncer: Syncer,
    /// Whether another process held the write lock when a transaction was begun last.
    pub(super) is_locked_out: bool,
}

impl WriterThread {
    /// Runs jobs until the queue is closed. An error or panic outside of a job is final: the state on disk, or in
    /// memory, can no longer be trusted.
    pub(super) fn run(&mut self) -> Result<()> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.run_batches()))
            .unwrap_or_else(|_| Err(Error::internal("a panic outside of a transaction")));
        ended.inspect_err(|e| {
            tracing::error!(error.cause = %e, "storage failed; the writer stops");
            self.syncer.fail();
            // The next start decides what becomes of the log. Setting this cannot fail on an open connection.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        })
    }

    fn run_batches(&mut self) -> Result<()> {
        while let Some(first) = self.next()? {
            if self.journal.is_some() && first.claim().is_cancelled() {
                // Nothing is to be written, but somebody may wait for what others have written.
                self.gauges.queued.fetch_sub(1, Relaxed);
                self.follow()?;
                continue;
            }
            // Jobs that come while others have their turn go along.
            self.take_turn()?;
            let further = self.jobs.try_iter().take(self.next_batch_size() - 1);
            let waiting: Vec<_> = std::iter::once(first).chain(further).collect();
            self.gauges.queued.fetch_sub(i64::try_from(waiting.len()).unwrap_or_default(), Relaxed);
            let batch: Vec<_> = waiting.into_iter().filter(|job| job.claim().start()).collect();
            self.write(batch)?;
            self.release_turn()?;
            self.wal.after_batch(&self.connection, Instant::now())?;
            self.empty_log()?;
        }
        self.syncer.finish(&self.connection)?;
        self.wal.settle()?;
        self.fold_rollups()?;
        self.wal.truncate(&self.connection)
    }

    /// How many of the waiting jobs the next transaction takes at most. Where commits are quick, half of them are
    /// enough: the writer runs these while the callers of the last ones send their next requests, and neither waits for
    /// the other.
    fn next_batch_size(&self) -> usize {
        if self.journal.is_some() || self.syncer.is_used() {
            return BATCH_SIZE;
        }
        let waiting = usize::try_from(self.gauges.queued.load(Relaxed)).unwrap_or_default();
        (waiting / 2).clamp(GOOD_BATCH, BATCH_SIZE)
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
        let folded = log.fold_all(&self.connection);
        match folded.and_then(|()| self.wal.renew_mark(&self.connection)).and_then(|()| self.execute("COMMIT")) {
            // The changes stay in the log, where reports find them too.
            Err(e) if e.is(&problem::STORAGE_FULL) && self.connection.is_autocommit() => Ok(()),
            Err(e) if e.is(&problem::STORAGE_FULL) => self.execute("ROLLBACK"),
            folded => folded.map(|()| self.wal.committed()),
        }
    }

    /// The next job; none when the queue is closed. While no job comes, the file is watched, and the write-ahead log is
    /// truncated when it is due.
    fn next(&mut self) -> Result<Option<Box<dyn Job>>> {
        loop {
            let now = Instant::now();
            let wait = self.wal.idle_truncation_in(now).map_or(WATCH_EVERY, |wait| wait.min(WATCH_EVERY));
            let following = self.journal.as_ref().map(|journal| journal.follow_in(now)).filter(|due| *due < wait);
            match self.jobs.recv_timeout(following.unwrap_or(wait)) {
                Ok(job) => return Ok(Some(job)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if following.is_some() => self.follow()?,
                Err(RecvTimeoutError::Timeout) => self.wal.while_idle(&self.connection, Instant::now())?,
            }
        }
    }

    /// Commits `jobs` together, or one by one if that fails, and has each answered. An error is final.
    fn write(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Result<()> {
        while !jobs.is_empty() {
            let mut later = vec![];
            let outcome = loop {
                match self.transaction(&mut jobs, &mut later) {
                    Err(BatchError::Again) => {}
                    outcome => break outcome,
                }
            };
            self.end(jobs, outcome)?;
            jobs = later;
        }
        Ok(())
    }

    /// Answers `jobs` according to the outcome of their transaction. An error is final.
    fn end(&mut self, jobs: Vec<Box<dyn Job>>, outcome: Result<Vouched, BatchError>) -> Result<()> {
        match outcome {
            Err(BatchError::RunOneByOne) if jobs.len() > 1 => self.write_one_by_one(jobs),
            Ok(vouched) => self.committed(jobs, vouched),
            Err(BatchError::RunOneByOne | BatchError::Again) => self.hand_over(jobs),
            Err(BatchError::Unsettled(e)) => {
                refuse(jobs, &problem::OUTCOME_UNKNOWN, &e);
                Ok(())
            }
            Err(BatchError::RolledBack(e)) => {
                refuse(jobs, e.problem(), &e);
                if e.is(&problem::STORAGE_BUSY) && !std::mem::replace(&mut self.is_locked_out, true) {
                    tracing::error!(
                        error.cause = %e,
                        "another process holds the write lock of the database; changes are refused until it ends its \
                         transaction"
                    );
                }
                if e.is(&problem::STORAGE_FULL) { self.wal.disk_is_full(&self.connection, &e) } else { Ok(()) }
            }
            Err(BatchError::Unknown(e)) => {
                refuse(jobs, &problem::OUTCOME_UNKNOWN, &e);
                Err(e)
            }
        }
    }

    /// Goes on after the commit of `jobs`.
    fn committed(&mut self, jobs: Vec<Box<dyn Job>>, vouched: Vouched) -> Result<()> {
        if self.journal.is_none() {
            return self.hand_over(jobs);
        }
        self.hand_over(vec![])?;
        // Whoever waits for this entry reads what it has told too.
        if let Some(journal) = &mut self.journal {
            journal.committed();
        }
        match vouched {
            Vouched::Yes => jobs.into_iter().for_each(Job::answer),
            Vouched::No => {
                let cause = Error::internal("PostgreSQL has cut short its wait for a standby");
                refuse(jobs, &problem::OUTCOME_UNKNOWN, &cause);
            }
        }
        Ok(())
    }

    /// Has `jobs` answered, and the effects of their transaction done, when the last commit is on disk.
    pub(super) fn hand_over(&mut self, jobs: Vec<Box<dyn Job>>) -> Result<()> {
        let effects = self.batch.committed();
        self.syncer.hand_over(jobs, effects, &self.batch.counters())
    }

    fn write_one_by_one(&mut self, jobs: Vec<Box<dyn Job>>) -> Result<()> {
        jobs.into_iter().try_for_each(|job| {
            // Otherwise others would join it.
            self.syncer.settle()?;
            self.write(vec![job])
        })
    }

    /// Runs and commits `jobs`. Those for which an entry of the journal has no room are moved to `later`.
    fn transaction(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        later: &mut Vec<Box<dyn Job>>,
    ) -> Result<Vouched, BatchError> {
        if !self.take_turn().map_err(BatchError::Unknown)? {
            let unreachable = Error::new(&problem::OVERLOADED).detail("The journal in PostgreSQL cannot be reached.");
            return Err(BatchError::RolledBack(unreachable));
        }
        self.begin(jobs)?;
        let (counters_before, changes_before) = (self.batch.counters(), self.connection.total_changes());
        match self.run_all(jobs, later).and_then(|()| self.commit(changes_before)) {
            Ok(vouched) => {
                self.gauges.batch_size.observe_size(jobs.len());
                Ok(vouched)
            }
            Err(error) => {
                if let Some(journal) = &mut self.journal {
                    journal.rolled_back();
                }
                self.batch.reset(&counters_before);
                self.wal.rolled_back();
                self.gauges.rollbacks.fetch_add(1, Relaxed);
                // After some failures SQLite has rolled back by itself.
                if !self.connection.is_autocommit() && !matches!(error, BatchError::Unknown(_)) {
                    self.execute("ROLLBACK").map_err(BatchError::Unknown)?;
                }
                if !matches!(error, BatchError::Unknown(_)) {
                    self.syncer.rolled_back().map_err(BatchError::Unknown)?;
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
        self.syncer.choose(&self.connection).map_err(BatchError::Unknown)?;
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

    fn run_all(&self, jobs: &mut Vec<Box<dyn Job>>, later: &mut Vec<Box<dyn Job>>) -> Result<(), BatchError> {
        let statements = BatchStatements::of(&self.connection);
        let mut number = 0;
        while number < jobs.len() || self.add(jobs).map_err(BatchError::Unknown)? {
            let (size, job) = (jobs.len(), &mut jobs[number]);
            number += 1;
            let (savepoint, changes) = (self.batch.savepoint(), self.connection.total_changes());
            let tx = WriteTx::new(&self.connection, &statements, &self.batch);
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
            if self.batch.recorder().is_some_and(|recorder| recorder.bytes() >= MAX_RECORDED) {
                later.splice(..0, jobs.drain(number..));
                break;
            }
        }
        Ok(())
    }

    /// Adds a job to a transaction if one comes before it is worth a sync. False when the transaction is to be
    /// committed.
    fn add(&self, jobs: &mut Vec<Box<dyn Job>>) -> Result<bool> {
        while jobs.len() < BATCH_SIZE && self.syncer.waits(jobs.len())? {
            // No more jobs come once the queue is closed.
            let Ok(job) = self.jobs.recv() else { break };
            self.gauges.queued.fetch_sub(1, Relaxed);
            if job.claim().start() {
                jobs.push(job);
                return Ok(true);
            }
        }
        self.syncer.wait_for_thread().map(|()| false)
    }

    /// Commits the transaction, with a new mark if it changed something since `changes_before`.
    fn commit(&mut self, changes_before: u64) -> Result<Vouched, BatchError> {
        let rollups = self.batch.log_changes(&self.connection).map_err(rolled_back_or_unknown)?;
        // An entry of the journal changes where the file stands.
        if self.connection.total_changes() != changes_before || self.journal.is_some() {
            self.wal.renew_mark(&self.connection).map_err(rolled_back_or_unknown)?;
            self.syncer.begin_commit();
        }
        let vouched = self.append(rollups)?;
        self.execute("COMMIT").map_err(|e| match e.is(&problem::STORAGE_FULL) {
            // The journal has the changes, and they are applied once there is room.
            true if self.journal.is_some() => BatchError::Unsettled(e),
            true => BatchError::RolledBack(e),
            false => BatchError::Unknown(e),
        })?;
        self.wal.committed();
        Ok(vouched)
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
