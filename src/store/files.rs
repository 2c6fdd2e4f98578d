//! What the store needs of files and folders besides SQLite: where what belongs to a file lies, who may read it, who has it
//! to themselves, and how much room there is.

use super::open_error::OpenError;
use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Free bytes below which the disk of the file counts as full.
pub const LITTLE_ROOM: u64 = 64 * 1024 * 1024;

/// Bytes that may still be written to the disk of `folder`; none if the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The folder that the file at `path` is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with `end` added to its name.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Makes the file's entry in its folder durable.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// The side file whose lock says that a server has the file at `path`.
pub fn lock_file(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

/// Takes the advisory lock on the side file `<path>.lock`, for as long as the returned file stays open.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let denied = |e: std::io::Error| OpenError::Denied(path.to_path_buf(), e.to_string());
    let file = private(OpenOptions::new().read(true).write(true).create(true)).open(lock_file(path)).map_err(denied)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(path.to_path_buf())),
        Err(TryLockError::Error(e)) => Err(denied(e)),
    }
}

/// Readable by nobody else, whatever the umask.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}
