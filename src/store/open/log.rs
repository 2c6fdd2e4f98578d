//! Recognising a write-ahead log that belongs to another database. SQLite applies any log that is valid in itself,
//! which would mix two databases or replace one by the other.

use crate::store::{connection::READ_ONLY, with_suffix};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::Path;

/// Whether the first entry of the audit trail differs with and without the log. That entry never changes in one
/// database. If either has no first entry, or an interrupted checkpoint has left the file unreadable, the answer is no.
pub(super) fn is_foreign(path: &Path) -> bool {
    if !std::fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        return false;
    }
    // SQLite ignores the log of a file that it is told never changes.
    let sides = (first_entry(path, ""), first_entry(path, "?immutable=1"));
    matches!(sides, (Some(with), Some(without)) if with != without)
}

fn first_entry(path: &Path, options: &str) -> Option<[u8; 32]> {
    let path = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{path}{options}"), flags).ok()?;
    connection.query_row("SELECT hash FROM audit WHERE seq = 1", [], |row| row.get(0)).optional().ok()?
}
