//! A file under construction, in the folder of its final name. It is renamed when it is complete and synced, and
//! removed otherwise. The next attempt replaces what a killed process left behind. The content of the file is not known
//! here.

use crate::{
    domain::digest::Running,
    store::{
        CopyError, OpenError,
        connection::READ_WRITE,
        files::{self, with_suffix},
    },
};
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Bytes read at a time.
const CHUNK: usize = 1024 * 1024;
/// Suffixes of the files that SQLite and a server put beside a database.
const SIDE_SUFFIXES: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];
/// The offset of the read and write versions in a database (section 1.3 of its file format), and the values that mean a
/// rollback journal. A copy is read without creating side files.
const ROLLBACK_JOURNAL_MODE: (u64, &[u8; 2]) = (18, &[1, 1]);

/// A file under construction, locked by this process.
pub(in crate::store) struct PartialFile {
    path: PathBuf,
    /// Also holds the lock.
    file: File,
}

impl PartialFile {
    /// Creates an empty file at `path`, accessible by its owner alone.
    pub(in crate::store) fn create(path: &Path) -> Result<Self, CopyError> {
        let mut options = OpenOptions::new();
        let opened = files::open_private(path, options.read(true).write(true).create(true));
        let file = opened.map_err(|e| CopyError::io(path, &e))?;
        let locked = file.try_lock().is_ok();
        let partial = Self { path: path.to_path_buf(), file };
        // Another process may have finished and renamed the file after it was opened here.
        if !(locked && partial.has_its_name()) {
            let reason = "another process is making it".to_owned();
            return Err(OpenError::Denied(path.to_path_buf(), reason).into());
        }
        partial.remove_side_files();
        partial.file.set_len(0).map_err(|e| CopyError::io(&partial.path, &e))?;
        Ok(partial)
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) fn file(&self) -> &File {
        &self.file
    }

    /// Opens a connection that fills the file. It writes no journal: an incomplete file is useless anyway.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, READ_WRITE)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        Ok(connection)
    }

    /// Takes the database out of WAL mode, so that reading it needs no write-ahead log.
    pub(super) fn disable_wal_mode(&self) -> Result<(), CopyError> {
        self.file
            .write_all_at(ROLLBACK_JOURNAL_MODE.1, ROLLBACK_JOURNAL_MODE.0)
            .map_err(|e| CopyError::io(&self.path, &e))
    }

    /// Syncs the file to disk.
    pub(in crate::store) fn sync(&self) -> Result<(), CopyError> {
        self.file.sync_all().map_err(|e| CopyError::io(&self.path, &e))
    }

    /// The reason of an error of SQLite while it wrote the file. SQLite reports some kinds of full disks as I/O errors,
    /// so this tries to write a page.
    pub(super) fn write_error(&self, e: &rusqlite::Error) -> CopyError {
        let end = self.file.metadata().map_or(0, |file| file.len());
        match self.file.write_all_at(&[0; 4096], end) {
            _ if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => CopyError::DiskFull(self.path.clone()),
            Err(e) => CopyError::io(&self.path, &e),
            Ok(()) => OpenError::Denied(self.path.clone(), e.to_string()).into(),
        }
    }

    /// The SHA-256 and the size of the file.
    pub(super) fn digest(&self) -> Result<([u8; 32], u64), CopyError> {
        let (mut digest, mut buffer, mut read) = (Running::default(), vec![0; CHUNK], 0);
        loop {
            let count = self.file.read_at(&mut buffer, read).map_err(|e| CopyError::io(&self.path, &e))?;
            if count == 0 {
                return Ok((digest.finish(), read));
            }
            digest.update(&buffer[..count]);
            read += count as u64;
        }
    }

    /// Removes the name of the file and returns it open.
    pub(super) fn into_unlinked(self) -> Result<File, CopyError> {
        self.file.try_clone().map_err(|e| CopyError::io(&self.path, &e))
    }

    /// Syncs the file, renames it to `target`, and returns its size.
    pub(in crate::store) fn finish(self, target: &Path) -> Result<u64, CopyError> {
        self.sync()?;
        let denied = |e: io::Error| CopyError::io(target, &e);
        let bytes = self.file.metadata().map_err(denied)?.len();
        self.remove_side_files();
        fs::rename(&self.path, target).map_err(denied)?;
        files::sync_folder(target).map_err(denied)?;
        Ok(bytes)
    }

    /// Whether the path still names this file and not another one.
    fn has_its_name(&self) -> bool {
        fs::metadata(&self.path).and_then(|there| Ok(there.ino() == self.file.metadata()?.ino())).unwrap_or(false)
    }

    fn remove_side_files(&self) {
        for side in SIDE_SUFFIXES {
            // Usually none exists.
            let _ = fs::remove_file(with_suffix(&self.path, side));
        }
    }
}

impl Drop for PartialFile {
    /// After [`PartialFile::finish`] the file has another name, and this one may belong to another process.
    fn drop(&mut self) {
        if self.has_its_name() && self.file.try_lock().is_ok() {
            // The next attempt replaces a file that cannot be removed.
            let _ = fs::remove_file(&self.path);
            self.remove_side_files();
        }
    }
}
