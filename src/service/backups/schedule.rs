//! The schedule: a backup when the last one is old enough and something has happened since, and the old ones that need
//! not be kept removed after it.

use crate::{
    app::{
        App,
        backups::{Failure, Good},
    },
    domain::{rotation, time::Timestamp},
    error::Result,
    store::{
        self, CopyError, OpenError, Store,
        backup::{self, Copied, Extent, Watch},
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

/// A server that has just started has better things to do.
const AFTER_START: Duration = Duration::from_mins(1);
/// How long after a failure it is tried again.
const AFTER_FAILURE: Duration = Duration::from_mins(5);
/// Room that a backup must leave on its disk, so that it is never what fills it.
const ROOM_TO_LEAVE: u64 = 256 * 1024 * 1024;

/// When the next one is due.
pub struct Schedule {
    folder: PathBuf,
    next: Timestamp,
    /// What the last good one holds.
    last: Option<Extent>,
}

impl Schedule {
    /// Goes on from the backups that are there.
    pub fn resume(app: &App) -> Self {
        let (folder, now) = (app.config.backup_folder(), app.clock.now());
        let first = now.plus(AFTER_START.min(app.config.backup.every));
        let mut schedule = Self { folder, next: first, last: None };
        // A folder that cannot be read is found out about when a backup is due.
        if let Some((&made_at, path)) = there(&schedule.folder, app.store.path()).unwrap_or_default().last_key_value() {
            let due = made_at.plus(app.config.backup.every);
            // If the clock was ahead when it was made, another one is due as after any start.
            schedule.next = if made_at > now { first } else { first.max(due) };
            schedule.last = Store::inspect(path, backup::extent).ok().and_then(Result::ok);
            let bytes = fs::metadata(path).map_or(0, |file| file.len());
            app.backups.succeeded(Good { path: path.clone(), bytes, made_at, current_at: made_at });
        }
        schedule
    }

    /// Makes one if it is due.
    pub async fn make_if_due(&mut self, app: &App) {
        let now = app.clock.now();
        if now < self.next {
            return;
        }
        match app.store.read("backup.extent", backup::extent).await {
            Ok(present) if present.events == 0 || Some(present) == self.last => return app.backups.is_current(now),
            // Whatever it is, the copy will meet it and say so.
            Ok(_) | Err(_) => {}
        }
        let path = self.folder.join(prefix(app.store.path()) + &now.stamp());
        match self.make(app, &path).await {
            Ok(Copied { bytes, extent }) => {
                tracing::info!(backup.path = %path.display(), backup.bytes = bytes, "made a backup");
                self.last = Some(extent);
                self.next = now.plus(app.config.backup.every);
                app.backups.succeeded(Good { path, bytes, made_at: now, current_at: now });
                self.rotate(app);
            }
            Err(CopyError::Stopped) => {}
            Err(e) => {
                self.next = now.plus(AFTER_FAILURE.min(app.config.backup.every));
                report(app, now, &e);
            }
        }
    }

    async fn make(&self, app: &App, path: &Path) -> Result<Copied, CopyError> {
        let denied = |e: io::Error| CopyError::Unfit(OpenError::Denied(self.folder.clone(), e.to_string()));
        DirBuilder::new().mode(0o700).recursive(true).create(&self.folder).map_err(denied)?;
        let source = app.store.path().to_path_buf();
        require_room(app, &self.folder)?;
        // Of the same name each time, so that what a killed server left of one is replaced.
        let partial = self.folder.join(prefix(&source) + "partial");
        let (target, shared) = (path.to_path_buf(), app.clone());
        let copy = move |watch: &Watch| backup::copy(&source, &partial, &target, watch);
        backup::aside(move || !shared.is_draining(), copy).await
    }

    /// Removes those that need not be kept, after a new one was made.
    fn rotate(&self, app: &App) {
        let there = there(&self.folder, app.store.path()).unwrap_or_default();
        let made = there.keys().copied().collect();
        for path in rotation::expendable(&made, app.config.backup.keep).iter().filter_map(|time| there.get(time)) {
            match fs::remove_file(path) {
                Ok(()) => tracing::debug!(backup.path = %path.display(), "removed an old backup"),
                Err(e) => {
                    tracing::warn!(backup.path = %path.display(), error.cause = %e, "an old backup could not be removed");
                }
            }
        }
    }
}

/// Refuses to begin a copy of the database into `folder` where too little room would be left, there or for the log.
pub(super) fn require_room(app: &App, folder: &Path) -> Result<(), CopyError> {
    let (file, log) = app.store.file_bytes();
    let (home, bytes) = (store::folder_of(app.store.path()), file.saturating_add(log));
    for (folder, needed) in [(folder, room_for(bytes)), (home, room_for_log(bytes))] {
        if store::free_bytes(folder).is_some_and(|free| free < needed) {
            return Err(CopyError::Full(folder.to_path_buf()));
        }
    }
    Ok(())
}

/// The free bytes that a disk must have for the backup of a file of so many, and for the log that grows meanwhile: it may
/// be the same disk.
pub fn room_for(bytes: u64) -> u64 {
    bytes.saturating_add(room_for_log(bytes))
}

/// The free bytes that the disk of a file of so many must have while it is copied. Under full load the log grows at up to
/// a third of the pace of copying.
fn room_for_log(bytes: u64) -> u64 {
    ROOM_TO_LEAVE.saturating_add(bytes / 3)
}

/// The backups of `database` in `folder`, by when they were made. Files of other names are none of ours.
pub fn there(folder: &Path, database: &Path) -> io::Result<BTreeMap<Timestamp, PathBuf>> {
    let (mut there, prefix) = (BTreeMap::new(), prefix(database));
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let made = name.strip_prefix(&prefix).and_then(Timestamp::from_stamp);
        if let Some(made) = made {
            there.insert(made, path);
        }
    }
    Ok(there)
}

/// What the names of the backups of `database` begin with; the rest is when.
fn prefix(database: &Path) -> String {
    format!("{}.", database.file_name().unwrap_or_default().to_string_lossy())
}

/// Logs a failure, unless it is that of the time before.
fn report(app: &App, now: Timestamp, e: &CopyError) {
    let remedy = match e {
        CopyError::Full(_) => "make room, keep fewer (backup.keep), or put them elsewhere (backup.dir)",
        CopyError::Unfit(OpenError::Damaged(..)) => "run `orderd verify` on the database; the backups before are kept",
        _ => "see that this user may write there; `orderd doctor` looks",
    };
    let before = app.backups.failed(Failure { at: now, reason: e.to_string() });
    if before.is_none_or(|before| before.reason != e.to_string()) {
        tracing::error!(error.cause = %e, remedy, "no backup could be made; it is tried again");
    }
}
