//! The database: one SQLite file, its readers and its single writer. Every SQL statement of the program is in this
//! folder, in the file of its noun, and no other module sees a type of rusqlite. Business rules and HTTP are not here.

mod actors;
pub mod api_keys;
pub mod audit;
pub mod backup;
mod conditions;
mod connection;
mod copy_error;
pub mod deliveries;
pub mod erasures;
pub mod events;
pub mod file_system;
mod files;
mod functions;
mod gauges;
pub mod idempotency;
pub mod item_names;
mod mark;
mod migrate;
pub mod mirror;
pub mod oidc_sign_ins;
mod open;
mod open_error;
pub mod orders;
pub mod password_resets;
pub mod personal;
mod readers;
pub mod reconcile;
pub mod restore;
pub mod roles;
pub mod rollups;
mod schema;
pub mod second_factors;
pub mod sessions;
pub mod sold_items;
mod sql;
pub mod transactions;
pub mod unfinished_erasures;
pub mod users;
pub mod verify;
pub mod webhooks;
mod writer;

pub use connection::{Commits, Options};
pub use copy_error::CopyError;
pub use files::{MIN_FREE_BYTES, folder_of, free_bytes, lock_file, process_with_lock, sync_folder, with_suffix};
pub use gauges::Gauges;
pub use open_error::OpenError;
pub use readers::ReadTx;
pub use sql::is_damage;
pub use writer::WriteTx;

use crate::{
    domain::trace::TARGET,
    error::{Error, Result, problem},
};
use rollups::{Ranking, RankingQuery, Rankings};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use tracing::Instrument;

/// Long queries are interrupted when the log has to be emptied and they need it for longer than this.
const LOG_PATIENCE: Duration = Duration::from_secs(1);
/// After this long the caller is told that the log could not be emptied.
const LOG_GIVE_UP: Duration = Duration::from_secs(8);
/// The pause between two attempts.
const LOG_RETRY: Duration = Duration::from_millis(20);

/// The version of the SQLite in this program.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// An open database file. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    writer: writer::Writer,
    readers: readers::Readers,
    gauges: Arc<Gauges>,
    rankings: Arc<Rankings>,
    sold_items: Arc<sold_items::Cache>,
    path: PathBuf,
    /// Closed after the connections: closing it ends the locks of this process on the file.
    _file: Arc<std::fs::File>,
    /// Held while the store is open: only one server has a file open.
    _lock: std::fs::File,
}

impl Store {
    /// Opens the file at `options.path` for this process alone, and creates it if it does not exist.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        open::open(options)
    }

    /// Reads the file at `path` without opening it as a store: works while a server has it open.
    pub fn inspect<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
        open::inspect(path, work)
    }

    /// Runs `work` in a transaction and resolves when it is on disk. Other callers' work may share the transaction;
    /// work that fails is rolled back alone. `work` may run more than once, so it is an `Fn`; effects that must follow
    /// the commit go into [`WriteTx::after_commit`].
    ///
    /// # Errors
    /// Those of `work`; `OVERLOADED` if it could not start in time; `OUTCOME_UNKNOWN` if it started but did not finish
    /// in time, or storage failed; `STORAGE_FULL`; `STORAGE_BUSY`; `INTERNAL` if `work` panicked.
    pub async fn write<T, W>(&self, name: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        let span = tracing::trace_span!(target: TARGET, "write", store.operation = name);
        self.0.writer.run(name, work).instrument(span).await
    }

    /// Runs `work` on a consistent snapshot, on this thread: for look-ups and pages that take microseconds. Resolves
    /// once everything that the snapshot held is durable.
    ///
    /// # Errors
    /// Those of `work`; `OVERLOADED` if no connection becomes free in time; `DRAINING` if storage has failed.
    pub async fn read<T>(&self, name: &'static str, work: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.read_blocking(name, work);
        self.until_durable().await.and(outcome)
    }

    /// [`Store::read`] for code that is not async: opening the application, and commands. It does not wait until what
    /// it reads is durable, so it must not answer clients.
    ///
    /// # Errors
    /// Those of `work`; `OVERLOADED` if no connection becomes free in time.
    pub fn read_blocking<T>(&self, name: &'static str, work: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        tracing::trace_span!(target: TARGET, "read", store.operation = name)
            .in_scope(|| self.0.readers.read(name, work))
    }

    /// Resolves when everything that readers see at this moment is durable, so that it may be shown to clients: they see a
    /// commit before it is synced.
    ///
    /// # Errors
    /// `DRAINING` if it will never be, since storage has failed.
    async fn until_durable(&self) -> Result<()> {
        self.0.writer.until_synced().await
    }

    /// Runs `work` on a consistent snapshot in the lane for long queries, which has few places, each with a time limit.
    ///
    /// # Errors
    /// Those of `work`; `QUERY_TOO_EXPENSIVE` past the time limit; `OVERLOADED` if the lane stays full;
    /// `DRAINING` if storage has failed.
    pub async fn scan<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let span = tracing::trace_span!(target: TARGET, "scan", store.operation = name);
        let outcome = self.0.readers.scan(name, work).instrument(span).await;
        self.until_durable().await.and(outcome)
    }

    /// [`Store::scan`] for a report that is a part of a ranking. `select` takes that part, and `finish` reads the rest
    /// of the report in the same snapshot. Rankings are cached between calls.
    ///
    /// # Errors
    /// Those of `scan` and `finish`.
    pub async fn scan_ranking<S, T: Send + 'static>(
        &self,
        name: &'static str,
        query: RankingQuery,
        select: impl FnOnce(&Arc<Ranking>) -> S + Send + 'static,
        finish: impl FnOnce(&ReadTx<'_>, S) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let rankings = Arc::clone(&self.0.rankings);
        self.scan(name, move |tx| finish(tx, rankings.with(tx, query, select)?)).await
    }

    /// Moves the write-ahead log into the file and empties it, so that nothing is left in it of what was erased.
    ///
    /// # Errors
    /// `OUTCOME_UNKNOWN` if a long query needs the log for too long; those of a write.
    pub async fn empty_log(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let (done, emptied) = oneshot::channel();
            let done = Mutex::new(Some(done));
            let ask = move |tx: &WriteTx<'_>| {
                let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(done) = done {
                    tx.empty_log(done);
                }
                Ok(())
            };
            self.write("store.empty_log", ask).await?;
            if emptied.await.unwrap_or_default() {
                return Ok(());
            }
            if begun.elapsed() > LOG_GIVE_UP {
                return Err(Error::new(&problem::OUTCOME_UNKNOWN).detail(
                    "The data is erased, but a backup or another long reading still needs the log that holds it. Send the \
                     request again.",
                ));
            }
            if begun.elapsed() > LOG_PATIENCE {
                self.0.gauges.interruptions.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(LOG_RETRY).await;
        }
    }

    /// [`Store::scan`] over what was sold in placed orders, which is cached between calls.
    ///
    /// # Errors
    /// Those of `scan`.
    pub async fn scan_sold_items<T: Send + 'static>(
        &self,
        name: &'static str,
        select: impl FnOnce(&sold_items::SoldItems) -> T + Send + 'static,
    ) -> Result<T> {
        let cache = Arc::clone(&self.0.sold_items);
        self.scan(name, move |tx| cache.with(tx, select)).await
    }

    /// Whether the writer answers within `limit`. If the disk was full, this finds out whether it still is.
    pub async fn writable(&self, limit: Duration) -> bool {
        let full = self.0.gauges.disk_is_full();
        let probe = self.write("system.probe", move |tx| if full { tx.write_anything() } else { Ok(()) });
        let answer = tokio::time::timeout(limit, probe).await;
        answer.is_ok_and(|outcome| outcome.map_or_else(|e| e.is(&problem::STORAGE_FULL), |()| true))
    }

    /// Whether the file can be read and has the current schema.
    pub async fn schema_is_current(&self) -> bool {
        self.read("system.schema", open::is_current).await.unwrap_or(false)
    }

    /// Resolves when storage has failed in a way that only a restart can repair.
    pub async fn failed(&self) {
        self.0.writer.failed().await;
    }

    /// Whether storage has failed in a way that only a restart can repair.
    pub fn has_failed(&self) -> bool {
        self.0.writer.has_failed()
    }

    /// Resolves when an event after number `seq` is on disk.
    pub async fn event_after(&self, seq: i64) {
        self.0.writer.event_after(seq).await;
    }

    /// Finishes the queued work, moves the write-ahead log into the file, and stops the writer.
    pub async fn close(&self) {
        self.0.writer.close().await;
    }

    /// Counters of what the store does.
    pub fn gauges(&self) -> &Gauges {
        &self.0.gauges
    }

    /// Whether the disk has room, according to the operating system and to the last change.
    pub fn has_room(&self) -> bool {
        !self.0.gauges.disk_is_full() && self.free_bytes().is_some_and(|free| free >= MIN_FREE_BYTES)
    }

    /// The free bytes of the file's disk; none if the operating system does not tell.
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(folder_of(&self.0.path))
    }

    /// The sizes of the file and of its write-ahead log, in bytes.
    pub fn file_bytes(&self) -> (u64, u64) {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        (bytes(&self.0.path), bytes(&with_suffix(&self.0.path, "-wal")))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}
