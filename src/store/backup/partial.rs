//! A file that is being made beside the place it is for. It gets the final name when it is whole, synced and good, and is
//! gone otherwise; what a killed process left of it is replaced by the next attempt. What it holds is not known here.

use crate::{
    domain::digest::Running,
    store::{
        CopyError, OpenError,
        connection::READ_WRITE,
        files::{self, beside},
    },
};
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;
/// What SQLite and a server put beside a database.
const SIDES: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];
/// Where a database says how it is written and read (its file format, section 1.3), and the way that knows no write-ahead
/// log: a copy is one file, and reading it makes no other.
const WITHOUT_LOG: (u64, &[u8; 2]) = (18, &[1, 1]);

/// A file that is not finished. Nobody else works at it.
pub(in crate::store) struct Partial {
    path: PathBuf,
    /// Holds the lock too.
    file: File,
}

impl Partial {
    /// An empty one at `path`, readable by its owner alone.
    pub(in crate::store) fn begin(path: &Path) -> Result<Self, CopyError> {
        let mut options = OpenOptions::new();
        let opened = files::private(options.read(true).write(true).create(true)).open(path);
        let file = opened.map_err(|e| CopyError::denied(path, &e))?;
        let locked = file.try_lock().is_ok();
        let partial = Self { path: path.to_path_buf(), file };
        // Whoever finishes first renames it; what was opened before that is not to be written into.
        if !(locked && partial.is_there()) {
            let reason = "somebody else works at it".to_owned();
            return Err(OpenError::Denied(path.to_path_buf(), reason).into());
        }
        partial.remove_sides();
        partial.file.set_len(0).map_err(|e| CopyError::denied(&partial.path, &e))?;
        Ok(partial)
    }

    /// Where it is for now.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself.
    pub(in crate::store) fn file(&self) -> &File {
        &self.file
    }

    /// A connection that fills it, without a journal: until it is whole it is worth nothing.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, READ_WRITE)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        Ok(connection)
    }

    /// Makes it a database that needs no write-ahead log to be read.
    pub(super) fn without_log(&self) -> Result<(), CopyError> {
        self.file.write_all_at(WITHOUT_LOG.1, WITHOUT_LOG.0).map_err(|e| CopyError::denied(&self.path, &e))
    }

    /// Brings what was written to the disk.
    pub(in crate::store) fn sync(&self) -> Result<(), CopyError> {
        self.file.sync_all().map_err(|e| CopyError::denied(&self.path, &e))
    }

    /// Why SQLite could not write it. SQLite takes some kinds of a full disk for a broken one; the system knows.
    pub(super) fn why(&self, e: &rusqlite::Error) -> CopyError {
        let end = self.file.metadata().map_or(0, |file| file.len());
        match self.file.write_all_at(&[0; 4096], end) {
            _ if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => CopyError::Full(self.path.clone()),
            Err(e) => CopyError::denied(&self.path, &e),
            Ok(()) => OpenError::Denied(self.path.clone(), e.to_string()).into(),
        }
    }

    /// SHA-256 of it, and its size.
    pub(super) fn digest(&self) -> Result<([u8; 32], u64), CopyError> {
        let (mut digest, mut buffer, mut read) = (Running::default(), vec![0; CHUNK], 0);
        loop {
            let count = self.file.read_at(&mut buffer, read).map_err(|e| CopyError::denied(&self.path, &e))?;
            if count == 0 {
                return Ok((digest.finish(), read));
            }
            digest.update(&buffer[..count]);
            read += count as u64;
        }
    }

    /// The file, which has no name from now on.
    pub(super) fn into_file(self) -> Result<File, CopyError> {
        self.file.try_clone().map_err(|e| CopyError::denied(&self.path, &e))
    }

    /// Syncs it and gives it the name `target`, for good; says its size.
    pub(in crate::store) fn finish(self, target: &Path) -> Result<u64, CopyError> {
        self.sync()?;
        let denied = |e: io::Error| CopyError::denied(target, &e);
        let bytes = self.file.metadata().map_err(denied)?.len();
        self.remove_sides();
        fs::rename(&self.path, target).map_err(denied)?;
        files::sync_folder(target).map_err(denied)?;
        Ok(bytes)
    }

    /// Whether this file, and no other, has the name.
    fn is_there(&self) -> bool {
        fs::metadata(&self.path).and_then(|there| Ok(there.ino() == self.file.metadata()?.ino())).unwrap_or(false)
    }

    fn remove_sides(&self) {
        for side in SIDES {
            // Mostly there is none.
            let _ = fs::remove_file(beside(&self.path, side));
        }
    }
}

impl Drop for Partial {
    /// After [`Partial::finish`] it has another name, and this one may be somebody else's.
    fn drop(&mut self) {
        if self.is_there() && self.file.try_lock().is_ok() {
            // It is worth nothing; the next attempt replaces what stays.
            let _ = fs::remove_file(&self.path);
            self.remove_sides();
        }
    }
}
