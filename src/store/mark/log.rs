//! The marks in a write-ahead log, read as SQLite's recovery reads it (section 4 of its file format), and whether the
//! log continues the file beside it.

use super::{Link, Mark, page_of_mark};
use crate::store::{connection::READ_ONLY, with_suffix};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// Bytes read at a time.
const CHUNK: usize = 1024 * 1024;
/// How often a log that seems foreign is looked at: a checkpoint of a server may write the page while it is read.
const ATTEMPTS: usize = 3;

/// Whether the log beside the file at `path` continues another state of the database, or another database. `connection`
/// reads both in a transaction: so a server that has the file open cannot start the log anew meanwhile.
///
/// If the file alone cannot be read, as after a crash in its first checkpoint, or the log has no mark, the answer is
/// no.
pub(in crate::store) fn is_foreign(path: &Path, connection: &Connection) -> bool {
    (0..ATTEMPTS).all(|_| looks_foreign(path, connection).unwrap_or(false))
}

fn looks_foreign(path: &Path, connection: &Connection) -> Option<bool> {
    let log = links(path, page_of_mark(connection)?).ok()?;
    let continues = log.first()?.previous;
    let file = mark_without_log(path)?;
    Some(file != continues && !log.iter().any(|link| link.mark == file))
}

/// The marks of the commits in the log beside the file at `path`, oldest first.
pub(in crate::store) fn marks(path: &Path, connection: &Connection) -> Vec<Mark> {
    let links = page_of_mark(connection).and_then(|page| links(path, page).ok());
    links.unwrap_or_default().into_iter().map(|link| link.mark).collect()
}

/// The mark in the file at `path` alone.
fn mark_without_log(path: &Path) -> Option<Mark> {
    let path = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // SQLite ignores the log of a file that it is told never changes.
    let flags = READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).ok()?;
    connection.query_row("SELECT mark FROM log_mark", [], |row| row.get(0)).ok()
}

/// The versions of this page in the commits of the log beside the file at `path`, oldest first.
fn links(path: &Path, page_of_mark: u32) -> io::Result<Vec<Link>> {
    let mut log = match File::open(with_suffix(path, "-wal")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        opened => BufReader::with_capacity(CHUNK, opened?),
    };
    let Some(mut frames) = Frames::begin(&mut log)? else { return Ok(vec![]) };
    let (mut links, mut committed) = (vec![], 0);
    while let Some(frame) = frames.next(&mut log)? {
        if frame.page == page_of_mark {
            links.extend(Link::of_page(&frames.buffer));
        }
        if frame.ends_commit {
            committed = links.len();
        }
    }
    links.truncate(committed);
    Ok(links)
}

/// The frames of a log, up to the first one that is not valid.
struct Frames {
    salts: [u8; 8],
    checksum: Checksum,
    /// The page of the last frame.
    buffer: Vec<u8>,
}

struct Frame {
    page: u32,
    ends_commit: bool,
}

impl Frames {
    /// Reads the header of a log; none if it is not valid.
    fn begin(log: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; 32];
        if !read_whole(log, &mut header)? {
            return Ok(None);
        }
        let (number, page_size) = (big_endian(&header[..4]), big_endian(&header[8..12]));
        let mut checksum = Checksum { is_big_endian: number & 1 == 1, sums: (0, 0) };
        checksum.add(&header[..24]);
        let is_log = number & !1 == 0x377f_0682 && (512..=65_536).contains(&page_size);
        if !(is_log && checksum.is(&header[24..])) {
            return Ok(None);
        }
        let salts = header[16..24].try_into().map_err(io::Error::other)?;
        Ok(Some(Self { salts, checksum, buffer: vec![0; page_size as usize] }))
    }

    fn next(&mut self, log: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut header = [0; 24];
        if !(read_whole(log, &mut header)? && header[8..16] == self.salts && read_whole(log, &mut self.buffer)?) {
            return Ok(None);
        }
        self.checksum.add(&header[..8]);
        self.checksum.add(&self.buffer);
        let frame = Frame { page: big_endian(&header[..4]), ends_commit: big_endian(&header[4..8]) != 0 };
        Ok(self.checksum.is(&header[16..]).then_some(frame))
    }
}

/// The checksum of a log (section 4.2): each frame's goes on from that of the frame before it.
struct Checksum {
    is_big_endian: bool,
    sums: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let word = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for pair in bytes.as_chunks::<8>().0 {
            let words = pair.as_chunks::<4>().0;
            self.sums.0 = self.sums.0.wrapping_add(word(words[0])).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(word(words[1])).wrapping_add(self.sums.0);
        }
    }

    fn is(&self, stored: &[u8]) -> bool {
        (big_endian(&stored[..4]), big_endian(&stored[4..])) == self.sums
    }
}

/// A number of four bytes.
fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Whether there was enough to fill `buffer`.
fn read_whole(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}
