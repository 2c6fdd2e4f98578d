//! Upgrades: the steps from each earlier schema to the present one, each in a transaction of its own, after a verified
//! copy of the file. Killed at any point, the file is at one version or the next, and opening it again goes on from there.
//! A new file takes no steps: it is made from `schema.sql`.

use super::{
    CopyError, OpenError,
    backup::partial::Partial,
    connection::{Commits, READ_ONLY, READ_WRITE, prepare_writer},
    files::beside,
    schema::Step,
    sql::says_full,
};
use crate::domain::digest::hex_sha256;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

/// Why a file could not be upgraded. It is as it was after the last step that succeeded.
#[derive(Debug)]
pub(super) struct Failed {
    what: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

fn failed<E: Into<Box<dyn Error + Send + Sync>>>(what: impl Into<String>) -> impl FnOnce(E) -> Failed {
    let what = what.into();
    move |cause| Failed { what, cause: cause.into() }
}

/// Takes the steps that lead on from version `from`, if there are any. `connection` is the only one that writes to `path`.
pub(super) fn upgrade(path: &Path, connection: &mut Connection, from: i64, steps: &[Step]) -> Result<(), Failed> {
    let due: Vec<_> = steps.iter().filter(|step| step.to > from).collect();
    let Some(first) = due.first() else { return Ok(()) };
    let copy = keep_copy(path, from, first.to)?;
    tracing::info!(db.path = %path.display(), db.copy = %copy.display(), "kept a copy before upgrading");
    take_all(path, connection, &due)
}

/// Takes the steps that lead on from version `from` in a file that is being made. It is a copy itself: none is kept.
pub(super) fn upgrade_copy(copy: &Partial, from: i64, steps: &[Step]) -> Result<(), CopyError> {
    let due: Vec<_> = steps.iter().filter(|step| step.to > from).collect();
    let open = || {
        let connection = Connection::open_with_flags(copy.path(), READ_WRITE)?;
        prepare_writer(&connection, Commits::Written)?;
        // It stays one file.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        Ok::<_, rusqlite::Error>(connection)
    };
    let begun = open().map_err(failed("the upgrade could not begin"));
    let taken = begun.and_then(|mut connection| take_all(copy.path(), &mut connection, &due));
    taken.map_err(|e| match e.cause.downcast_ref() {
        Some(cause) if says_full(cause) => CopyError::Full(copy.path().to_path_buf()),
        _ => OpenError::Damaged(copy.path().to_path_buf(), e.to_string()).into(),
    })
}

/// Takes these steps, one after the other.
fn take_all(path: &Path, connection: &mut Connection, due: &[&Step]) -> Result<(), Failed> {
    // Tables can only be replaced by new ones while references to them are not followed; each step checks them itself.
    connection.pragma_update(None, "foreign_keys", false).map_err(failed("the upgrade could not begin"))?;
    for step in due {
        take(connection, step).map_err(failed(format!("the upgrade to schema {} failed", step.to)))?;
        tracing::info!(db.path = %path.display(), db.schema = step.to, "upgraded");
    }
    connection.pragma_update(None, "foreign_keys", true).map_err(failed("the upgrade could not be ended"))
}

fn take(connection: &mut Connection, step: &Step) -> Result<(), Box<dyn Error + Send + Sync>> {
    if hex_sha256(step.sql) != step.sha256 {
        return Err("the step is not the one that was released".into());
    }
    // Dropped without a commit, it is rolled back.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(step.sql)?;
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err("a row would refer to nothing".into());
    }
    transaction.pragma_update(None, "user_version", step.to)?;
    Ok(transaction.commit()?)
}

/// Copies the file at `path`, which is at version `from`, to `<path>.pre-v<to>.db`: whole, verified and on disk before it
/// bears that name.
fn keep_copy(path: &Path, from: i64, to: i64) -> Result<PathBuf, Failed> {
    let copy = beside(path, &format!(".pre-v{to}.db"));
    make_copy(path, &copy, from)
        .map_err(failed(format!("no upgrade without a copy; {} could not be made", copy.display())))?;
    Ok(copy)
}

/// What the rows must agree with is known of the present schema alone, so SQLite's own check is all that this copy is held
/// to.
fn make_copy(path: &Path, copy: &Path, version: i64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let partial = Partial::begin(&beside(copy, ".partial"))?;
    let name = partial.path().to_str().ok_or("its name is not UTF-8")?;
    // SQLite fills an empty file that is there, and leaves it its mode.
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
