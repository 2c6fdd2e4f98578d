//! Backups as use cases: the scheduled ones, and a copy to download. How a copy is made and verified is in `store`, and
//! the worker decides when the schedule is looked at.

mod schedule;
mod view;

pub use schedule::{Schedule, existing, room_for};
pub use view::BackupScheduleView;

use super::audit;
use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::{Error, Result, problem},
    store::{
        Store, WriteTx,
        backup::{self, UnlinkedCopy},
        folder_of, password_resets, sessions, with_suffix,
    },
};
use serde_json::json;
use std::{os::unix::fs::FileExt, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// `Retry-After` while another copy is being downloaded.
const DOWNLOAD_WAIT: Duration = Duration::from_secs(10);
/// Bytes of the copy in one read.
const CHUNK: usize = 256 * 1024;

/// A copy for one download. Its space on the disk is freed when this is dropped.
pub struct Download {
    copy: UnlinkedCopy,
    /// The file name to offer to the client.
    pub name: String,
    _permit: OwnedSemaphorePermit,
}

impl Download {
    /// The size of the copy.
    pub fn bytes(&self) -> u64 {
        self.copy.bytes
    }

    /// The SHA-256 of the copy.
    pub fn digest(&self) -> [u8; 32] {
        self.copy.digest
    }

    /// Reads up to 256 KiB at `offset`; empty at the end.
    pub async fn read(self: Arc<Self>, offset: u64) -> Result<Vec<u8>> {
        let read = move || {
            let mut chunk = vec![0; CHUNK];
            let count = self.copy.file.read_at(&mut chunk, offset)?;
            chunk.truncate(count);
            Ok(chunk)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
        read.map_err(|e: std::io::Error| Error::internal(e))
    }
}

/// Makes a verified copy of the database as it is now. One at a time, since each takes as much space as the database.
pub async fn download(app: &App, actor: Actor) -> Result<Download> {
    actor.require(Permission::SystemBackup)?;
    let permit = Arc::clone(&app.backups.download).try_acquire_owned().map_err(|_| {
        Error::new(&problem::OVERLOADED)
            .detail("Another copy is being downloaded; only one is made at a time.")
            .retry_after(DOWNLOAD_WAIT)
    })?;
    let (source, shared) = (app.store.path().to_path_buf(), app.clone());
    schedule::require_room(app, folder_of(&source))?;
    let partial = with_suffix(&source, ".download.partial");
    let created_at = app.clock.now();
    let copy = move |progress: &backup::OnProgress| backup::unlinked_copy(&source, &partial, progress);
    let copy = backup::on_own_thread(move || !shared.is_draining(), copy).await?;
    let bytes = copy.bytes;
    let record = move |tx: &WriteTx<'_>| audit::record(tx, &actor, "system.backup", None, &json!({"bytes": bytes}));
    app.store.write("system.backup", record).await?;
    Ok(Download { copy, name: format!("orderd-{}.db", created_at.stamp()), _permit: permit })
}

/// The schedule of this server: its newest backup, its last failure, and when the next one is due.
pub fn schedule(app: &App, actor: &Actor) -> Result<BackupScheduleView> {
    actor.require(Permission::SystemBackup)?;
    Ok(BackupScheduleView::of(app))
}

/// Ends all sessions and reset tokens in a copy that is about to replace the database: those from the time of the copy
/// may have been ended or used since. Returns the number of sessions.
pub async fn end_sessions(store: &Store, actor: Actor) -> Result<usize> {
    let end = move |tx: &WriteTx<'_>| {
        let ended = sessions::end_all(tx)?;
        password_resets::end_all(tx)?;
        audit::record(tx, &actor, "system.restore", None, &json!({"sessions_ended": ended}))?;
        Ok(ended)
    };
    store.write("system.restore", end).await
}
