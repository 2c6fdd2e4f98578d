//! The mark that ties a file to its write-ahead log. Each commit of this program gives the database a new random mark
//! and keeps the one before it, so a log says which state of which database it continues. SQLite itself applies any log
//! that is valid in itself: one beside an older copy of the file would mix two states of the database into one.
//!
//! The file alone has the mark of the last commit that a checkpoint moved into it. That must be the mark before the
//! first commit in the log, or the mark of a commit in the log. `mark/log.rs` compares the two when a file is opened,
//! and [`WatchedFile`] does so while the file is open, before each commit and each checkpoint.

pub(super) mod log;

use crate::error::{Error, Result, problem};
use rusqlite::Connection;
use std::{collections::VecDeque, fs::File, os::unix::fs::FileExt, sync::Arc};

/// A mark: random bytes.
pub(super) type Mark = [u8; 16];

/// The row of a commit in `log_mark`.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// The mark of the commit.
    mark: Mark,
    /// The mark of the commit before it.
    previous: Mark,
}

/// The first byte of a page that is the only page of a table (section 1.6 of SQLite's file format).
const LEAF: u8 = 13;
/// What comes before the two marks in the only row: the length and number of the row, the length of its header, and the
/// types NULL (the number of the row again), BLOB(16) and BLOB(16) (section 2.1).
const ROW_START: [u8; 6] = [36, 1, 4, 0, 44, 44];

impl Link {
    /// Reads the only row from the page of the table.
    fn of_page(page: &[u8]) -> Option<Self> {
        let number = |at| Some(u16::from_be_bytes(*page.get(at..)?.first_chunk()?));
        if (*page.first()?, number(3)?) != (LEAF, 1) {
            return None;
        }
        let (mark, rest) = page.get(usize::from(number(8)?)..)?.strip_prefix(&ROW_START)?.split_first_chunk()?;
        Some(Self { mark: *mark, previous: *rest.first_chunk()? })
    }
}

/// Gives the database a new mark, as a part of the current transaction.
pub(super) fn renew(connection: &Connection) -> rusqlite::Result<Mark> {
    let sql = "UPDATE log_mark SET previous = mark, mark = randomblob(16) WHERE one = 1 RETURNING mark";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// Whether the header of a file says that it is in WAL mode (section 1.3 of SQLite's file format).
pub(super) fn is_in_wal_mode(file: &File) -> std::io::Result<bool> {
    let mut versions = [0; 2];
    match file.read_exact_at(&mut versions, 18) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| versions == [2, 2]),
    }
}

/// The page of the table `log_mark`, as a number from 1. A file without that table has none.
fn page_of_mark(connection: &Connection) -> Option<u32> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'log_mark'";
    connection.query_row(sql, [], |row| row.get(0)).ok()
}

/// The file that the writer has open. It is watched, since a copy that is put over an open file would be mixed with the
/// pages in the log and in memory.
pub(super) struct WatchedFile {
    /// Not closed before every connection to the file: that would end the locks of this process (fcntl(2)).
    file: Arc<File>,
    /// Where the page of the mark begins.
    offset: u64,
    page: Vec<u8>,
    /// The mark in the file when it was looked at last; none while the file has none, but its log.
    seen: Option<Mark>,
    /// The marks of the commits in the log that may not be in the file yet.
    in_log: VecDeque<Mark>,
    /// Whether the last of these belongs to the current transaction.
    is_open: bool,
}

impl WatchedFile {
    /// Begins to watch `file`, which `connection` has open. `in_log` are the marks in the log beside it.
    pub(super) fn new(
        file: Arc<File>,
        connection: &Connection,
        in_log: impl IntoIterator<Item = Mark>,
    ) -> rusqlite::Result<Self> {
        let page_size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let number = page_of_mark(connection).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let mut watched = Self {
            file,
            offset: u64::from(number.saturating_sub(1)) * u64::from(page_size),
            page: vec![0; page_size as usize],
            seen: None,
            in_log: in_log.into_iter().collect(),
            is_open: false,
        };
        watched.seen = watched.read().unwrap_or_default();
        Ok(watched)
    }

    /// The mark that is in the file without its log. A file that is not in WAL mode, such as a backup, has no log.
    fn read(&mut self) -> std::io::Result<Option<Mark>> {
        if !is_in_wal_mode(&self.file)? {
            return Ok(None);
        }
        let Self { file, offset, page, .. } = self;
        match file.read_exact_at(page, *offset) {
            Ok(()) => Ok(Link::of_page(page).map(|link| link.mark)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Notes that a commit with this mark is about to be in the log.
    pub(super) fn will_commit(&mut self, mark: Mark) {
        self.in_log.push_back(mark);
        self.is_open = true;
    }

    /// Notes that the transaction with the newest mark was committed.
    pub(super) fn committed(&mut self) {
        self.is_open = false;
    }

    /// Notes that the current transaction was rolled back: its mark, if it has one already, will never be in the file.
    pub(super) fn rolled_back(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.in_log.pop_back();
        }
    }

    /// Fails if the file is not the one that the log continues.
    ///
    /// # Errors
    /// `OUTCOME_UNKNOWN`: what is on disk is not what was written.
    pub(super) fn check(&mut self) -> Result<()> {
        let found = match self.read() {
            Ok(found) if found == self.seen => return Ok(()),
            Ok(found) => found,
            // SQLite meets a failing disk too, and knows what it needed the page for.
            Err(_) => return Ok(()),
        };
        let Some(place) = found.and_then(|found| self.in_log.iter().position(|mark| *mark == found)) else {
            let cause = "another file was put over the database while it was open; the log is not moved into it";
            return Err(Error::new(&problem::OUTCOME_UNKNOWN).caused_by(cause));
        };
        // A checkpoint has moved the file on, and it never goes back.
        self.in_log.drain(..=place);
        self.seen = found;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;

    #[test]
    fn the_mark_is_read_from_the_page_of_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let checkpoint = || connection.query_row("PRAGMA wal_checkpoint", [], |_| Ok(())).unwrap();
        checkpoint();
        let file = Arc::new(File::open(&path).unwrap());
        let mut watched = WatchedFile::new(file, &connection, []).unwrap();
        let first = watched.seen.unwrap();
        let second = renew(&connection).unwrap();
        watched.check().unwrap();
        checkpoint();
        assert!(watched.check().is_err(), "it was not told of the commit");
        watched.will_commit(second);
        watched.check().unwrap();
        let link = Link::of_page(&watched.page).unwrap();
        assert_eq!((link.mark, link.previous, watched.seen), (second, first, Some(second)));
    }
}
