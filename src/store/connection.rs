//! The settings of each connection to a file.

use super::functions::add_functions;
use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    limits::Limit,
    trace::{TraceEvent, TraceEventCodes},
    vtab::array,
};
use std::time::Duration;

/// Flags for reading a file. Each connection is used by one thread at a time.
pub(super) const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// Flags for changing an existing file.
pub(super) const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// How long a connection waits for a lock of another connection or process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the writer waits for the write lock of another process: with it, a change is answered within 2 seconds.
pub(super) const WRITE_LOCK_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The most statements that a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;
/// The write-ahead log is cut to this size when it starts anew: more than it has when no reading prevents checkpoints,
/// since a log that grows again after a cut syncs more slowly.
const LOG_FILE_BYTES: i64 = 52 * 1024 * 1024;
/// Page cache of the writing connection, in KiB: several times what a full batch changes. A larger one is slower:
/// SQLite walks all of it at a commit that has split a page, so with 16 MiB every tenth cycle of an order was spent on
/// that.
const WRITER_CACHE_KIB: i64 = 4 * 1024;
/// Page cache of each reading connection, in KiB.
const READER_CACHE_KIB: i64 = 8 * 1024;

/// How safe a commit is when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// It is synced to disk.
    Synced,
    /// It is written, but a power failure may undo the latest commits.
    Written,
}

/// Sets up the connection that writes.
pub(super) fn prepare_writer(connection: &Connection, commits: Commits) -> rusqlite::Result<()> {
    prepare(connection, WRITER_CACHE_KIB)?;
    connection.busy_timeout(WRITE_LOCK_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match commits {
        Commits::Synced => "FULL",
        Commits::Written => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // What is deleted or moved away within a page that changes anyway is overwritten. Personal data needs no more: it
    // is overwritten in place.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    // Checkpoints are made when `writer/wal.rs` says so.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // A log that a long reading made longer than that is cut when it starts anew.
    connection.pragma_update(None, "journal_size_limit", LOG_FILE_BYTES)
}

/// Sets up a connection that only reads.
pub(super) fn prepare_reader(connection: &Connection) -> rusqlite::Result<()> {
    prepare(connection, READER_CACHE_KIB)?;
    add_functions(connection)?;
    // `FROM rarray(?1)` in a statement yields a row for each value of a list that is bound to it.
    array::load_module(connection)?;
    connection.pragma_update(None, "query_only", true)
}

/// Logs the text of a statement. The values bound to it may be secrets and are left out.
fn log_statement(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(statement, _) = event {
        tracing::trace!(db.statement = %statement.sql(), "SQL statement");
    }
}

/// The settings of every connection: strict SQL, no trust in the schema of the file, stable plans.
fn prepare(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if tracing::enabled!(tracing::Level::TRACE) {
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(log_statement));
    }
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -cache_kib)
}
