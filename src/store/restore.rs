//! Replacing a database by a backup. The database is not touched before a copy of the backup beside it is verified and
//! migrated. After that a database has the name at every moment, so a crash leaves either the old one or the new one.

use super::{
    CopyError, OpenError,
    backup::{OnProgress, Progress, partial::PartialFile, verify_file},
    connection::{BUSY_TIMEOUT, READ_WRITE},
    files::{self, with_suffix},
    mark, migrate, owned_file,
    schema::{MIGRATIONS, Migration, latest_version},
    verify,
};
use rusqlite::{Connection, ErrorCode, config::DbConfig};
use std::{
    fs::{self, File},
    io::{Read, Write},
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Bytes copied at a time.
const CHUNK: usize = 1024 * 1024;
/// Suffixes of side files that may hold a part of a database.
const PART_SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// A verified copy of a backup that is about to replace the database at `path`.
pub struct Restore {
    path: PathBuf,
    copy: PartialFile,
    /// No server can open the database until this is closed.
    _lock: File,
}

impl Restore {
    /// Locks the database at `path`, copies `source` beside it, migrates the copy to the current schema, and verifies
    /// it.
    pub fn begin(path: &Path, source: &Path, progress: &OnProgress) -> Result<Self, CopyError> {
        Self::begin_with(MIGRATIONS, path, source, progress)
    }

    fn begin_with(
        migrations: &[Migration],
        path: &Path,
        source: &Path,
        progress: &OnProgress,
    ) -> Result<Self, CopyError> {
        let lock = files::lock(path)?;
        let backup = open_backup(path, source)?;
        let copy = PartialFile::create(&with_suffix(path, ".restore.partial"))?;
        copy_bytes(backup, source, &copy, progress)?;
        migrate_and_verify(&copy, migrations, progress).map_err(|e| naming(source, e))?;
        Ok(Self { path: path.to_path_buf(), copy, _lock: lock })
    }

    /// The path of the copy. It may be opened and changed, but must be closed before [`Restore::finish`].
    pub fn copy(&self) -> &Path {
        self.copy.path()
    }

    /// Renames the database to `kept` and puts the copy in its place. Returns whether there was a database.
    pub fn finish(self, kept: &Path) -> Result<bool, CopyError> {
        let Self { path, copy, _lock } = self;
        refuse_open_database(copy.path())?;
        let denied = |e: std::io::Error| CopyError::io(&path, &e);
        let was_there = path.try_exists().map_err(denied)?;
        if was_there {
            checkpoint(&path)?;
            fs::hard_link(&path, kept).or_else(|_| fs::rename(&path, kept)).map_err(|e| CopyError::io(kept, &e))?;
        }
        for part in PART_SUFFIXES {
            // Only a database that could not be read still has one.
            match fs::rename(with_suffix(&path, part), with_suffix(kept, part)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(denied(e)),
                _ => {}
            }
        }
        let _ = fs::remove_file(with_suffix(&path, "-shm"));
        files::sync_folder(&path).map_err(denied)?;
        copy.finish(&path)?;
        Ok(was_there)
    }
}

/// Opens `source` if it can be a finished backup, and is not the database at `path` itself.
fn open_backup(path: &Path, source: &Path) -> Result<File, CopyError> {
    let denied = |e: std::io::Error| CopyError::io(source, &e);
    let file = File::open(source).map_err(denied)?;
    let found = file.metadata().map_err(denied)?;
    let because = |reason: &str| CopyError::Unusable(OpenError::Denied(source.to_path_buf(), reason.to_owned()));
    if !found.is_file() {
        return Err(because("is no file"));
    }
    if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino())) {
        return Err(because("is the very file that it is to replace"));
    }
    refuse_open_database(source)?;
    Ok(file)
}

/// Fails if a side file may hold a part of the database at `path`, or of another one that would damage it.
fn refuse_open_database(path: &Path) -> Result<(), CopyError> {
    let parts = PART_SUFFIXES.iter().map(|part| with_suffix(path, part));
    let Some(part) = parts.into_iter().find(|part| fs::metadata(part).is_ok_and(|found| found.len() > 0)) else {
        return Ok(());
    };
    let reason = format!(
        "is no finished copy, since {} lies beside it; if the two belong together, make one with `orderd backup`",
        part.display()
    );
    Err(OpenError::Damaged(path.to_path_buf(), reason).into())
}

fn copy_bytes(mut backup: File, source: &Path, copy: &PartialFile, progress: &OnProgress) -> Result<(), CopyError> {
    let read_error = |e: std::io::Error| CopyError::io(source, &e);
    let total = backup.metadata().map_err(read_error)?.len();
    let (mut buffer, mut done, mut write) = (vec![0; CHUNK], 0, copy.file());
    loop {
        let count = backup.read(&mut buffer).map_err(read_error)?;
        if count == 0 {
            return copy.sync();
        }
        write.write_all(&buffer[..count]).map_err(|e| CopyError::io(copy.path(), &e))?;
        done += count as u64;
        if let ControlFlow::Break(()) = progress(Progress::Copying { done, total }) {
            return Err(CopyError::Cancelled);
        }
    }
}

/// Migrates the copy to the current schema and verifies it. Before the migration only the checks of every schema can be
/// made.
fn migrate_and_verify(copy: &PartialFile, migrations: &[Migration], progress: &OnProgress) -> Result<(), CopyError> {
    let newest = latest_version(migrations);
    let version = owned_file::version(copy.path(), newest)?;
    if version < newest {
        verify_file(copy.path(), version, verify::of_any_schema, progress)?;
        if let ControlFlow::Break(()) = progress(Progress::Upgrading) {
            return Err(CopyError::Cancelled);
        }
        migrate::upgrade_copy(copy, version, migrations)?;
    }
    verify_file(copy.path(), newest, verify::all, progress)
}

/// Makes an error about the copy one about `source`. A file that SQLite cannot open is damaged, too.
fn naming(source: &Path, e: CopyError) -> CopyError {
    let source = source.to_path_buf();
    match e {
        CopyError::Unusable(OpenError::Newer(_, version)) => OpenError::Newer(source, version).into(),
        CopyError::Unusable(OpenError::Damaged(_, reason) | OpenError::Denied(_, reason)) => {
            OpenError::Damaged(source, reason).into()
        }
        other => other,
    }
}

/// Moves the write-ahead log into the database. A damaged database, and one whose log belongs to another state of it,
/// is left as it is, and kept together with its log.
fn checkpoint(path: &Path) -> Result<(), CopyError> {
    let attempt = || {
        let connection = Connection::open_with_flags(path, READ_WRITE)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if owned_file::has_log(path) && mark::log::is_foreign(path, &connection) {
            return Ok(false);
        }
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        Ok(busy)
    };
    let outcome: rusqlite::Result<bool> = attempt();
    let in_use = outcome.as_ref().map_or_else(
        |e| matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)),
        |busy| *busy,
    );
    if in_use { Err(OpenError::InUse(path.to_path_buf(), None).into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
