//! Opening the file: who may, and what it must be.

use super::{
    Gauges, Inner, ReadTx, Store,
    connection::{Options, prepare_reader, prepare_writer},
    readers::Readers,
    sql::failed,
    writer::Writer,
};
use crate::error::Result;
use rusqlite::{Connection, OpenFlags};
use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The present schema; a new file is made from it.
const SCHEMA: &str = include_str!("../../schema.sql");
/// `PRAGMA user_version` of the present schema.
const SCHEMA_VERSION: i64 = 1;
/// `PRAGMA application_id`: "ordd".
const APPLICATION_ID: i64 = 0x6f72_6464;
/// The oldest SQLite without the fault that could damage a WAL file with two connections: 3.51.3.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Why a file could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another server has it.
    Held(PathBuf),
    /// It was written by a newer version.
    Newer(PathBuf, i64),
    /// It is not a database of this program, or is damaged.
    Damaged(PathBuf, String),
    /// The system would not let us.
    Denied(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(path) => write!(f, "{}: in use by another orderd", path.display()),
            Self::Newer(path, version) => write!(
                f,
                "{}: schema {version} is newer than this program's {SCHEMA_VERSION}; it was left untouched",
                path.display()
            ),
            Self::Damaged(path, reason) | Self::Denied(path, reason) => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

pub(super) fn open(options: &Options) -> Result<Store, OpenError> {
    let path = &options.path;
    let denied = |e: &dyn fmt::Display| OpenError::Denied(path.clone(), e.to_string());
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(denied(&format!("SQLite {} is too old to be safe", rusqlite::version())));
    }
    let lock = lock(path)?;
    // SQLite gives its side files the mode of the main one, so that has to be private from the start.
    private(OpenOptions::new().read(true).write(true).create(true)).open(path).map_err(|e| denied(&e))?;
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| denied(&e))?;
    let found = prepare_writer(&connection, options.synced).and_then(|()| schema_version(&connection));
    match found.map_err(|e| unusable(path, &e))? {
        Found::Empty => create(&connection).map_err(|e| unusable(path, &e))?,
        Found::Ours(SCHEMA_VERSION) => {}
        Found::Ours(version) => return Err(OpenError::Newer(path.clone(), version)),
        Found::Foreign => return Err(OpenError::Damaged(path.clone(), "not a database of orderd".to_owned())),
    }
    sync_folder(path).map_err(|e| denied(&e))?;
    let gauges = Arc::new(Gauges::new(Readers::connections(options)));
    let readers = Readers::open(options, &gauges).map_err(|e| denied(&e))?;
    let writer = Writer::start(connection, options, &gauges).map_err(|e| denied(&e))?;
    Ok(Store(Arc::new(Inner { writer, readers, gauges, path: path.clone(), _lock: lock })))
}

/// Reads the file at `path`, beside whatever server has it open.
pub(super) fn inspect<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, OpenError> {
    // SQLite has no words for these.
    let reason = if path.is_dir() { Some("is a folder") } else { (!path.exists()).then_some("there is no such file") };
    if let Some(reason) = reason {
        return Err(OpenError::Denied(path.to_path_buf(), reason.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| unusable(path, &e))?;
    match prepare_reader(&connection).and_then(|()| schema_version(&connection)).map_err(|e| unusable(path, &e))? {
        Found::Ours(SCHEMA_VERSION) => {}
        Found::Ours(version) => return Err(OpenError::Newer(path.to_path_buf(), version)),
        Found::Empty | Found::Foreign => {
            return Err(OpenError::Damaged(path.to_path_buf(), "not a database of orderd".to_owned()));
        }
    }
    let transaction = connection.transaction().map_err(|e| unusable(path, &e))?;
    Ok(work(&ReadTx { connection: &transaction }))
}

/// Takes the advisory lock on the side file `<path>.lock`, for as long as the returned file stays open.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let denied = |e: std::io::Error| OpenError::Denied(path.to_path_buf(), e.to_string());
    let file = private(OpenOptions::new().read(true).write(true).create(true)).open(name).map_err(denied)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(path.to_path_buf())),
        Err(TryLockError::Error(e)) => Err(denied(e)),
    }
}

/// Readable by nobody else, whatever the umask.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Makes the file's entry in its folder durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
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
