//! The schedule of backups as the API shows it. Paths are left out: they are in the log of the server.

use crate::{
    app::{
        App,
        backups::{BackupFailure, VerifiedBackup},
    },
    domain::time::Timestamp,
    service::views::AsText,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The scheduled backups of this server.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BackupSchedule")]
pub struct BackupScheduleView {
    /// The time between two backups, in seconds (`backup.every`). 0 if none are scheduled.
    #[schemars(range(min = 0))]
    every_seconds: u64,
    /// When the next backup is due. It is in the past while nothing has changed since the latest one, and null if none
    /// are scheduled.
    next_at: Option<AsText<Timestamp>>,
    /// The newest backup, also if an earlier run of the server made it.
    latest: Option<BackupView>,
    /// The last attempt, if it failed.
    failure: Option<BackupFailureView>,
}

/// A backup on the disk of the server. It was verified when it was made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Backup")]
struct BackupView {
    /// The instant whose state it holds.
    made_at: AsText<Timestamp>,
    /// The latest time at which the database was known to be unchanged since then.
    current_at: AsText<Timestamp>,
    /// The size of the file, in bytes.
    #[schemars(range(min = 0))]
    bytes: u64,
}

/// An attempt to make a backup that failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BackupFailure")]
struct BackupFailureView {
    /// The time of the attempt.
    failed_at: AsText<Timestamp>,
    /// What to do about it. The log of the server has the cause.
    remedy: &'static str,
}

impl BackupScheduleView {
    pub(super) fn of(app: &App) -> Self {
        let latest = |backup: VerifiedBackup| BackupView {
            made_at: AsText(backup.made_at),
            current_at: AsText(backup.current_at),
            bytes: backup.bytes,
        };
        let failure =
            |failure: BackupFailure| BackupFailureView { failed_at: AsText(failure.at), remedy: failure.remedy };
        Self {
            every_seconds: app.config.backup.every.as_secs(),
            next_at: app.backups.due_at().map(AsText),
            latest: app.backups.latest().map(latest),
            failure: app.backups.failure().map(failure),
        }
    }
}
