//! The state of scheduled backups while the application runs: the last backup and the last failure. Making backups is a
//! use case and is not done here.

use crate::domain::time::Timestamp;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// The state of scheduled backups.
pub struct Backups {
    state: Mutex<BackupState>,
    /// The permit to download a backup. There is one.
    pub download: Arc<Semaphore>,
}

#[derive(Default)]
struct BackupState {
    due_at: Option<Timestamp>,
    latest: Option<VerifiedBackup>,
    failure: Option<BackupFailure>,
}

/// A verified backup on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBackup {
    /// The file.
    pub path: PathBuf,
    /// The size of the file.
    pub bytes: u64,
    /// The time of the snapshot.
    pub made_at: Timestamp,
    /// The latest time at which the database was known to be unchanged since the backup. Every change that the backup
    /// lacks is newer.
    pub current_at: Timestamp,
}

/// A failed attempt to make a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFailure {
    /// The time of the attempt.
    pub at: Timestamp,
    /// The reason. It contains paths and is for operators only.
    pub reason: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Default for Backups {
    fn default() -> Self {
        Self { state: Mutex::default(), download: Arc::new(Semaphore::new(1)) }
    }
}

impl Backups {
    /// The newest backup, also if an earlier run of the server made it.
    pub fn latest(&self) -> Option<VerifiedBackup> {
        self.with(|state| state.latest.clone())
    }

    /// The failure of the last attempt, if it failed.
    pub fn failure(&self) -> Option<BackupFailure> {
        self.with(|state| state.failure.clone())
    }

    /// When the next backup is due, if any are scheduled.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.with(|state| state.due_at)
    }

    /// Records when the next backup is due.
    pub fn record_due(&self, at: Timestamp) {
        self.with(|state| state.due_at = Some(at));
    }

    /// Records a backup and clears the failure.
    pub fn record_success(&self, backup: VerifiedBackup) {
        self.with(|state| {
            state.latest = Some(backup);
            state.failure = None;
        });
    }

    /// Records that nothing has changed since the last backup, and clears the failure.
    pub fn record_unchanged(&self, now: Timestamp) {
        self.with(|state| {
            if let Some(backup) = &mut state.latest {
                backup.current_at = now;
            }
            state.failure = None;
        });
    }

    /// Records a failure and returns the previous one.
    pub fn record_failure(&self, failure: BackupFailure) -> Option<BackupFailure> {
        self.with(|state| state.failure.replace(failure))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BackupState) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
