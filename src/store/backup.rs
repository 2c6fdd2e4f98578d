//! Verified copies of a file: a snapshot of one instant, made while the server continues to write. A copy gets its
//! final name only when it is complete and verified. When copies are made, and how many are kept, is not decided here.
//!
//! The snapshot is one read transaction whose pages are copied in steps. SQLite's backup starts over after a commit of
//! another connection, but not inside a transaction. While the snapshot lasts, the write-ahead log grows, so copying
//! runs at normal priority; verifying takes longer but holds nothing up, so it runs at low priority. Each step is
//! synced before the next, so that a sync of the writer never waits for more than one step.

pub(super) mod partial;

use super::{
    CopyError, OpenError, ReadTx, Store, owned_file,
    schema::SCHEMA_VERSION,
    sql::{Columns, store_error},
    verify::{self, Check},
};
use crate::{
    domain::time::Timestamp,
    error::{Error, Result},
};
use partial::PartialFile;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
    trace::TraceEventCodes,
};
use std::{
    fs::File,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::oneshot;

/// Pages copied in one step: 1 MiB.
const PAGES_PER_STEP: i32 = 256;
/// Steps of SQLite's virtual machine between two calls of [`OnProgress`] while a copy is verified.
const STEPS_BETWEEN_CALLS: i32 = 10_000;
/// The niceness of a thread that verifies a copy (setpriority(2)): a tenth of the share of a normal thread.
const NICENESS: i32 = 10;

/// The progress of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes are being copied.
    Copying {
        /// Bytes copied so far.
        done: u64,
        /// All bytes to copy.
        total: u64,
    },
    /// A copy from an earlier release is being migrated to the current schema.
    Upgrading,
    /// The copy is being verified.
    Verifying,
}

/// Called with the progress of a copy, again and again. [`ControlFlow::Break`] cancels the copy.
pub type OnProgress = Arc<dyn Fn(Progress) -> ControlFlow<()> + Send + Sync>;

/// The last records of a file. Two files of one database with equal watermarks hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The number of the last event.
    pub events: i64,
    /// The number of the last audit entry.
    pub audit: i64,
    /// The time of the later of the two; 1970 if there is neither.
    pub written_at: Timestamp,
}

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishedCopy {
    /// The size of the copy.
    pub bytes: u64,
    /// The last records in the copy.
    pub watermark: Watermark,
}

/// Reads the watermark of a file.
pub fn watermark(tx: &ReadTx<'_>) -> Result<Watermark> {
    let sql = "SELECT coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM audit), 0),
        max(coalesce((SELECT occurred_at FROM events ORDER BY seq DESC LIMIT 1), 0),
            coalesce((SELECT occurred_at FROM audit ORDER BY seq DESC LIMIT 1), 0))";
    let found = tx.row(sql, [], |row| {
        let mut columns = Columns::of(row);
        Ok(Watermark { events: columns.take()?, audit: columns.take()?, written_at: columns.instant()? })
    })?;
    found.ok_or_else(|| Error::internal("a statement without a table gave no row"))
}

/// A verified copy without a name: it is deleted when the file is closed.
pub struct UnlinkedCopy {
    /// The copy, open for reading.
    pub file: File,
    /// The size of the copy.
    pub bytes: u64,
    /// SHA-256 of the copy.
    pub digest: [u8; 32],
}

/// Makes a verified copy of the file at `source` and gives it the name `target`, replacing any file there. While it is
/// made, it is at `partial` in the same folder, which is replaced too and removed after an error. The thread has low
/// priority afterwards.
pub fn copy(source: &Path, partial: &Path, target: &Path, progress: &OnProgress) -> Result<FinishedCopy, CopyError> {
    let (partial, watermark) = verified_copy(source, partial, progress)?;
    let bytes = partial.finish(target)?;
    Ok(FinishedCopy { bytes, watermark })
}

/// [`copy`] of what the file is after `change`.
pub(super) fn copy_with(
    source: &Path,
    partial: &Path,
    target: &Path,
    progress: &OnProgress,
    change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<FinishedCopy, CopyError> {
    let (partial, watermark) = verified_copy(source, partial, progress)?;
    changed(&partial, change)?;
    verify_file(partial.path(), SCHEMA_VERSION, verify::all, progress)?;
    let bytes = partial.finish(target)?;
    Ok(FinishedCopy { bytes, watermark })
}

/// [`unlinked_copy`] of what the file is after `change`.
pub(super) fn changed_copy(
    source: &Path,
    partial: &Path,
    progress: &OnProgress,
    change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<UnlinkedCopy, CopyError> {
    let (partial, _) = verified_copy(source, partial, progress)?;
    changed(&partial, change)?;
    let (digest, bytes) = partial.digest()?;
    Ok(UnlinkedCopy { file: partial.into_unlinked()?, bytes, digest })
}

fn changed(partial: &PartialFile, change: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), CopyError> {
    let connection = partial.open().map_err(|e| partial.write_error(&e))?;
    change(&connection).map_err(|e| partial.write_error(&e))
}

/// Makes a verified copy of the file at `source` to be read once. While it is made, it is at `partial`. The thread has
/// low priority afterwards.
pub fn unlinked_copy(source: &Path, partial: &Path, progress: &OnProgress) -> Result<UnlinkedCopy, CopyError> {
    unlinked_copy_and(source, partial, progress, |_| ()).map(|((), copy)| copy)
}

/// [`unlinked_copy`], and what `look` finds in the copy.
pub(super) fn unlinked_copy_and<T>(
    source: &Path,
    partial: &Path,
    progress: &OnProgress,
    look: impl FnOnce(&Connection) -> T,
) -> Result<(T, UnlinkedCopy), CopyError> {
    let (partial, _) = verified_copy(source, partial, progress)?;
    let found = owned_file::inspect(partial.path(), |tx| look(tx.connection))?;
    let (digest, bytes) = partial.digest()?;
    Ok((found, UnlinkedCopy { file: partial.into_unlinked()?, bytes, digest }))
}

fn verified_copy(source: &Path, partial: &Path, progress: &OnProgress) -> Result<(PartialFile, Watermark), CopyError> {
    let partial = PartialFile::create(partial)?;
    let watermark = Store::inspect(source, |tx| {
        let damaged = |e: Error| CopyError::Unusable(OpenError::Damaged(source.to_path_buf(), e.to_string()));
        // The snapshot begins with the first read.
        let watermark = watermark(tx).map_err(damaged)?;
        copy_pages(tx.connection, &partial, progress)?;
        Ok::<_, CopyError>(watermark)
    })??;
    partial.disable_wal_mode()?;
    lower_priority();
    verify_file(partial.path(), SCHEMA_VERSION, verify::all, progress)?;
    Ok((partial, watermark))
}

/// Runs `work`, such as [`copy`], on a thread of its own. It is cancelled when this future is dropped, or when `wanted`
/// returns false.
pub async fn on_own_thread<T: Send + 'static>(
    wanted: impl Fn() -> bool + Send + Sync + 'static,
    work: impl FnOnce(&OnProgress) -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let _cancel = CancelOnDrop(Arc::clone(&cancelled));
    let progress: OnProgress = Arc::new(move |_| {
        if !cancelled.load(Ordering::Relaxed) && wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let (reply, answer) = oneshot::channel();
    let work = move || {
        // The caller may have gone.
        let _ = reply.send(work(&progress));
    };
    let spawned = std::thread::Builder::new().name("backup".to_owned()).spawn(work);
    spawned.map_err(|e| CopyError::io(Path::new("a thread"), &e))?;
    answer.await.unwrap_or(Err(CopyError::Cancelled))
}

/// Lowers the priority of this thread for good, so that orders do not wait for the verification of a copy.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(error.cause = %error, "a copy is verified at normal priority");
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Copies the pages that `source`, which is inside a transaction, sees.
fn copy_pages(source: &Connection, partial: &PartialFile, progress: &OnProgress) -> Result<(), CopyError> {
    let write_error = |e: rusqlite::Error| partial.write_error(&e);
    let mut target = partial.open().map_err(write_error)?;
    let page: u64 =
        source.query_row("PRAGMA page_size", [], |row| row.get(0)).map(i64::unsigned_abs).map_err(write_error)?;
    let backup = Backup::new(source, &mut target).map_err(write_error)?;
    loop {
        let step = backup.step(PAGES_PER_STEP).map_err(write_error)?;
        let pages = backup.progress();
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page;
        let total = bytes(pages.pagecount);
        let copied = Progress::Copying { done: total.saturating_sub(bytes(pages.remaining)), total };
        match (step, progress(copied)) {
            (_, ControlFlow::Break(())) => return Err(CopyError::Cancelled),
            (StepResult::Done, _) => return Ok(()),
            (StepResult::More, _) => {}
            (_, ControlFlow::Continue(())) => return Err(OpenError::InUse(partial.path().to_path_buf(), None).into()),
        }
        partial.sync()?;
    }
}

/// Runs `checks` on the file at `path`, whose schema must have this version. The first fault is an error.
pub(super) fn verify_file(
    path: &Path,
    version: i64,
    checks: impl FnOnce(&ReadTx<'_>) -> Result<Vec<Check>>,
    progress: &OnProgress,
) -> Result<(), CopyError> {
    let cancelled = Arc::new(AtomicBool::new(progress(Progress::Verifying).is_break()));
    let (progress, flag) = (Arc::clone(progress), Arc::clone(&cancelled));
    let interrupt = move || {
        flag.fetch_or(progress(Progress::Verifying).is_break(), Ordering::Relaxed);
        flag.load(Ordering::Relaxed)
    };
    let checks = owned_file::inspect_version(path, version, |tx| {
        // The checks read every row on purpose: only the statements of requests are traced.
        tx.connection.trace_v2(TraceEventCodes::empty(), None);
        tx.connection.progress_handler(STEPS_BETWEEN_CALLS, Some(interrupt)).map_err(store_error)?;
        checks(tx)
    })?;
    if cancelled.load(Ordering::Relaxed) {
        return Err(CopyError::Cancelled);
    }
    let damaged = |reason| CopyError::Unusable(OpenError::Damaged(path.to_path_buf(), reason));
    let checks = checks.map_err(|e| damaged(format!("damaged: {e}")))?;
    match checks.into_iter().find_map(|check| Some((check.name, check.fault?))) {
        Some((name, fault)) => Err(damaged(format!("does not verify: {name}: {fault}"))),
        None => Ok(()),
    }
}
