//! The thread that writes: what waits is run in one transaction and answered after the commit. A failing piece of work never
//! takes another one with it, and what the writer cannot vouch for ends it.

use super::{
    job::{self, Job},
    log::Log,
    tx::{Batch, WriteTx},
};
use crate::{
    error::{Error, Problem, Result, problem},
    store::{gauges::Gauges, sql::failed},
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

/// Pieces of work in one transaction at most.
const BATCH_SIZE: usize = 256;
/// A commit that takes longer than this is logged.
const SLOW_COMMIT: Duration = Duration::from_millis(250);

/// Why a transaction came to nothing.
enum Broken {
    /// One piece of work failed after it had written: each has to run alone.
    ByOne,
    /// Nothing was kept, for this reason, and all was undone.
    Undone(Error),
    /// It is not known what is on disk.
    Unknown(Error),
}

/// What the thread has in its hands.
pub(super) struct Thread {
    pub(super) connection: Connection,
    pub(super) batch: Batch,
    pub(super) log: Log,
    pub(super) gauges: Arc<Gauges>,
    /// Tells of the newest event.
    pub(super) newest: watch::Sender<i64>,
}

impl Thread {
    /// Works until the queue is closed. An error or a panic of its own is final: the writer cannot vouch any more for
    /// what is on disk, or for what memory says about it.
    pub(super) fn run(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work(jobs)))
            .unwrap_or_else(|_| Err(Error::internal("a panic outside of a transaction")));
        ended.inspect_err(|e| tracing::error!(error.cause = %e, "storage failed; the writer stops"))
    }

    fn work(&mut self, jobs: &Receiver<Box<dyn Job>>) -> Result<()> {
        while let Some(first) = self.next(jobs)? {
            let waiting: Vec<_> = std::iter::once(first).chain(jobs.try_iter().take(BATCH_SIZE - 1)).collect();
            self.gauges.queued.fetch_sub(i64::try_from(waiting.len()).unwrap_or_default(), Relaxed);
            let batch: Vec<_> = waiting.into_iter().filter(|job| job.ticket().begin()).collect();
            self.write(batch)?;
            self.log.after_batch(&self.connection, Instant::now())?;
        }
        self.settle()?;
        self.log.empty(&self.connection)
    }

    /// Adds what the log of the figures still holds to them, so that reports on a file that was at rest find it there.
    fn settle(&self) -> Result<()> {
        let mut log = self.batch.counters().rollups;
        if log.is_settled() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE")?;
        match log.settle(&self.connection).and_then(|()| self.execute("COMMIT")) {
            // Without room they stay where they are, and count as well.
            Err(e) if e.is(&problem::STORAGE_FULL) && self.connection.is_autocommit() => Ok(()),
            Err(e) if e.is(&problem::STORAGE_FULL) => self.execute("ROLLBACK"),
            settled => settled,
        }
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
                self.batch.committed();
                self.gauges.batch_size.observe_size(jobs.len());
                let counters = self.batch.counters();
                self.gauges.recorded(counters.event, counters.recorded);
                self.newest.send_if_modified(|newest| std::mem::replace(newest, counters.event) != *newest);
                Ok(())
            }
            Err(broken) => {
                self.batch.undo(&kept);
                self.gauges.rollbacks.fetch_add(1, Relaxed);
                // After some failures SQLite has rolled back by itself; then there is nothing left to do.
                if !self.connection.is_autocommit() && !matches!(broken, Broken::Unknown(_)) {
                    self.execute("ROLLBACK").map_err(Broken::Unknown)?;
                }
                Err(broken)
            }
        }
    }

    fn run_all(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Broken> {
        let size = jobs.len();
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
                        if size > 1 {
                            tracing::warn!(
                                write.name = job.name(),
                                batch.size = size,
                                "a change failed after it had written: its batch runs one by one"
                            );
                        }
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
        let taken = begun.elapsed();
        self.gauges.commits.observe_duration(taken);
        if taken > SLOW_COMMIT {
            let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(commit.duration_ms = millis, "slow commit: {}", Millis(taken));
        }
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

fn refuse(jobs: Vec<Box<dyn Job>>, problem: &'static Problem, cause: &Error) {
    for job in jobs {
        job.refuse(Error::new(problem).caused_by(cause.to_string()));
    }
}
