//! The write-ahead log of the writer: when a checkpoint moves it into the file, when it starts anew, and when it is
//! truncated.
//!
//! SQLite starts the log anew at a commit before which everything in it is in the file and no reader needs it. While
//! the writer goes on there is always a rest, so each checkpoint is followed by another one of what was added
//! meanwhile, until the rest is so short that the writer moves it itself between two batches.

use super::checkpointer::{Checkpointer, Moved, checkpoint};
use crate::{
    error::{Error, Result},
    store::{
        connection::WRITE_LOCK_TIMEOUT,
        gauges::Gauges,
        mark::{self, WatchedFile},
        sql::store_error,
    },
};
use rusqlite::Connection;
use std::{
    cell::Cell,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Pages from which on the log is checkpointed beside the writer.
const CHECKPOINT_PAGES: i32 = 4_000;
/// A rest of so few pages the writer moves itself.
const REST_PAGES: i32 = 300;
/// Pages added before the next attempt, while readers still need what is in the log.
const RETRY_PAGES: i32 = 500;
/// The time after which a checkpoint is tried again even if fewer pages were added.
const RETRY: Duration = Duration::from_secs(1);
/// Pages from which on the writer waits for checkpoints, and long queries that prevent them are interrupted, so that
/// the log stays below 64 MiB.
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
    file: Arc<Mutex<WatchedFile>>,
    checkpointer: Checkpointer,
    /// Pages at which the next checkpoint is due.
    due_at: i32,
    /// Pages in the log that the last checkpoint found or brought into the file.
    moved: i32,
    /// The time from which on a checkpoint is due while the log is long.
    retry_at: Option<Instant>,
    /// The time of the last write; none if the log is empty.
    last_write: Option<Instant>,
}

impl Wal {
    /// `connection` writes to the log. `fail` is called when a checkpoint beside the writer has failed so that it is
    /// unknown what is on disk; `checkpoints` is its connection.
    pub(super) fn watch(
        connection: &Connection,
        checkpoints: Connection,
        file: WatchedFile,
        gauges: Arc<Gauges>,
        fail: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        connection.wal_hook(Some(|_, pages| {
            COMMITTED.set(Some(pages));
            Ok(())
        }));
        let file = Arc::new(Mutex::new(file));
        let checkpointer = Checkpointer::start(checkpoints, Arc::clone(&gauges), Arc::clone(&file), fail)?;
        Ok(Self { gauges, file, checkpointer, due_at: CHECKPOINT_PAGES, moved: 0, retry_at: None, last_write: None })
    }

    fn file(&self) -> MutexGuard<'_, WatchedFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the current transaction a mark, unless another file was put over the database.
    pub(super) fn renew_mark(&self, connection: &Connection) -> Result<()> {
        self.file().check()?;
        let mark = mark::renew(connection).map_err(store_error)?;
        // Before the commit: a checkpoint may move it into the file as soon as it is made.
        self.file().will_commit(mark);
        Ok(())
    }

    /// Notes that the current transaction was committed.
    pub(super) fn committed(&self) {
        self.file().committed();
    }

    /// Notes that the current transaction was rolled back.
    pub(super) fn rolled_back(&self) {
        self.file().rolled_back();
    }

    /// Notes what the last batch wrote, and checkpoints the log if that is due.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn after_batch(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        let finished = self.checkpointer.finished()?;
        let Some(pages) = COMMITTED.take() else { return Ok(()) };
        self.last_write = Some(now);
        self.gauges.wal_pages.store(pages.into(), Relaxed);
        if self.gauges.record_disk_room() {
            tracing::info!("there is room on the disk again");
        }
        if pages < CHECKPOINT_PAGES {
            (self.due_at, self.retry_at, self.moved) = (CHECKPOINT_PAGES, None, 0);
            return Ok(());
        }
        let moved = finished.map(|finished| finished.in_file);
        if moved.is_some_and(|moved| moved >= 0 && pages - moved <= REST_PAGES) {
            self.put_off(pages, now);
            return self.checkpoint(connection, "PASSIVE").map(drop);
        }
        // Unless a reader needs the rest, the next round has less to do.
        let goes_on = moved.is_some_and(|moved| moved > self.moved);
        self.moved = moved.unwrap_or(self.moved);
        if pages < MAX_PAGES {
            let is_due = goes_on || pages >= self.due_at || self.retry_at.is_some_and(|at| now >= at);
            if is_due && !self.checkpointer.is_running() {
                self.put_off(pages, now);
                self.checkpointer.begin();
            }
        } else if pages >= self.due_at || self.retry_at.is_some_and(|at| now >= at) {
            self.put_off(pages, now);
            if !self.checkpoint(connection, "PASSIVE")?.is_all() {
                self.gauges.interruptions.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    /// Waits for more pages or time before the next attempt.
    fn put_off(&mut self, pages: i32, now: Instant) {
        (self.due_at, self.retry_at) = (pages + RETRY_PAGES, Some(now + RETRY));
    }

    /// The disk is full: moves the log into the file, so that the room it takes can be used again.
    pub(super) fn disk_is_full(&mut self, connection: &Connection, cause: &Error) -> Result<()> {
        if self.gauges.record_disk_full() {
            tracing::error!(error.cause = %cause, "the disk is full; changes are refused until there is room");
            self.checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// The time until the log is truncated if nothing is written; none if it is empty.
    pub(super) fn idle_truncation_in(&self, now: Instant) -> Option<Duration> {
        self.last_write.map(|last| (last + IDLE).saturating_duration_since(now))
    }

    /// Looks at the file, and truncates the log if that is due.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn while_idle(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        if !self.checkpointer.is_running() && self.idle_truncation_in(now) == Some(Duration::ZERO) {
            return self.truncate_idle(connection, now);
        }
        self.checkpointer.finished()?;
        self.file().check()
    }

    /// Waits until no checkpoint is running.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn settle(&mut self) -> Result<()> {
        self.checkpointer.wait()
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
        if !self.checkpoint(connection, "TRUNCATE")?.is_busy {
            self.last_write = None;
            self.gauges.wal_pages.store(0, Relaxed);
        }
        Ok(())
    }

    /// A checkpoint by the writer itself, after one beside it has ended.
    fn checkpoint(&mut self, connection: &Connection, mode: &str) -> Result<Moved> {
        self.checkpointer.wait()?;
        checkpoint(connection, mode, &self.gauges, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        connection::{Commits, prepare_writer},
        schema::SCHEMA,
    };
    use std::{fs::File, path::Path};

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    }

    /// Watches a new database.
    fn watch(path: &Path, connection: &Connection, gauges: &Arc<Gauges>) -> Wal {
        let file = Arc::new(File::open(path).unwrap());
        connection.execute_batch(SCHEMA).unwrap();
        let watched = WatchedFile::new(file, connection, mark::log::marks(path, connection)).unwrap();
        Wal::watch(connection, open(path), watched, Arc::clone(gauges), || ()).unwrap()
    }

    #[test]
    fn an_idle_log_is_truncated_once_no_reader_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        let length = || std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
        let mut wal = watch(&path, &connection, &gauges);
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
        let mut wal = watch(&path, &connection, &gauges);
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
        assert!(length() <= 52 * 1024 * 1024, "{}", length());
        assert!(gauges.wal_pages.load(Relaxed) < 10);
    }

    #[test]
    fn a_long_reader_is_interrupted_before_the_log_exceeds_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut wal = watch(&path, &connection, &gauges);
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let (mut longest, mut before, mut restarts) = (0, 0, 0);
        for _ in 0..400 {
            connection.execute("INSERT INTO t VALUES (zeroblob(200000))", []).unwrap();
            wal.after_batch(&connection, Instant::now()).unwrap();
            let pages = gauges.wal_pages.load(Relaxed);
            (longest, restarts, before) = (longest.max(pages), restarts + usize::from(pages < before), pages);
            if gauges.interruptions.load(Relaxed) > 0 && !reader.is_autocommit() {
                assert_eq!(restarts, 0, "the reader needs it");
                reader.execute_batch("COMMIT").unwrap();
            }
        }
        assert!(gauges.interruptions.load(Relaxed) > 0);
        assert!(longest < i64::from(MAX_PAGES + 3 * RETRY_PAGES), "{longest}");
        assert!(restarts > 0, "the log starts anew once the reader is gone");
    }

    #[test]
    fn the_log_starts_anew_again_and_again_while_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut wal = watch(&path, &connection, &gauges);
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let (mut before, mut restarts) = (0, 0);
        for _ in 0..1_500 {
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap();
            wal.after_batch(&connection, Instant::now()).unwrap();
            let pages = gauges.wal_pages.load(Relaxed);
            assert!(pages < i64::from(MAX_PAGES + RETRY_PAGES), "{pages}");
            (restarts, before) = (restarts + usize::from(pages < before), pages);
        }
        assert!(restarts > 1, "{restarts}");
        assert_eq!(gauges.interruptions.load(Relaxed), 0, "no reader prevented it");
        wal.truncate(&connection).unwrap();
        let alone = Connection::open(&path).unwrap();
        let sound: String = alone.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let rows: i64 = alone.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!((sound.as_str(), rows), ("ok", 1_500));
    }
}
