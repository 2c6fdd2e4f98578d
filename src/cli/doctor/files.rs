//! The files themselves: who has them, and when they were last written. What is in them, `verify` looks at.

use super::Finding;
use crate::{
    config::Config,
    domain::time::Timestamp,
    store::{self, Store, backup},
};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The newest row may be this far ahead of the clock: clocks are set.
const CLOCK_SLACK: Duration = Duration::from_mins(1);
/// What of a file's mode lets others in.
const OTHERS: u32 = 0o077;

/// Whether anybody else can read or change the files.
pub(super) fn permissions(config: &Config) -> Finding {
    const NAME: &str = "permissions";
    let path = &config.db.path;
    let sides = ["", "-wal", "-shm", ".lock"].map(|end| store::with_suffix(path, end));
    let files: Vec<_> = sides.into_iter().chain([config.signing_key_file()]).filter(|path| is_open(path)).collect();
    let folders = [store::folder_of(path).to_path_buf(), config.backup_folder()];
    let folders: Vec<_> = folders.into_iter().filter(|path| is_open(path)).collect();
    let listed = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    if !files.is_empty() {
        Finding::bad(NAME, format!("others can get at {}; chmod 600", listed(&files)))
    } else if folders.is_empty() {
        Finding::good(NAME, "nobody else can get at the files")
    } else {
        Finding::doubtful(NAME, format!("others can look into {}; chmod 700", listed(&folders)))
    }
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS != 0)
}

/// Who has the database.
pub(super) fn holder(path: &Path) -> Finding {
    const NAME: &str = "holder";
    let Ok(lock) = File::open(store::lock_file(path)) else { return Finding::good(NAME, "nobody") };
    match lock.try_lock() {
        Ok(()) => Finding::good(NAME, "nobody"),
        Err(TryLockError::WouldBlock) => Finding::good(
            NAME,
            process_with_lock(&lock).map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")),
        ),
        Err(TryLockError::Error(e)) => Finding::bad(NAME, format!("locks do not work here: {e}")),
    }
}

/// The process that holds a lock on this file, as far as the system shows it (proc(5), /proc/locks).
fn process_with_lock(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (kind, pid, place) = (fields.get(1)?, fields.get(4)?, fields.get(5)?);
        (*kind == "FLOCK" && place.rsplit(':').next() == Some(&inode)).then(|| pid.parse().ok()).flatten()
    })
}

/// Whether the database can be read, and whether its newest row is in the past.
pub(super) fn database(path: &Path, now: Timestamp) -> Vec<Finding> {
    const NAMES: [&str; 2] = ["database", "clock"];
    if !path.exists() {
        return vec![Finding::doubtful(NAMES[0], format!("{}: there is none yet", path.display()))];
    }
    let watermark = match Store::inspect(path, backup::watermark) {
        Ok(Ok(watermark)) => watermark,
        Ok(Err(e)) => return vec![Finding::bad(NAMES[0], format!("{}: {e}", path.display()))],
        Err(e) => return vec![Finding::bad(NAMES[0], e.to_string())],
    };
    let database = Finding::good(NAMES[0], format!("{} events; see `orderd verify`", watermark.events));
    let clock = if now.plus(CLOCK_SLACK) < watermark.written_at {
        Finding::bad(NAMES[1], format!("{now} is behind the newest row, of {}", watermark.written_at))
    } else {
        Finding::good(NAMES[1], format!("{now}"))
    };
    vec![database, clock]
}

/// Whether there is a backup that is as new as it should be.
pub(super) fn backups(config: &Config, now: Timestamp) -> Finding {
    const NAME: &str = "backups";
    let folder = config.backup_folder();
    if config.backup.every.is_zero() {
        return Finding::doubtful(NAME, "none are scheduled (`backup.every` = 0)");
    }
    let there = crate::service::backups::there(&folder, &config.db.path).unwrap_or_default();
    match there.last_key_value() {
        None => Finding::doubtful(NAME, format!("there is none in {} yet", folder.display())),
        Some((made, path)) if made.plus(config.backup.every.saturating_mul(2)) < now => Finding::doubtful(
            NAME,
            format!("the newest is {}: nothing has changed since, or no server ran", path.display()),
        ),
        Some((_, path)) => Finding::good(NAME, format!("{} there, the newest {}", there.len(), path.display())),
    }
}
