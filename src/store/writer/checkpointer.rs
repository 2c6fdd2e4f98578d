//! Checkpoints, which move the write-ahead log into the file: by a thread with a connection of its own, so that the
//! writer goes on meanwhile. When one is due is decided in `wal.rs`.

use crate::{
    error::{Error, Result, problem},
    store::{gauges::Gauges, mark::WatchedFile, sql::store_error},
};
use rusqlite::{Connection, config::DbConfig};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

/// What a checkpoint found and did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    /// Whether a reader or another checkpoint prevented what was asked for.
    pub(super) is_busy: bool,
    /// Pages in the log; −1 if it could not be looked at.
    pages: i32,
    /// Pages of these that are in the file.
    pub(super) in_file: i32,
}

impl Moved {
    /// Whether everything that was in the log at the beginning is in the file. If not, a reader needs the rest.
    pub(super) fn is_all(self) -> bool {
        self.pages >= 0 && self.in_file == self.pages
    }
}

/// Moves what it can into the file, which must be the one that the log continues before and after that. Pages that stay
/// in the log are as safe there; a later checkpoint moves them.
///
/// # Errors
/// When it is no longer known what is on disk.
pub(super) fn checkpoint(
    connection: &Connection,
    mode: &str,
    gauges: &Gauges,
    file: &Mutex<WatchedFile>,
) -> Result<Moved> {
    let check = || file.lock().unwrap_or_else(PoisonError::into_inner).check();
    check()?;
    let started = Instant::now();
    let moved = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(Moved { is_busy: row.get(0)?, pages: row.get(1)?, in_file: row.get(2)? })
    });
    gauges.checkpoints.observe_duration(started.elapsed());
    // What was moved into the file must stay there.
    check()?;
    match moved.map_err(store_error) {
        Err(e) if e.is(&problem::OUTCOME_UNKNOWN) => Err(e),
        Err(e) => {
            tracing::warn!(error.cause = %e, "the write-ahead log could not be moved into the file");
            Ok(Moved { is_busy: true, pages: -1, in_file: -1 })
        }
        moved => moved,
    }
}

/// The thread that makes checkpoints, as the writer sees it. It ends with the writer.
pub(super) struct Checkpointer {
    /// None once no more checkpoints are to come.
    requests: Option<SyncSender<()>>,
    results: Receiver<Result<Moved>>,
    is_running: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. `fail` is called after a checkpoint after which it is unknown what is on disk.
    pub(super) fn start(
        connection: Connection,
        gauges: Arc<Gauges>,
        file: Arc<Mutex<WatchedFile>>,
        fail: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(store_error)?;
        let (requests, due) = sync_channel(1);
        let (results, finished) = sync_channel(1);
        let run = move || {
            while let Ok(()) = due.recv() {
                let moved = checkpoint(&connection, "PASSIVE", &gauges, &file);
                let has_failed = moved.is_err();
                if has_failed {
                    fail();
                }
                if results.send(moved).is_err() || has_failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpointer".to_owned()).spawn(run).map_err(Error::internal)?;
        Ok(Self { requests: Some(requests), results: finished, is_running: false, thread: Some(thread) })
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Begins a checkpoint, unless one is running.
    pub(super) fn begin(&mut self) {
        // If the thread has ended, the next look at the results says so.
        let begins = || self.requests.as_ref().is_some_and(|requests| requests.try_send(()).is_ok());
        self.is_running = self.is_running || begins();
    }

    /// The result of a checkpoint that has ended since the last call.
    ///
    /// # Errors
    /// When it is no longer known what is on disk.
    pub(super) fn finished(&mut self) -> Result<Option<Moved>> {
        match self.results.try_recv() {
            Ok(moved) => self.ended(moved).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(has_ended()),
        }
    }

    /// Waits until no checkpoint is running.
    ///
    /// # Errors
    /// Those of [`Checkpointer::finished`].
    pub(super) fn wait(&mut self) -> Result<()> {
        if self.is_running {
            let moved = self.results.recv().map_err(|_| has_ended())?;
            self.ended(moved)?;
        }
        self.finished().map(drop)
    }

    fn ended(&mut self, moved: Result<Moved>) -> Result<Moved> {
        self.is_running = false;
        moved
    }
}

impl Drop for Checkpointer {
    /// Waits until the connection of the thread is closed: whoever opens the file next must not find it in use.
    fn drop(&mut self) {
        self.requests.take();
        if let Some(thread) = self.thread.take() {
            // A panic in it was logged.
            let _ = thread.join();
        }
    }
}

fn has_ended() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).caused_by("the thread that makes checkpoints has ended")
}
