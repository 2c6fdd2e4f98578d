//! The write-ahead log as the writer keeps it: moved into the file when it is long, emptied when there has been nothing
//! to write for a while. It decides when; SQLite does the moving.

use crate::{
    error::{Error, Result, problem},
    store::{connection::PATIENCE, gauges::Gauges, sql::failed},
};
use rusqlite::Connection;
use std::{
    cell::Cell,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Pages past which the log is moved into the file, between two batches, so that it is used anew from its beginning.
const CHECKPOINT_PAGES: i32 = 8_000;
/// Pages that are added before it is tried again, while readers need what is in the log.
const TRY_AGAIN_PAGES: i32 = 500;
/// Pages past which long queries have to give way, so that the log stays below 64 MiB.
const LONGEST_PAGES: i32 = 12_000;
/// The log is emptied when nothing was written for this long. Not sooner: a log that grows anew syncs slower.
const IDLE: Duration = Duration::from_secs(30);

thread_local! {
    /// Pages in the log after the last commit, as SQLite tells the writer's thread, if there was one since.
    static COMMITTED: Cell<Option<i32>> = const { Cell::new(None) };
}

pub(super) struct Log {
    gauges: Arc<Gauges>,
    /// The number of pages at which it is moved into the file.
    due_at: i32,
    /// When something was last written; nothing if the log is empty.
    last_write: Option<Instant>,
}

impl Log {
    pub(super) fn watch(connection: &Connection, gauges: Arc<Gauges>) -> Self {
        connection.wal_hook(Some(|_, pages| {
            COMMITTED.set(Some(pages));
            Ok(())
        }));
        Self { gauges, due_at: CHECKPOINT_PAGES, last_write: None }
    }

    /// Takes note of what the last batch wrote, and moves the log into the file if it is due.
    ///
    /// # Errors
    /// If it is not known any more what is on disk.
    pub(super) fn after_batch(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        let Some(pages) = COMMITTED.take() else { return Ok(()) };
        self.last_write = Some(now);
        self.gauges.log_pages.store(pages.into(), Relaxed);
        if self.gauges.note_room() {
            tracing::info!("there is room on the disk again");
        }
        if pages < CHECKPOINT_PAGES {
            self.due_at = CHECKPOINT_PAGES;
        } else if pages >= self.due_at {
            self.due_at = pages + TRY_AGAIN_PAGES;
            if pages >= LONGEST_PAGES {
                self.gauges.interruptions.fetch_add(1, Relaxed);
            }
            self.checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// The disk is full: what the log holds goes into the file, so that its own room can be used anew.
    pub(super) fn no_room(&mut self, connection: &Connection, cause: &Error) -> Result<()> {
        if self.gauges.note_full() {
            tracing::error!(error.cause = %cause, "the disk is full; changes are refused until there is room");
            self.checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// How long nothing more must be written before the log is to be emptied; nothing if it is empty.
    pub(super) fn rests_in(&self, now: Instant) -> Option<Duration> {
        self.last_write.map(|last| (last + IDLE).saturating_duration_since(now))
    }

    /// Empties the log, unless a reader needs it just then: then it is tried again after the same time.
    pub(super) fn rest(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        self.last_write = Some(now);
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        let emptied = self.empty(connection);
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        emptied
    }

    /// Empties the log, waiting a little for readers that need it.
    pub(super) fn empty(&mut self, connection: &Connection) -> Result<()> {
        if self.checkpoint(connection, "TRUNCATE")? {
            self.last_write = None;
            self.gauges.log_pages.store(0, Relaxed);
        }
        Ok(())
    }

    /// Whether it could be done. What stays in the log is as safe there; it is tried again later.
    fn checkpoint(&self, connection: &Connection, mode: &str) -> Result<bool> {
        let begun = Instant::now();
        let moved = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, bool>(0));
        self.gauges.checkpoints.observe_duration(begun.elapsed());
        match moved.map_err(failed) {
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
    use std::path::Path;

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    }

    #[test]
    fn an_idle_log_is_emptied_once_no_reader_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        let length = || std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
        let mut log = Log::watch(&connection, Arc::clone(&gauges));
        let now = Instant::now();
        assert_eq!(log.rests_in(now), None, "nothing was written");
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        log.after_batch(&connection, now).unwrap();
        assert_eq!(log.rests_in(now + IDLE / 3), Some(IDLE * 2 / 3));
        assert!(gauges.log_pages.load(Relaxed) > 0 && length() > 0);

        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        log.rest(&connection, now + IDLE).unwrap();
        assert_eq!(log.rests_in(now + IDLE), Some(IDLE), "a reader needs it");
        reader.execute_batch("COMMIT").unwrap();
        log.rest(&connection, now + 2 * IDLE).unwrap();
        assert_eq!((log.rests_in(now + 2 * IDLE), gauges.log_pages.load(Relaxed), length()), (None, 0, 0));
    }

    #[test]
    fn a_reader_that_stays_is_asked_to_stop_before_the_log_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (connection, gauges) = (open(&path), Arc::new(Gauges::new(1)));
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut log = Log::watch(&connection, Arc::clone(&gauges));
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let mut longest = 0;
        for _ in 0..400 {
            connection.execute("INSERT INTO t VALUES (zeroblob(200000))", []).unwrap();
            log.after_batch(&connection, Instant::now()).unwrap();
            longest = longest.max(gauges.log_pages.load(Relaxed));
            if gauges.interruptions.load(Relaxed) > 0 && !reader.is_autocommit() {
                reader.execute_batch("COMMIT").unwrap();
            }
        }
        assert!(
            gauges.interruptions.load(Relaxed) > 0 && longest < i64::from(LONGEST_PAGES + 2 * TRY_AGAIN_PAGES),
            "{longest}"
        );
        assert!(
            gauges.log_pages.load(Relaxed) < i64::from(CHECKPOINT_PAGES + TRY_AGAIN_PAGES),
            "it begins anew without the reader"
        );
    }
}
