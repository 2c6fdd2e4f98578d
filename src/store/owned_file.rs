//! A file that one process alone writes to: taking it, checking what it is, and migrating it to the current schema. And
//! files that are only read.

use super::{
    ReadTx,
    connection::{BUSY_TIMEOUT, Commits, READ_ONLY, READ_WRITE, prepare_reader, prepare_writer},
    file_system::{self, FileSystem},
    files::{folder_of, lock, open_private, sync_folder, with_suffix},
    mark, migrate,
    open_error::OpenError,
    schema::{Migration, SCHEMA, SCHEMA_VERSION, latest_version},
    sql::{is_disk_full, store_error},
};
use crate::error::Result;
use rusqlite::{Connection, OpenFlags, config::DbConfig, ffi};
use std::{
    fmt,
    fs::{File, OpenOptions},
    path::Path,
    sync::Arc,
};

/// `PRAGMA application_id`: "ordd".
const APPLICATION_ID: i64 = 0x6f72_6464;
/// SQLite 3.51.3: older versions have a bug that can damage a file in WAL mode with two connections.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The reason why a file is refused that its log does not continue.
const FOREIGN_LOG: &str = "the write-ahead log beside it belongs to another database, or to a newer state of this one than \
                           the copy that was put in its place; nothing was changed. To use the file without the log, move \
                           the -wal and -shm files away";

/// A file that is open for writing in this process alone.
pub(super) struct OwnedFile {
    pub(super) connection: Connection,
    /// The file, opened before every connection and closed after the last one.
    pub(super) file: Arc<File>,
    /// Other processes are locked out until this is closed.
    pub(super) lock: File,
}

/// Opens the file at `path` for this process alone: creates it if it does not exist, and runs `migrations` if it is
/// older than they lead to. A file that is newer, or not a database of this program, is not changed.
pub(super) fn open_exclusively(
    path: &Path,
    commits: Commits,
    migrations: &[Migration],
) -> Result<OwnedFile, OpenError> {
    open_with(path, commits, latest_version(migrations), |connection, from| {
        migrate::upgrade(path, connection, from, migrations)
            .map_err(|e| OpenError::Denied(path.to_path_buf(), e.to_string()))
    })
}

/// As [`open_exclusively`], with `upgrade` for a file of a version from 1 to `newest`.
pub(super) fn open_with(
    path: &Path,
    commits: Commits,
    newest: i64,
    upgrade: impl FnOnce(&mut Connection, i64) -> Result<(), OpenError>,
) -> Result<OwnedFile, OpenError> {
    let denied = |e: &dyn fmt::Display| OpenError::Denied(path.to_path_buf(), e.to_string());
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(denied(&format!("SQLite {} is too old to be safe", rusqlite::version())));
    }
    if let Ok(FileSystem::Network(name)) = file_system::of(folder_of(path)) {
        return Err(denied(&format!("{name} is a network file system, which cannot be relied on; use a local disk")));
    }
    let lock = lock(path)?;
    // SQLite gives its side files the permissions of the main file, so that has to be private from the start.
    let opened = open_private(path, OpenOptions::new().read(true).write(true).create(true));
    let file = Arc::new(opened.map_err(|e| denied(&e))?);
    // A writing connection changes the header of a file that is not in WAL mode, so a reading one identifies the file.
    let (_, found) = match identify(path, READ_ONLY) {
        // A file whose creation was interrupted has a rollback journal, and only a writing connection can roll it back.
        Err(OpenError::Denied(..)) => identify(path, READ_WRITE)?,
        identified => identified?,
    };
    let version = match found {
        Identity::Empty => None,
        found => Some(version_of(path, &found, newest)?),
    };
    if has_log(path) && !mark::is_in_wal_mode(&file).map_err(|e| denied(&e))? {
        move_log_into_copy(path).map_err(|e| unusable(path, &e))?;
    }
    let mut connection = Connection::open_with_flags(path, READ_WRITE).map_err(|e| denied(&e))?;
    prepare_writer(&connection, commits).map_err(|e| unusable(path, &e))?;
    match version {
        Some(version) => upgrade(&mut connection, version)?,
        None => create(&connection).map_err(|e| unusable(path, &e))?,
    }
    sync_log(path, &connection)?;
    sync_folder(path).map_err(|e| denied(&e))?;
    Ok(OwnedFile { connection, file, lock })
}

/// Opens a connection that reads the file at `path`, and identifies the file.
fn identify(path: &Path, flags: OpenFlags) -> Result<(Connection, Identity), OpenError> {
    let attempt = || {
        let connection = Connection::open_with_flags(path, flags)?;
        // A connection that may write would mix a foreign log into the file when it is closed.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        prepare_reader(&connection)?;
        connection.execute_batch("BEGIN")?;
        let found = identity(&connection)?;
        let is_foreign = has_log(path) && mark::log::is_foreign(path, &connection);
        connection.execute_batch("COMMIT")?;
        Ok((connection, found, is_foreign))
    };
    match attempt().map_err(|e| unusable(path, &e))? {
        (_, _, true) => Err(OpenError::Damaged(path.to_path_buf(), FOREIGN_LOG.to_owned())),
        (connection, found, false) => Ok((connection, found)),
    }
}

/// Whether something is in the log beside the file at `path`.
pub(super) fn has_log(path: &Path) -> bool {
    std::fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Moves the log into a backup that was put over the database and that the log continues. A backup is not in WAL mode,
/// so that further connections would not see the log.
fn move_log_into_copy(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The first reading opens the log.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy"))?;
    if is_busy { Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)) } else { Ok(()) }
}

/// The version of the schema. Fails if the file is newer than `newest`, or not a database of this program.
fn version_of(path: &Path, found: &Identity, newest: i64) -> Result<i64, OpenError> {
    match found {
        Identity::Ours(version) if *version > newest => Err(OpenError::Newer(path.to_path_buf(), *version)),
        Identity::Ours(version) => Ok(*version),
        Identity::Empty | Identity::Foreign => {
            Err(OpenError::Damaged(path.to_path_buf(), "not a database of orderd".to_owned()))
        }
    }
}

/// Reads the file at `path`, even while a server has it open.
pub(super) fn inspect<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
    inspect_version(path, SCHEMA_VERSION, work)
}

/// Reads the file at `path`, whose schema must have this version.
pub(super) fn inspect_version<T>(
    path: &Path,
    version: i64,
    work: impl FnOnce(&ReadTx<'_>) -> T,
) -> Result<T, OpenError> {
    // The messages of SQLite for these are not helpful.
    let reason = if path.is_dir() { Some("is a folder") } else { (!path.exists()).then_some("there is no such file") };
    if let Some(reason) = reason {
        return Err(OpenError::Denied(path.to_path_buf(), reason.to_owned()));
    }
    let (mut connection, found) = identify(path, READ_ONLY)?;
    let found = version_of(path, &found, version)?;
    if found < version {
        return Err(OpenError::Older(path.to_path_buf(), found));
    }
    let transaction = connection.transaction().map_err(|e| unusable(path, &e))?;
    Ok(work(&ReadTx { connection: &transaction }))
}

/// The version of the schema of the file at `path`, which must not be newer than `newest`.
pub(super) fn version(path: &Path, newest: i64) -> Result<i64, OpenError> {
    version_of(path, &identify(path, READ_ONLY)?.1, newest)
}

/// Brings the commits in the write-ahead log to disk: into the file or, if a reader or a full disk prevents that, in
/// the log. The previous process may have died between writing a commit and syncing it, or after a failed sync. From
/// now on such a commit is visible to clients, so it must not be lost.
fn sync_log(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    // A checkpoint that a reader prevents does not fail: it reports "busy", and may have synced nothing.
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy")) {
        Ok(false) => return Ok(()),
        Ok(true) => tracing::info!("a reader needs the write-ahead log: it is synced and stays beside the file"),
        Err(e) if is_disk_full(&e) => {
            tracing::warn!(error.cause = %e, "the disk is full: the write-ahead log is synced and stays beside the file");
        }
        Err(e) => return Err(unusable(path, &e)),
    }
    let synced = File::open(with_suffix(path, "-wal")).and_then(|log| log.sync_data());
    synced.map_err(|e| OpenError::Denied(path.to_path_buf(), e.to_string()))
}

pub(super) fn unusable(path: &Path, e: &rusqlite::Error) -> OpenError {
    match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged(path.to_path_buf(), format!("damaged: {e}"))
        }
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            OpenError::InUse(path.to_path_buf(), None)
        }
        _ => OpenError::Denied(path.to_path_buf(), e.to_string()),
    }
}

/// What a file is.
enum Identity {
    Empty,
    /// A database of this program, whose schema has this version.
    Ours(i64),
    Foreign,
}

fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(Identity::Empty);
    }
    let application = number("SELECT application_id FROM pragma_application_id")?;
    let version = number("SELECT user_version FROM pragma_user_version")?;
    Ok(if application == APPLICATION_ID && version > 0 { Identity::Ours(version) } else { Identity::Foreign })
}

/// Whether the file can be read and has the current schema.
pub(super) fn is_current(tx: &ReadTx<'_>) -> Result<bool> {
    identity(tx.connection).map(|found| matches!(found, Identity::Ours(SCHEMA_VERSION))).map_err(store_error)
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{SCHEMA}\nCOMMIT;"))
}
