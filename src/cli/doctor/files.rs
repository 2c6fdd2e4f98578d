//! Checks of the database's files: permissions, the process that holds them, backups. Their content is checked by
//! `verify`.

use super::Finding;
use crate::{
    config::Config,
    domain::time::Timestamp,
    store::{self, Store, backup},
};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The newest row may be this far ahead of the clock, because clocks are adjusted.
const CLOCK_SLACK: Duration = Duration::from_mins(1);
/// Mode bits that give access to other users.
const OTHERS: u32 = 0o077;

/// Checks that no other user can read or change the files.
pub(super) fn permissions(config: &Config) -> Finding {
    const NAME: &str = "permissions";
    let path = &config.db.path;
    let sides = ["", "-wal", "-shm", ".lock"].map(|end| store::with_suffix(path, end));
    let files: Vec<_> = sides.into_iter().chain([config.signing_key_file()]).filter(|path| is_open(path)).collect();
    let folders = [store::folder_of(path).to_path_buf(), config.backup_folder()];
    let folders: Vec<_> = folders.into_iter().filter(|path| is_open(path)).collect();
    let listed = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    if !files.is_empty() {
        Finding::fail(NAME, format!("other users have access to {}; chmod 600", listed(&files)))
    } else if folders.is_empty() {
        Finding::ok(NAME, "no other user has access to the files")
    } else {
        Finding::warn(NAME, format!("other users can list {}; chmod 700", listed(&folders)))
    }
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS != 0)
}

/// Names the process that holds the database.
pub(super) fn holder(path: &Path) -> Finding {
    const NAME: &str = "holder";
    let Ok(lock) = File::open(store::lock_file(path)) else { return Finding::ok(NAME, "nobody") };
    match lock.try_lock() {
        Ok(()) => Finding::ok(NAME, "nobody"),
        Err(TryLockError::WouldBlock) => Finding::ok(
            NAME,
            store::process_with_lock(&lock)
                .map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")),
        ),
        Err(TryLockError::Error(e)) => Finding::fail(NAME, format!("file locks do not work here: {e}")),
    }
}

/// Checks that the database can be read, and that its newest row is not in the future.
pub(super) fn database(path: &Path, now: Timestamp) -> Vec<Finding> {
    const NAMES: [&str; 2] = ["database", "clock"];
    if !path.exists() {
        return vec![Finding::warn(NAMES[0], format!("{} does not exist yet", path.display()))];
    }
    let watermark = match Store::inspect(path, backup::watermark) {
        Ok(Ok(watermark)) => watermark,
        Ok(Err(e)) => return vec![Finding::fail(NAMES[0], format!("{}: {e}", path.display()))],
        Err(e) => return vec![Finding::fail(NAMES[0], e.to_string())],
    };
    let database = Finding::ok(NAMES[0], format!("{} events; `orderd verify` checks them", watermark.events));
    let clock = if now.plus(CLOCK_SLACK) < watermark.written_at {
        Finding::fail(NAMES[1], format!("{now} is earlier than the newest row, {}", watermark.written_at))
    } else {
        Finding::ok(NAMES[1], format!("{now}"))
    };
    vec![database, clock]
}

/// Checks that backups can be written, and that there is one no older than two intervals.
pub(super) fn backups(config: &Config, now: Timestamp) -> Finding {
    const NAME: &str = "backups";
    let folder = config.backup_folder();
    if config.backup.every.is_zero() {
        return Finding::warn(NAME, "none are scheduled (`backup.every` = 0)");
    }
    if let Err(e) = store::check_writable(&folder) {
        return Finding::fail(NAME, format!("none can be made in {} (`backup.dir`): {e}", folder.display()));
    }
    let there = crate::service::backups::existing(&folder, &config.db.path).unwrap_or_default();
    match there.last_key_value() {
        None => Finding::warn(NAME, format!("there is no backup in {} yet", folder.display())),
        Some((made, path)) if made.plus(config.backup.every.saturating_mul(2)) < now => Finding::warn(
            NAME,
            format!("the newest is {}; either nothing has changed since or no server was running", path.display()),
        ),
        Some((_, path)) => Finding::ok(NAME, format!("{} backups, the newest is {}", there.len(), path.display())),
    }
}
