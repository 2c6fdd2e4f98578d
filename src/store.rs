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
pub mod journal;
mod mark;
mod migrate;
pub mod mirror;
pub mod oidc_sign_ins;
mod open;
mod open_error;
mod options;
pub mod orders;
mod owned_file;
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

pub use connection::Commits;
pub use copy_error::CopyError;
pub use files::{
    MIN_FREE_BYTES, check_writable, folder_of, free_bytes, lock_file, process_with_lock, sync_folder, sync_log,
    with_suffix,
};
pub use gauges::Gauges;
pub use open_error::OpenError;
pub use options::Options;
pub use readers::ReadTx;
pub use sql::is_damage;
pub use writer::WriteTx;
use writer::{Bound, Recorder, Told, Values};

use crate::{
    domain::{access::Fact, trace::TARGET},
    error::{Error, Result, problem},
};
use journal::SharedJournal;
use rollups::CachedFigures;
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
    figures: Arc<CachedFigures>,
    sold_items: Arc<sold_items::Cache>,
    told: Arc<Told>,
    journal: Option<SharedJournal>,
    path: PathBuf,
    /// Closed after the connections: closing it ends the locks of this process on the file.
    _file: Arc<std::fs::File>,
    /// Held while the store is open: only one server has a file open.
    _lock: std::fs::File,
}

/// How long a reader waits until the file includes what others have written.
const CURRENT_WITHIN: Duration = Duration::from_secs(2);
/// The pause before the journal is asked again.
const CURRENT_RETRY: Duration = Duration::from_millis(50);

impl Store {
    /// Opens the file at `options.path` for this process alone, and creates it if it does not exist.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        open::open(options)
    }

    /// Reads the file at `path` without opening it as a store: works while a server has it open.
    pub fn inspect<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
        owned_file::inspect(path, work)
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

    /// Calls `learn` on the writer thread with each fact of a transaction, once that is on disk.
    pub fn listen(&self, learn: impl Fn(&Fact) + Send + 'static) {
        self.0.told.listen(Box::new(learn));
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

    /// Resolves when everything that readers see at this moment is durable, so that it may be shown to clients: they
    /// see a commit before it is synced.
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
        self.read("system.schema", owned_file::is_current).await.unwrap_or(false)
    }

    /// Resolves when reads show all that any process on the same journal has acknowledged before this call. A file of
    /// its own always does.
    ///
    /// # Errors
    /// `OVERLOADED` if the journal does not answer in time.
    pub async fn current(&self) -> Result<()> {
        let Some(journal) = &self.0.journal else { return Ok(()) };
        let asked = Instant::now();
        let included = async {
            let head = loop {
                match journal.current.head().await {
                    Ok(head) => break head,
                    // Within the time limit PostgreSQL may be back, or another server have taken its place.
                    Err(_) => tokio::time::sleep(CURRENT_RETRY).await,
                }
            };
            let mut applied = journal.shared.applied.subscribe();
            if *applied.borrow_and_update() < head {
                self.0.writer.wake();
            }
            applied.wait_for(|applied| *applied >= head).await.map(drop).map_err(Error::internal)
        };
        let current = tokio::time::timeout(CURRENT_WITHIN, included).await;
        self.0.gauges.currents.observe_duration(asked.elapsed());
        current.unwrap_or_else(|_| {
            let detail = "The journal in PostgreSQL cannot be reached, so the newest changes are not known.";
            Err(Error::new(&problem::OVERLOADED).detail(detail))
        })
    }

    /// Registers this process with the others on the same journal, by the identifiers of its signing keys.
    ///
    /// # Errors
    /// If another process has other keys.
    pub fn enlist(&self, keys: &str) -> Result<()> {
        let Some(journal) = &self.0.journal else { return Ok(()) };
        journal::enlist(&journal.options, &journal.shared, keys)
    }

    /// Whether this process does what only one on the same journal may do. On a file of its own it always does.
    pub fn has_lease(&self) -> bool {
        self.0.journal.as_ref().is_none_or(|journal| journal.shared.lease.is_held())
    }

    /// Whether the store failed because a backup has replaced what the journal had.
    pub fn was_restored(&self) -> bool {
        self.0.journal.as_ref().is_some_and(|journal| journal.shared.restored.load(Ordering::Relaxed))
    }

    /// Whether the store failed because its file and the journal have diverged.
    pub fn has_diverged(&self) -> bool {
        self.0.journal.as_ref().is_some_and(|journal| journal.shared.diverged.get().is_some())
    }

    /// Which journal this is; none without one.
    pub fn journal_id(&self) -> Option<[u8; 16]> {
        self.0.journal.as_ref().map(|journal| journal.shared.id)
    }

    /// The newest entry of the journal that the file includes; 0 without a journal.
    pub fn journal_entry(&self) -> i64 {
        self.0.journal.as_ref().map_or(0, |journal| *journal.shared.applied.borrow())
    }

    /// Whether the journal, if there is one, has answered last time.
    pub fn journal_is_reachable(&self) -> bool {
        self.0.journal.as_ref().is_none_or(|journal| journal.shared.reachable.load(Ordering::Relaxed))
    }

    /// How far the clock of PostgreSQL and that of this machine were apart when this process had its turn last; 0
    /// without a journal.
    pub fn clock_skew(&self) -> Duration {
        let skew = self.0.journal.as_ref().map_or(0, |journal| journal.shared.skew.load(Ordering::Relaxed));
        Duration::from_millis(skew.unsigned_abs())
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
        let _followed = self.0.journal.as_ref().map(|journal| journal.shared.wait_for_events());
        self.0.writer.event_after(seq).await;
    }

    /// Finishes the queued work, moves the write-ahead log into the file, and stops the writer.
    pub async fn close(&self) {
        self.0.writer.close().await;
        if let Some(journal) = &self.0.journal {
            journal.shared.leave().await;
        }
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
