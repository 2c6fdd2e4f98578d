//! Opening the file: who may, what it must be, and bringing it up to date.

mod log;

use super::{
    Inner, ReadTx, Store,
    connection::{Commits, Options, READ_ONLY, READ_WRITE, prepare_reader, prepare_writer},
    file_system::{self, FileSystem},
    files::{beside, folder_of, lock, private, sync_folder},
    gauges::Gauges,
    migrate,
    open_error::OpenError,
    readers::Readers,
    schema::{SCHEMA, SCHEMA_VERSION, STEPS, Step, newest},
    sql::{failed, says_full},
    writer::Writer,
};
use crate::error::Result;
use rusqlite::{Connection, OpenFlags};
use std::{
    fmt,
    fs::{File, OpenOptions},
    path::Path,
    sync::Arc,
};

/// `PRAGMA application_id`: "ordd".
const APPLICATION_ID: i64 = 0x6f72_6464;
/// The oldest SQLite without the fault that could damage a WAL file with two connections: 3.51.3.
const OLDEST_SQLITE: i32 = 3_051_003;

/// A file that this process has to itself.
pub(super) struct Taken {
    /// Held for as long as the file is this process's own.
    pub(super) lock: File,
    /// The connection that writes.
    pub(super) connection: Connection,
}

pub(super) fn open(options: &Options) -> Result<Store, OpenError> {
    let path = &options.path;
    let denied = |e: &dyn fmt::Display| OpenError::Denied(path.clone(), e.to_string());
    let Taken { lock, connection } = take(path, options.commits, STEPS)?;
    let gauges = Arc::new(Gauges::new(Readers::connections(options)));
    let readers = Readers::open(options, Arc::clone(&gauges)).map_err(|e| denied(&e))?;
    let writer = Writer::start(connection, options, Arc::clone(&gauges)).map_err(|e| denied(&e))?;
    Ok(Store(Arc::new(Inner { writer, readers, gauges, path: path.clone(), _lock: lock })))
}

/// Takes the file at `path` for this process alone: makes it if it is not there, and upgrades it by `steps` if it is older
/// than they lead to. One that is newer, or not ours, is left as it is.
pub(super) fn take(path: &Path, commits: Commits, steps: &[Step]) -> Result<Taken, OpenError> {
    let denied = |e: &dyn fmt::Display| OpenError::Denied(path.to_path_buf(), e.to_string());
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(denied(&format!("SQLite {} is too old to be safe", rusqlite::version())));
    }
    if let Ok(FileSystem::Network(name)) = file_system::of(folder_of(path)) {
        return Err(denied(&format!("{name} is a network file system, which cannot be relied on; use a local disk")));
    }
    let lock = lock(path)?;
    // SQLite gives its side files the mode of the main one, so that has to be private from the start.
    private(OpenOptions::new().read(true).write(true).create(true)).open(path).map_err(|e| denied(&e))?;
    // A connection that may write changes the header of a file that is not in WAL mode yet, so one that only reads says
    // whose the file is.
    let (_, found) = match look(path, READ_ONLY) {
        // A file that its making was cut short in has a rollback journal, which only one that may write can follow.
        Err(OpenError::Denied(..)) => look(path, READ_WRITE)?,
        looked => looked?,
    };
    let version = match found {
        Found::Empty => None,
        found => Some(version_of(path, &found, newest(steps))?),
    };
    let mut connection = Connection::open_with_flags(path, READ_WRITE).map_err(|e| denied(&e))?;
    prepare_writer(&connection, commits).map_err(|e| unusable(path, &e))?;
    match version {
        Some(version) => migrate::upgrade(path, &mut connection, version, steps).map_err(|e| denied(&e))?,
        None => create(&connection).map_err(|e| unusable(path, &e))?,
    }
    settle(path, &connection)?;
    sync_folder(path).map_err(|e| denied(&e))?;
    Ok(Taken { lock, connection })
}

/// A connection that reads the file at `path`, and what it has found there.
fn look(path: &Path, flags: OpenFlags) -> Result<(Connection, Found), OpenError> {
    if log::is_foreign(path) {
        let reason =
            "the write-ahead log beside it belongs to another database; take it away to see the file without it";
        return Err(OpenError::Damaged(path.to_path_buf(), reason.to_owned()));
    }
    let connection = Connection::open_with_flags(path, flags).map_err(|e| unusable(path, &e))?;
    let found = prepare_reader(&connection).and_then(|()| schema_version(&connection));
    found.map(|found| (connection, found)).map_err(|e| unusable(path, &e))
}

/// The schema of what was found; refuses what this program, whose own is `newest`, cannot write.
fn version_of(path: &Path, found: &Found, newest: i64) -> Result<i64, OpenError> {
    match found {
        Found::Ours(version) if *version > newest => Err(OpenError::Newer(path.to_path_buf(), *version)),
        Found::Ours(version) => Ok(*version),
        Found::Empty | Found::Foreign => {
            Err(OpenError::Damaged(path.to_path_buf(), "not a database of orderd".to_owned()))
        }
    }
}

/// Reads the file at `path`, beside whatever server has it open.
pub(super) fn inspect<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
    inspect_as(path, SCHEMA_VERSION, work)
}

/// Reads the file at `path`, whose schema has to be `version`.
pub(super) fn inspect_as<T>(path: &Path, version: i64, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
    // SQLite has no words for these.
    let reason = if path.is_dir() { Some("is a folder") } else { (!path.exists()).then_some("there is no such file") };
    if let Some(reason) = reason {
        return Err(OpenError::Denied(path.to_path_buf(), reason.to_owned()));
    }
    let (mut connection, found) = look(path, READ_ONLY)?;
    let found = version_of(path, &found, version)?;
    if found < version {
        return Err(OpenError::Older(path.to_path_buf(), found));
    }
    let transaction = connection.transaction().map_err(|e| unusable(path, &e))?;
    Ok(work(&ReadTx { connection: &transaction }))
}

/// The schema of the file at `path`, which must not be newer than `newest`.
pub(super) fn version(path: &Path, newest: i64) -> Result<i64, OpenError> {
    version_of(path, &look(path, READ_ONLY)?.1, newest)
}

/// Brings what is in the log onto the disk: into the file or, while a reader or a full disk keeps it from there, where it
/// is. The process before this one may have died between writing a commit and syncing it, or after a sync that failed.
/// From now on such a commit is answered as one that is kept, so it has to be.
fn settle(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    // A checkpoint that a reader is in the way of does not fail: it says so, and has perhaps synced nothing.
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy")) {
        Ok(false) => return Ok(()),
        Ok(true) => tracing::info!("a reader needs the write-ahead log: it is synced where it is"),
        Err(e) if says_full(&e) => {
            tracing::warn!(error.cause = %e, "the disk is full: the write-ahead log is synced where it is");
        }
        Err(e) => return Err(unusable(path, &e)),
    }
    let synced = File::open(beside(path, "-wal")).and_then(|log| log.sync_data());
    synced.map_err(|e| OpenError::Denied(path.to_path_buf(), e.to_string()))
}

fn unusable(path: &Path, e: &rusqlite::Error) -> OpenError {
    match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged(path.to_path_buf(), format!("damaged: {e}"))
        }
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            OpenError::Held(path.to_path_buf())
        }
        _ => OpenError::Denied(path.to_path_buf(), e.to_string()),
    }
}

enum Found {
    Empty,
    Ours(i64),
    Foreign,
}

fn schema_version(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(Found::Empty);
    }
    let application = number("SELECT application_id FROM pragma_application_id")?;
    let version = number("SELECT user_version FROM pragma_user_version")?;
    Ok(if application == APPLICATION_ID && version > 0 { Found::Ours(version) } else { Found::Foreign })
}

/// Whether the file still has the schema that it was opened with.
pub(super) fn is_current(tx: &ReadTx<'_>) -> Result<bool> {
    schema_version(tx.connection).map(|found| matches!(found, Found::Ours(SCHEMA_VERSION))).map_err(failed)
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{SCHEMA}\nCOMMIT;"))
}
