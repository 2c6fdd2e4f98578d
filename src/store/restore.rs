//! Putting a copy in the place of the file. The file is not touched before the copy is beside it, verified and changed as
//! wanted; then it is there under one of its names at every moment, so that a crash leaves the old one or the new one.

use super::{
    CopyError, OpenError,
    backup::{Stage, Watch, Wish, partial::Partial, verify_file},
    connection::{PATIENCE, READ_WRITE},
    files::{self, beside},
    migrate, open,
    schema::{STEPS, Step, newest},
    verify,
};
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Bytes that are copied at once.
const CHUNK: usize = 1024 * 1024;
/// What SQLite may leave beside a file that holds a part of it.
const PARTS: [&str; 2] = ["-wal", "-journal"];

/// A copy that is to replace the file at `path`.
pub struct Restore {
    path: PathBuf,
    copy: Partial,
    /// Held for as long as this lasts: no server takes the file meanwhile.
    _lock: File,
}

impl Restore {
    /// Takes the file at `path` for this process, copies `source` beside it, brings the copy to the present schema, and
    /// verifies it.
    pub fn begin(path: &Path, source: &Path, watch: &Watch) -> Result<Self, CopyError> {
        Self::begin_with(STEPS, path, source, watch)
    }

    fn begin_with(steps: &[Step], path: &Path, source: &Path, watch: &Watch) -> Result<Self, CopyError> {
        let lock = files::lock(path)?;
        let read = refuse_what_is_no_copy(path, source)?;
        let copy = Partial::begin(&beside(path, ".restore.partial"))?;
        copy_bytes(read, source, &copy, watch)?;
        make_current(&copy, steps, watch).map_err(|e| about(source, e))?;
        Ok(Self { path: path.to_path_buf(), copy, _lock: lock })
    }

    /// Where the copy is for now. It may be changed as long as it is closed afterwards.
    pub fn copy(&self) -> &Path {
        self.copy.path()
    }

    /// Keeps the file as `kept`, if there is one, and puts the copy in its place; says whether there was one.
    pub fn finish(self, kept: &Path) -> Result<bool, CopyError> {
        let Self { path, copy, _lock } = self;
        refuse_what_is_open(copy.path())?;
        let denied = |e: std::io::Error| CopyError::denied(&path, &e);
        let was_there = path.try_exists().map_err(denied)?;
        if was_there {
            fold(&path)?;
            fs::hard_link(&path, kept).or_else(|_| fs::rename(&path, kept)).map_err(|e| CopyError::denied(kept, &e))?;
        }
        for part in PARTS {
            // Only a file that could not be read has one still.
            match fs::rename(beside(&path, part), beside(kept, part)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(denied(e)),
                _ => {}
            }
        }
        let _ = fs::remove_file(beside(&path, "-shm"));
        files::sync_folder(&path).map_err(denied)?;
        copy.finish(&path)?;
        Ok(was_there)
    }
}

/// Opens `source` if it can be a finished copy, and another one than the file at `path`.
fn refuse_what_is_no_copy(path: &Path, source: &Path) -> Result<File, CopyError> {
    let denied = |e: std::io::Error| CopyError::denied(source, &e);
    let file = File::open(source).map_err(denied)?;
    let found = file.metadata().map_err(denied)?;
    let because = |reason: &str| CopyError::Unfit(OpenError::Denied(source.to_path_buf(), reason.to_owned()));
    if !found.is_file() {
        return Err(because("is no file"));
    }
    if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino())) {
        return Err(because("is the very file that it is to replace"));
    }
    refuse_what_is_open(source)?;
    Ok(file)
}

/// A part of a file may be in another one beside it: its own, or a stranger's that would spoil it.
fn refuse_what_is_open(path: &Path) -> Result<(), CopyError> {
    let parts = PARTS.iter().map(|part| beside(path, part));
    let Some(part) = parts.into_iter().find(|part| fs::metadata(part).is_ok_and(|found| found.len() > 0)) else {
        return Ok(());
    };
    let reason = format!(
        "is no finished copy, since {} lies beside it; if the two belong together, make one with `orderd backup`",
        part.display()
    );
    Err(OpenError::Damaged(path.to_path_buf(), reason).into())
}

fn copy_bytes(mut read: File, source: &Path, copy: &Partial, watch: &Watch) -> Result<(), CopyError> {
    let unread = |e: std::io::Error| CopyError::denied(source, &e);
    let total = read.metadata().map_err(unread)?.len();
    let (mut buffer, mut done, mut write) = (vec![0; CHUNK], 0, copy.file());
    loop {
        let count = read.read(&mut buffer).map_err(unread)?;
        if count == 0 {
            return copy.sync();
        }
        write.write_all(&buffer[..count]).map_err(|e| CopyError::denied(copy.path(), &e))?;
        done += count as u64;
        if watch(Stage::Copying { done, total }) == Wish::Stop {
            return Err(CopyError::Stopped);
        }
    }
}

/// Verifies the copy, after the steps to the present schema if it is of an earlier one: what its rows must agree with is
/// known of the present schema alone.
fn make_current(copy: &Partial, steps: &[Step], watch: &Watch) -> Result<(), CopyError> {
    let newest = newest(steps);
    let version = open::version(copy.path(), newest)?;
    if version < newest {
        verify_file(copy.path(), version, verify::of_any_schema, watch)?;
        if watch(Stage::Upgrading) == Wish::Stop {
            return Err(CopyError::Stopped);
        }
        migrate::upgrade_copy(copy, version, steps)?;
    }
    verify_file(copy.path(), newest, verify::all, watch)
}

/// What was found out about the copy is true of `source`. What SQLite cannot even open is damaged, too.
fn about(source: &Path, e: CopyError) -> CopyError {
    let source = source.to_path_buf();
    match e {
        CopyError::Unfit(OpenError::Newer(_, version)) => OpenError::Newer(source, version).into(),
        CopyError::Unfit(OpenError::Damaged(_, reason) | OpenError::Denied(_, reason)) => {
            OpenError::Damaged(source, reason).into()
        }
        other => other,
    }
}

/// Moves the write-ahead log into the file. One that is damaged stays as it is: whoever keeps it keeps its log with it.
fn fold(path: &Path) -> Result<(), CopyError> {
    let attempt = || {
        let connection = Connection::open_with_flags(path, READ_WRITE)?;
        connection.busy_timeout(PATIENCE)?;
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        Ok(busy)
    };
    let outcome: rusqlite::Result<bool> = attempt();
    let held = outcome.as_ref().map_or_else(
        |e| matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)),
        |busy| *busy,
    );
    if held { Err(OpenError::Held(path.to_path_buf()).into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
