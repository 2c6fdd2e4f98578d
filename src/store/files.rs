//! Files and folders around a database: the names of its side files, its permissions, the lock that one server holds,
//! and the free space of its disk.

use super::open_error::OpenError;
use rustix::fs::Access;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

/// The user identifier of root.
const ROOT: u32 = 0;
/// Free bytes below which the disk counts as full.
pub const MIN_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// The free bytes of the disk with `folder`; none if the operating system does not tell.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether files can be made in `folder`, or in its nearest parent that exists, in which it would be created.
///
/// # Errors
/// If not, for this reason.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|part| part.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(io::Error::other(format!("{} is not a folder", there.display())));
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(there, access)
        .map_err(|e| io::Error::other(format!("{}: {}", there.display(), io::Error::from(e))))
}

/// The folder of the file at `path`.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path of a side file: `path` with `suffix` added to its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Syncs the folder of the file at `path`, so that the file's name is on disk.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Syncs the write-ahead log of the database at `path`, if there is one: what another program has read of it is on disk
/// then.
///
/// # Errors
/// Those of the system.
pub fn sync_log(path: &Path) -> io::Result<()> {
    match File::open(with_suffix(path, "-wal")) {
        Ok(log) => log.sync_data(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The side file that a server keeps locked while it has the file at `path` open.
pub fn lock_file(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

/// Takes the advisory lock on the side file `<path>.lock`. The lock is held until the returned file is closed.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let folder = folder_of(path);
    if folder.try_exists().is_ok_and(|exists| !exists) {
        let reason = format!("the folder {} does not exist; create it first", folder.display());
        return Err(OpenError::Denied(path.to_path_buf(), reason));
    }
    let denied = |e: std::io::Error| OpenError::Denied(path.to_path_buf(), e.to_string());
    let lock = lock_file(path);
    let file = open_private(&lock, OpenOptions::new().read(true).write(true).create(true)).map_err(denied)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_path_buf(), process_with_lock(&file))),
        Err(TryLockError::Error(e)) => Err(denied(e)),
    }
}

/// The process that holds a lock on this file, if the system shows it (proc(5), /proc/locks).
pub fn process_with_lock(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (kind, pid, place) = (fields.get(1)?, fields.get(4)?, fields.get(5)?);
        (*kind == "FLOCK" && place.rsplit(':').next() == Some(&inode)).then(|| pid.parse().ok()).flatten()
    })
}

/// Opens a file; a new one is accessible by its owner alone, whatever the umask. What root makes belongs to the owner
/// of its folder, so that a command that root ran leaves nothing that the service cannot open.
pub(super) fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    let (opened, folder) = (file.metadata()?, fs::metadata(folder_of(path))?);
    if opened.uid() == ROOT && opened.len() == 0 && folder.uid() != ROOT {
        // A root without this privilege, as in some containers, runs the service too.
        let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
    }
    Ok(file)
}
