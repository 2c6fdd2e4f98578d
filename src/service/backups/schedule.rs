//! Scheduled backups: a new one when the last one is old enough and something has changed since; afterwards old ones
//! are deleted.

use crate::{
    app::{
        App,
        backups::{BackupFailure, VerifiedBackup},
    },
    domain::{rotation, time::Timestamp},
    error::Result,
    store::{
        self, CopyError, OpenError, Store,
        backup::{self, FinishedCopy, OnProgress, Watermark},
    },
};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The first backup comes this long after the start, so that it does not compete with the first requests.
const START_DELAY: Duration = Duration::from_mins(1);
/// The time between a failure and the next attempt.
const RETRY_DELAY: Duration = Duration::from_mins(5);
/// Bytes that a backup leaves free on its disk, so that it never fills it.
const FREE_RESERVE: u64 = 256 * 1024 * 1024;

/// When the next backup is due.
pub struct Schedule {
    folder: PathBuf,
    due_at: Timestamp,
    /// The content of the last good backup.
    last: Option<Watermark>,
}

impl Schedule {
    /// Continues from the newest existing backup.
    pub fn resume(app: &App) -> Self {
        let (folder, now) = (app.config.backup_folder(), app.clock.now());
        if let Err(e) = store::check_writable(&folder) {
            let shown = folder.display();
            tracing::warn!(backup.folder = %shown, error.cause = %e, "no backup can be made in {shown} (`backup.dir`): {e}");
        }
        let first = now.plus(START_DELAY.min(app.config.backup.every));
        let mut schedule = Self { folder, due_at: first, last: None };
        // A folder that cannot be read is reported when a backup is due.
        if let Some((&made_at, path)) =
            existing(&schedule.folder, app.store.path()).unwrap_or_default().last_key_value()
        {
            let due = made_at.plus(app.config.backup.every);
            // A time in the future comes from a clock that was wrong; then the next backup is due as after any start.
            schedule.due_at = if made_at > now { first } else { first.max(due) };
            schedule.last = Store::inspect(path, backup::watermark).ok().and_then(Result::ok);
            let bytes = fs::metadata(path).map_or(0, |file| file.len());
            app.backups.record_success(VerifiedBackup { path: path.clone(), bytes, made_at, current_at: made_at });
        }
        app.backups.record_due(schedule.due_at);
        schedule
    }

    /// Makes a backup if one is due and something has changed since the last one. A failure is logged and tried again
    /// after five minutes.
    pub async fn make_if_due(&mut self, app: &App) {
        let now = app.clock.now();
        if now < self.due_at {
            return;
        }
        match app.store.read("backup.watermark", backup::watermark).await {
            Ok(present) if present.events == 0 || Some(present) == self.last => {
                return app.backups.record_unchanged(now);
            }
            // If this failed, the copy fails for the same reason and reports it.
            Ok(_) | Err(_) => {}
        }
        let path = self.folder.join(prefix(app.store.path()) + &now.stamp());
        match self.make(app, &path).await {
            Ok(FinishedCopy { bytes, watermark }) => {
                let file = path.display();
                tracing::info!(backup.path = %file, backup.bytes = bytes, "created the backup {file}");
                self.last = Some(watermark);
                self.set_due(app, now.plus(app.config.backup.every));
                app.backups.record_success(VerifiedBackup { path, bytes, made_at: now, current_at: now });
                self.rotate(app);
            }
            Err(CopyError::Cancelled) => {}
            Err(e) => {
                self.set_due(app, now.plus(RETRY_DELAY.min(app.config.backup.every)));
                report(app, now, &e);
            }
        }
    }

    fn set_due(&mut self, app: &App, at: Timestamp) {
        self.due_at = at;
        app.backups.record_due(at);
    }

    async fn make(&self, app: &App, path: &Path) -> Result<FinishedCopy, CopyError> {
        let denied = |e: io::Error| CopyError::Unusable(OpenError::Denied(self.folder.clone(), e.to_string()));
        DirBuilder::new().mode(0o700).recursive(true).create(&self.folder).map_err(denied)?;
        let source = app.store.path().to_path_buf();
        require_room(app, &self.folder)?;
        // Always the same name, so that the unfinished copy of a killed server is replaced.
        let partial = self.folder.join(prefix(&source) + "partial");
        let (target, shared) = (path.to_path_buf(), app.clone());
        let copy = move |progress: &OnProgress| backup::copy(&source, &partial, &target, progress);
        backup::on_own_thread(move || !shared.is_draining(), copy).await
    }

    /// Deletes backups that need not be kept.
    fn rotate(&self, app: &App) {
        let backups = existing(&self.folder, app.store.path()).unwrap_or_default();
        let times = backups.keys().copied().collect();
        for path in rotation::expendable(&times, app.config.backup.keep).iter().filter_map(|time| backups.get(time)) {
            let file = path.display();
            match fs::remove_file(path) {
                Ok(()) => tracing::debug!(backup.path = %file, "deleted the old backup {file}"),
                Err(e) => {
                    tracing::warn!(backup.path = %file, error.cause = %e, "cannot delete the old backup {file}: {e}");
                }
            }
        }
    }
}

/// Checks the free space for a copy of the database in `folder`, and for the write-ahead log, which grows while it is
/// made.
pub(super) fn require_room(app: &App, folder: &Path) -> Result<(), CopyError> {
    let (file, log) = app.store.file_bytes();
    let (home, bytes) = (store::folder_of(app.store.path()), file.saturating_add(log));
    for (folder, needed) in [(folder, room_for(bytes)), (home, room_for_log(bytes))] {
        if store::free_bytes(folder).is_some_and(|free| free < needed) {
            return Err(CopyError::DiskFull(folder.to_path_buf()));
        }
    }
    Ok(())
}

/// Free bytes needed to back up a file of `bytes` on one disk: for the copy, for the growth of the write-ahead log, and
/// for a reserve of 256 MiB.
pub fn room_for(bytes: u64) -> u64 {
    bytes.saturating_add(room_for_log(bytes))
}

/// Free bytes needed on the database's own disk. Under full load the log grows at up to a third of the speed of
/// copying.
fn room_for_log(bytes: u64) -> u64 {
    FREE_RESERVE.saturating_add(bytes / 3)
}

/// The backups of `database` in `folder` by the time they were made. Files with other names are ignored.
pub fn existing(folder: &Path, database: &Path) -> io::Result<BTreeMap<Timestamp, PathBuf>> {
    let (mut backups, prefix) = (BTreeMap::new(), prefix(database));
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let made = name.strip_prefix(&prefix).and_then(Timestamp::from_stamp);
        if let Some(made) = made {
            backups.insert(made, path);
        }
    }
    Ok(backups)
}

/// The names of the backups of `database` begin with this and end with their time.
fn prefix(database: &Path) -> String {
    format!("{}.", database.file_name().unwrap_or_default().to_string_lossy())
}

/// Logs a failure, unless the attempt before failed for the same reason.
fn report(app: &App, now: Timestamp, e: &CopyError) {
    let remedy = match e {
        CopyError::DiskFull(_) => "make room, keep fewer (`backup.keep`), or put them elsewhere (`backup.dir`)",
        CopyError::Unusable(OpenError::Damaged(..)) => "run `orderd verify` on the database; older backups are kept",
        _ => "check that the server's user may write to `backup.dir`, as `orderd doctor` does",
    };
    let before = app.backups.record_failure(BackupFailure { at: now, reason: e.to_string(), remedy });
    if before.is_none_or(|before| before.reason != e.to_string()) {
        tracing::error!(error.cause = %e, remedy, "no backup could be made and it is tried again: {e}");
    }
}
