//! Whether the write-ahead log beside a file is its own. SQLite takes any log that is sound in itself, and the file is then
//! a mixture of two, or another one altogether.

use crate::store::{beside, connection::READ_ONLY};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::Path;

/// Whether the first entry of the audit trail, which never changes, is another one with the log than without it. Where
/// one side has none, or a checkpoint that was cut short has left it unreadable, there is nothing to say.
pub(super) fn is_foreign(path: &Path) -> bool {
    if !std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        return false;
    }
    // To SQLite, a file that cannot change has no log.
    let sides = (first_entry(path, ""), first_entry(path, "?immutable=1"));
    matches!(sides, (Some(with), Some(without)) if with != without)
}

fn first_entry(path: &Path, options: &str) -> Option<[u8; 32]> {
    let path = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{path}{options}"), flags).ok()?;
    connection.query_row("SELECT hash FROM audit WHERE seq = 1", [], |row| row.get(0)).optional().ok()?
}
