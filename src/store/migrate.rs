//! Running migrations: each in a transaction of its own, after a verified copy of the file was made. A process killed
//! at any point leaves the file at one version or the next, and the next start continues from there. New files are
//! created from `schema.sql` and need no migrations.

use super::{
    CopyError, OpenError,
    backup::partial::PartialFile,
    connection::{Commits, READ_ONLY, READ_WRITE, prepare_writer},
    files::with_suffix,
    mark,
    schema::Migration,
    sql::is_disk_full,
};
use crate::domain::digest::hex_sha256;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{error::Error, fmt, path::Path};

/// Why a file could not be migrated. It is as the last successful migration left it.
#[derive(Debug)]
pub(super) struct UpgradeError {
    what: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

fn failed<E: Into<Box<dyn Error + Send + Sync>>>(what: impl Into<String>) -> impl FnOnce(E) -> UpgradeError {
    let what = what.into();
    move |cause| UpgradeError { what, cause: cause.into() }
}

/// Runs the migrations after version `from`, if there are any. `connection` is the only one that writes to `path`.
pub(super) fn upgrade(
    path: &Path,
    connection: &mut Connection,
    from: i64,
    migrations: &[Migration],
) -> Result<(), UpgradeError> {
    let due: Vec<_> = migrations.iter().filter(|migration| migration.to > from).collect();
    let Some(first) = due.first() else { return Ok(()) };
    keep_copy(path, from, first.to)?;
    run_all(path, connection, &due)
}

/// Runs the migrations after version `from` in a file under construction. It is a copy already, so none is kept.
pub(super) fn upgrade_copy(copy: &PartialFile, from: i64, migrations: &[Migration]) -> Result<(), CopyError> {
    let due: Vec<_> = migrations.iter().filter(|migration| migration.to > from).collect();
    let open = || {
        let connection = Connection::open_with_flags(copy.path(), READ_WRITE)?;
        prepare_writer(&connection, Commits::Written)?;
        // No write-ahead log: the copy must stay one file.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        Ok::<_, rusqlite::Error>(connection)
    };
    let opened = open().map_err(failed("the upgrade could not begin"));
    let upgraded = opened.and_then(|mut connection| run_all(copy.path(), &mut connection, &due));
    upgraded.map_err(|e| match e.cause.downcast_ref() {
        Some(cause) if is_disk_full(cause) => CopyError::DiskFull(copy.path().to_path_buf()),
        _ => OpenError::Damaged(copy.path().to_path_buf(), e.to_string()).into(),
    })
}

/// Runs these migrations one after the other.
fn run_all(path: &Path, connection: &mut Connection, due: &[&Migration]) -> Result<(), UpgradeError> {
    // A table can only be replaced while foreign keys are off. Each migration checks them itself.
    connection.pragma_update(None, "foreign_keys", false).map_err(failed("the upgrade could not begin"))?;
    for migration in due {
        run(connection, migration).map_err(failed(format!("the upgrade to schema {} failed", migration.to)))?;
        tracing::info!(
            db.path = %path.display(),
            db.schema = migration.to,
            "upgraded {} to schema {}", path.display(), migration.to
        );
    }
    connection.pragma_update(None, "foreign_keys", true).map_err(failed("the upgrade could not be ended"))
}

fn run(connection: &mut Connection, migration: &Migration) -> Result<(), Box<dyn Error + Send + Sync>> {
    Ok(begin(connection, migration)?.commit()?)
}

/// Runs a migration in a transaction. Foreign keys must be off. Without a commit, dropping the transaction rolls it
/// back.
pub(super) fn begin<'c>(
    connection: &'c mut Connection,
    migration: &Migration,
) -> Result<Transaction<'c>, Box<dyn Error + Send + Sync>> {
    if hex_sha256(migration.sql) != migration.sha256 {
        return Err("the step is not the one that was released".into());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err("a row would refer to nothing".into());
    }
    // The copy of the file before it does not belong to the log from now on.
    mark::renew(&transaction)?;
    transaction.pragma_update(None, "user_version", migration.to)?;
    Ok(transaction)
}

/// Copies the file at `path`, whose schema has version `from`, to `<path>.pre-v<to>.db`. The copy is verified and on
/// disk before it gets that name.
pub(super) fn keep_copy(path: &Path, from: i64, to: i64) -> Result<(), UpgradeError> {
    let copy = with_suffix(path, &format!(".pre-v{to}.db"));
    make_copy(path, &copy, from)
        .map_err(failed(format!("no upgrade without a copy; {} could not be made", copy.display())))?;
    tracing::info!(db.path = %path.display(), db.copy = %copy.display(), "kept a copy of {} before upgrading it", path.display());
    Ok(())
}

/// Only SQLite checks this copy: the other checks know the current schema alone.
fn make_copy(path: &Path, copy: &Path, version: i64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let partial = PartialFile::create(&with_suffix(copy, ".partial"))?;
    let name = partial.path().to_str().ok_or("its name is not UTF-8")?;
    // SQLite fills the existing empty file and keeps its permissions.
    Connection::open_with_flags(path, READ_ONLY)?.execute("VACUUM INTO ?1", [name])?;
    let copied = Connection::open_with_flags(partial.path(), READ_ONLY)?;
    let sound: String = copied.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let found: i64 = copied.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    drop(copied);
    if (sound.as_str(), found) != ("ok", version) {
        return Err(format!("the copy is not sound: {sound}, schema {found}").into());
    }
    partial.finish(copy)?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
