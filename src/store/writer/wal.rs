//! The write-ahead log of the writer: when it is checkpointed, which moves its pages into the file, and when it is
//! truncated. The moving itself is done by SQLite.

use crate::{
    error::{Error, Result, problem},
    store::{connection::WRITE_LOCK_TIMEOUT, gauges::Gauges, sql::store_error},
};
use rusqlite::Connection;
use std::{
    cell::Cell,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Pages from which on the log is checkpointed between two batches. SQLite then reuses it from its beginning.
const CHECKPOINT_PAGES: i32 = 8_000;
/// Pages added before the next attempt, while readers still need what is in the log.
const RETRY_PAGES: i32 = 500;
/// The time after which a checkpoint is tried again even if fewer pages were added.
const RETRY: Duration = Duration::from_secs(1);
/// Pages from which on long queries are interrupted, so that the log stays below 64 MiB.
const MAX_PAGES: i32 = 12_000;
/// The log is truncated after this long without a write. Not sooner: a log that grows again syncs more slowly.
const IDLE: Duration = Duration::from_secs(30);

thread_local! {
    /// Pages in the log after the last commit on the writer thread, as SQLite reports them; none without a commit
    /// since.
    static COMMITTED: Cell<Option<i32>> = const { Cell::new(None) };
}

pub(super) struct Wal {
    gauges: Arc<Gauges>,
    /// Pages at which the next checkpoint is due.
    due_at: i32,
    /// The time from which on a checkpoint is due while the log is long.
    retry_at: Option<Instant>,
    /// The time of the last write; none if the log is empty.
    last_write: Option<Instant>,
}

impl Wal {
    pub(super) fn watch(connection: &Connection, gauges: Arc<Gauges>) -> Self {
        connection.wal_hook(Some(|_, pages| {
            COMMITTED.set(Some(pages));
            Ok(())
        }));
        Self { gauges, due_at: CHECKPOINT_PAGES, retry_at: None, last_write: None }
    }

    /// Notes what the last batch wrote, and checkpoints the log if that is due.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn after_batch(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        let Some(pages) = COMMITTED.take() else { return Ok(()) };
        self.last_write = Some(now);
        self.gauges.wal_pages.store(pages.into(), Relaxed);
        if self.gauges.disk_had_room() {
            tracing::info!("there is room on the disk again");
        }
        if pages < CHECKPOINT_PAGES {
            (self.due_at, self.retry_at) = (CHECKPOINT_PAGES, None);
        } else if pages >= self.due_at || self.retry_at.is_some_and(|at| now >= at) {
            (self.due_at, self.retry_at) = (pages + RETRY_PAGES, Some(now + RETRY));
            if pages >= MAX_PAGES {
                self.gauges.interruptions.fetch_add(1, Relaxed);
            }
            self.checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// The disk is full: moves the log into the file, so that the room it takes can be used again.
    pub(super) fn disk_is_full(&mut self, connection: &Connection, cause: &Error) -> Result<()> {
        if self.gauges.disk_was_full() {
            tracing::error!(error.cause = %cause, "the disk is full; changes are refused until there is room");
            self.checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// The time until the log is truncated if nothing is written; none if it is empty.
    pub(super) fn idle_truncation_in(&self, now: Instant) -> Option<Duration> {
        self.last_write.map(|last| (last + IDLE).saturating_duration_since(now))
    }

    /// Truncates the log without waiting for readers. If one needs it, the next attempt is due after the same time.
    pub(super) fn truncate_idle(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        self.last_write = Some(now);
        connection.busy_timeout(Duration::ZERO).map_err(store_error)?;
        let truncated = self.truncate(connection);
        connection.busy_timeout(WRITE_LOCK_TIMEOUT).map_err(store_error)?;
        truncated
    }

    /// Truncates the log without waiting for readers, unless it is empty. Returns whether it is now.
    pub(super) fn empty(&mut self, connection: &Connection, now: Instant) -> Result<bool> {
        if self.last_write.is_some() {
            self.truncate_idle(connection, now)?;
        }
        Ok(self.last_write.is_none())
    }

    /// Truncates the log, after waiting up to [`WRITE_LOCK_TIMEOUT`] for readers that need it.
    pub(super) fn truncate(&mut self, connection: &Connection) -> Result<()> {
        if self.checkpoint(connection, "TRUNCATE")? {
            self.last_write = None;
            self.gauges.wal_pages.store(0, Relaxed);
        }
        Ok(())
    }

    /// Returns whether no reader prevented it. Pages that stay in the log are as safe there; a later checkpoint moves
    /// them.
    fn checkpoint(&self, connection: &Connection, mode: &str) -> Result<bool> {
        let started = Instant::now();
        let moved = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, bool>(0));
        self.gauges.checkpoints.observe_duration(started.elapsed());
        match moved.map_err(store_error) {
            Ok(busy) => Ok(!busy),
            Err(e) if e.is(&problem::OUTCOME_UNKNOWN) => Err(e),
            Err(e) => {
                tracing::warn!(error.cause = %e, "the write-ahead log could not be moved into the file");
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connection::{Commits, prepare_writer};
    use std::path::Path;

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    }

    #[test]
    fn an_idle_log_is_truncated_once_no_reader_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        let length = || std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
        let mut wal = Wal::watch(&connection, Arc::clone(&gauges));
        let now = Instant::now();
        assert_eq!(wal.idle_truncation_in(now), None, "nothing has been written");
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        wal.after_batch(&connection, now).unwrap();
        assert_eq!(wal.idle_truncation_in(now + IDLE / 3), Some(IDLE * 2 / 3));
        assert!(gauges.wal_pages.load(Relaxed) > 0 && length() > 0);

        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        wal.truncate_idle(&connection, now + IDLE).unwrap();
        assert_eq!(wal.idle_truncation_in(now + IDLE), Some(IDLE), "a reader still needs it");
        reader.execute_batch("COMMIT").unwrap();
        wal.truncate_idle(&connection, now + 2 * IDLE).unwrap();
        assert_eq!((wal.idle_truncation_in(now + 2 * IDLE), gauges.wal_pages.load(Relaxed), length()), (None, 0, 0));
    }

    #[test]
    fn a_log_that_a_reader_made_long_is_cut_although_commits_are_rare() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (Connection::open(&path).unwrap(), Arc::new(Gauges::new(1)));
        prepare_writer(&connection, Commits::Written).unwrap();
        let length = || std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
        let mut wal = Wal::watch(&connection, Arc::clone(&gauges));
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let start = Instant::now();
        for _ in 0..300 {
            connection.execute("INSERT INTO t VALUES (zeroblob(200000))", []).unwrap();
            wal.after_batch(&connection, start).unwrap();
        }
        assert!(length() > 56 * 1024 * 1024, "the reader keeps it: {}", length());
        reader.execute_batch("COMMIT").unwrap();
        for order in 1..4 {
            connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
            wal.after_batch(&connection, start + order * 5 * RETRY).unwrap();
        }
        assert!(length() <= 48 * 1024 * 1024, "{}", length());
        assert!(gauges.wal_pages.load(Relaxed) < 10);
    }

    #[test]
    fn a_long_reader_is_interrupted_before_the_log_exceeds_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut wal = Wal::watch(&connection, Arc::clone(&gauges));
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let mut longest = 0;
        for _ in 0..400 {
            connection.execute("INSERT INTO t VALUES (zeroblob(200000))", []).unwrap();
            wal.after_batch(&connection, Instant::now()).unwrap();
            longest = longest.max(gauges.wal_pages.load(Relaxed));
            if gauges.interruptions.load(Relaxed) > 0 && !reader.is_autocommit() {
                reader.execute_batch("COMMIT").unwrap();
            }
        }
        assert!(
            gauges.interruptions.load(Relaxed) > 0 && longest < i64::from(MAX_PAGES + 2 * RETRY_PAGES),
            "{longest}"
        );
        assert!(
            gauges.wal_pages.load(Relaxed) < i64::from(CHECKPOINT_PAGES + RETRY_PAGES),
            "the log is reused once the reader is gone"
        );
    }
}
