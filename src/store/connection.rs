//! Connections: what a store is opened with, and how each connection to the file is set up.

use super::sql::add_functions;
use crate::domain::{id::Ids, time::Clock};
use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    limits::Limit,
    trace::{TraceEvent, TraceEventCodes},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// How a file is opened that is only read. Each connection is used by one thread at a time.
pub(super) const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// How a file is opened that is there, to change it.
pub(super) const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// How long a connection waits for others who use the file, such as another process.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Statements that each connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;
/// Page cache of the writing connection, in KiB. Larger is not better: SQLite walks all of it at a commit that has split
/// a page.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of each reading connection, in KiB.
const READER_CACHE_KIB: i64 = 8 * 1024;

/// What has become of a commit when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// It is on disk.
    Synced,
    /// It is written; a power cut may take the newest ones.
    Written,
}

/// How to open a store.
pub struct Options {
    /// The database file.
    pub path: PathBuf,
    /// When a commit is answered.
    pub commits: Commits,
    /// The time limit of a request; a write may wait half of it to begin.
    pub request_timeout: Duration,
    /// How long a query in the lane of long ones may take.
    pub query_budget: Duration,
    /// Threads that read at once.
    pub threads: usize,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where identifiers come from.
    pub ids: Arc<Ids>,
}

/// Sets up the connection that writes.
pub(super) fn prepare_writer(connection: &Connection, commits: Commits) -> rusqlite::Result<()> {
    prepare(connection, WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match commits {
        Commits::Synced => "FULL",
        Commits::Written => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Checkpoints are the writer's own.
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

/// Sets up a connection that only reads.
pub(super) fn prepare_reader(connection: &Connection) -> rusqlite::Result<()> {
    prepare(connection, READER_CACHE_KIB)?;
    add_functions(connection)?;
    connection.pragma_update(None, "query_only", true)
}

/// The text of a statement, without the values bound to it.
fn log_statement(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(statement, _) = event {
        tracing::trace!(db.statement = %statement.sql(), "statement");
    }
}

/// What every connection has in common: strictness, no trust in the schema, stable plans.
fn prepare(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
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
