//! Copies of the file: a snapshot of one instant, made beside the server that writes on, verified, and put in its place
//! whole. What does not verify, or is not finished, never bears the final name. When copies are made, and how many are
//! kept, is not decided here.
//!
//! The snapshot is one read transaction whose pages are copied in steps. Commits of others, at which steps of SQLite's
//! backup begin anew, are not seen inside a transaction. As long as it lasts the write-ahead log grows, so copying has
//! the priority of everybody; only verifying, which takes longer and holds nothing up, gives way. What was copied in a
//! step is synced before the next, so that a sync of the writer's never waits for more than that.

pub(super) mod partial;

use super::{
    CopyError, OpenError, ReadTx, Store, open,
    schema::SCHEMA_VERSION,
    sql::{Columns, failed},
    verify::{self, Check},
};
use crate::{
    domain::time::Timestamp,
    error::{Error, Result},
};
use partial::Partial;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
    trace::TraceEventCodes,
};
use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::oneshot;

/// Pages that are copied at once: 1 MiB.
const PAGES_A_STEP: i32 = 256;
/// SQLite steps between two looks at whether verifying is still wanted.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// The niceness of a thread that verifies a copy (setpriority(2)): about a tenth of the share of a thread at 0.
const NICENESS: i32 = 10;

/// What a copy is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Copying bytes.
    Copying {
        /// So many of them are there.
        done: u64,
        /// There are so many.
        total: u64,
    },
    /// Bringing a copy that an earlier release made to the present schema.
    Upgrading,
    /// Recomputing what the rows must agree with.
    Verifying,
}

/// Whether somebody still wants the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    GoOn,
    /// Stop.
    Stop,
}

/// Is told how far a copy is, and says whether it is still wanted.
pub type Watch = Arc<dyn Fn(Stage) -> Wish + Send + Sync>;

/// What a file holds, to tell whether a later copy would hold anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The last event.
    pub events: i64,
    /// The last entry of the audit trail.
    pub audit: i64,
    /// When the later of the two was written; 1970 if there is neither.
    pub written_at: Timestamp,
}

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// What it holds.
    pub extent: Extent,
}

/// What the file holds.
pub fn extent(tx: &ReadTx<'_>) -> Result<Extent> {
    let sql = "SELECT coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM audit), 0),
        max(coalesce((SELECT occurred_at FROM events ORDER BY seq DESC LIMIT 1), 0),
            coalesce((SELECT occurred_at FROM audit ORDER BY seq DESC LIMIT 1), 0))";
    let found = tx.row(sql, [], |row| {
        let mut columns = Columns::of(row);
        Ok(Extent { events: columns.take()?, audit: columns.take()?, written_at: columns.instant()? })
    })?;
    found.ok_or_else(|| Error::internal("a statement without a table gave no row"))
}

/// A verified copy that has no name, and is gone when it is closed.
pub struct Nameless {
    /// The copy.
    pub file: File,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: [u8; 32],
}

/// Makes a verified copy of the file at `source`, as it is at one instant, and gives it the name `target`, replacing what
/// has it. Until then it is at `partial`, in the same folder, replacing what is there; it is gone if there is an error. The
/// thread has little priority afterwards.
pub fn copy(source: &Path, partial: &Path, target: &Path, watch: &Watch) -> Result<Copied, CopyError> {
    let (partial, extent) = verified(source, partial, watch)?;
    let bytes = partial.finish(target)?;
    Ok(Copied { bytes, extent })
}

/// Makes a verified copy of the file at `source`, as it is at one instant, that is to be read once. While it is made, it
/// is at `partial`. The thread has little priority afterwards.
pub fn copy_to_read(source: &Path, partial: &Path, watch: &Watch) -> Result<Nameless, CopyError> {
    let (partial, _) = verified(source, partial, watch)?;
    let (digest, bytes) = partial.digest()?;
    Ok(Nameless { file: partial.into_file()?, bytes, digest })
}

fn verified(source: &Path, partial: &Path, watch: &Watch) -> Result<(Partial, Extent), CopyError> {
    let partial = Partial::begin(partial)?;
    let extent = Store::inspect(source, |tx| {
        let damaged = |e: Error| CopyError::Unfit(OpenError::Damaged(source.to_path_buf(), e.to_string()));
        // The first look at the rows is where the snapshot begins.
        let extent = extent(tx).map_err(damaged)?;
        copy_pages(tx.connection, &partial, watch)?;
        Ok::<_, CopyError>(extent)
    })??;
    partial.without_log()?;
    give_way();
    verify_file(partial.path(), SCHEMA_VERSION, verify::all, watch)?;
    Ok((partial, extent))
}

/// Does `work`, such as [`copy`], on a thread of its own, for as long as the caller waits and `wanted` says so.
pub async fn aside<T: Send + 'static>(
    wanted: impl Fn() -> bool + Send + Sync + 'static,
    work: impl FnOnce(&Watch) -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    let waits = Arc::new(AtomicBool::new(true));
    let _gone_when_dropped = Gone(Arc::clone(&waits));
    let watch: Watch =
        Arc::new(move |_| if waits.load(Ordering::Relaxed) && wanted() { Wish::GoOn } else { Wish::Stop });
    let (tell, told) = oneshot::channel();
    let work = move || {
        // Nobody may be waiting any more.
        let _ = tell.send(work(&watch));
    };
    let spawned = std::thread::Builder::new().name("backup".to_owned()).spawn(work);
    spawned.map_err(|e| CopyError::denied(Path::new("a thread"), &e))?;
    told.await.unwrap_or(Err(CopyError::Stopped))
}

/// Lets every other thread and process go before this thread from now on: orders do not wait for a copy to be verified.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(error.cause = %error, "a copy is verified at normal priority");
    }
}

/// Tells a copy that nobody waits for it any more.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Copies what `source`, which is inside a transaction, sees.
fn copy_pages(source: &Connection, partial: &Partial, watch: &Watch) -> Result<(), CopyError> {
    let broken = |e: rusqlite::Error| partial.why(&e);
    let mut target = partial.open().map_err(broken)?;
    let page: u64 =
        source.query_row("PRAGMA page_size", [], |row| row.get(0)).map(i64::unsigned_abs).map_err(broken)?;
    let backup = Backup::new(source, &mut target).map_err(broken)?;
    loop {
        let step = backup.step(PAGES_A_STEP).map_err(broken)?;
        let progress = backup.progress();
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page;
        let total = bytes(progress.pagecount);
        let stage = Stage::Copying { done: total.saturating_sub(bytes(progress.remaining)), total };
        match (step, watch(stage)) {
            (_, Wish::Stop) => return Err(CopyError::Stopped),
            (StepResult::Done, _) => return Ok(()),
            (StepResult::More, _) => {}
            (_, Wish::GoOn) => return Err(OpenError::Held(partial.path().to_path_buf()).into()),
        }
        partial.sync()?;
    }
}

/// Holds the file at `path`, whose schema has to be `version`, to `checks`; the first fault is an error.
pub(super) fn verify_file(
    path: &Path,
    version: i64,
    checks: impl FnOnce(&ReadTx<'_>) -> Result<Vec<Check>>,
    watch: &Watch,
) -> Result<(), CopyError> {
    let stopped = Arc::new(AtomicBool::new(watch(Stage::Verifying) == Wish::Stop));
    let (watch, flag) = (Arc::clone(watch), Arc::clone(&stopped));
    let look = move || {
        flag.fetch_or(watch(Stage::Verifying) == Wish::Stop, Ordering::Relaxed);
        flag.load(Ordering::Relaxed)
    };
    let checks = open::inspect_as(path, version, |tx| {
        // They read everything, as they are meant to; the log of statements is for those that serve requests.
        tx.connection.trace_v2(TraceEventCodes::empty(), None);
        tx.connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(look)).map_err(failed)?;
        checks(tx)
    })?;
    if stopped.load(Ordering::Relaxed) {
        return Err(CopyError::Stopped);
    }
    let damaged = |reason| CopyError::Unfit(OpenError::Damaged(path.to_path_buf(), reason));
    let checks = checks.map_err(|e| damaged(format!("damaged: {e}")))?;
    match checks.into_iter().find_map(|check| Some((check.name, check.fault?))) {
        Some((name, fault)) => Err(damaged(format!("does not verify: {name}: {fault}"))),
        None => Ok(()),
    }
}
