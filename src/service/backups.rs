//! Backups: making them on schedule, keeping some of them, and handing out a copy that somebody asks for. How a copy is
//! made and verified is the store's affair.

mod schedule;

pub use schedule::{Schedule, room_for, there};

use super::audit;
use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::{Error, Result, problem},
    store::{
        Store, WriteTx,
        backup::{self, Nameless},
        beside, folder_of, sessions,
    },
};
use serde_json::json;
use std::{os::unix::fs::FileExt, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// When to ask again while somebody else downloads a copy.
const DOWNLOAD_WAIT: Duration = Duration::from_secs(10);
/// Bytes of a copy that are read at once.
const CHUNK: usize = 256 * 1024;

/// A copy that is being downloaded. It is gone when this is dropped.
pub struct Download {
    copy: Nameless,
    /// What to call it.
    pub name: String,
    _place: OwnedSemaphorePermit,
}

impl Download {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.copy.bytes
    }

    /// SHA-256 of it.
    pub fn digest(&self) -> [u8; 32] {
        self.copy.digest
    }

    /// The bytes at `offset`, as many as are read at once; none at the end.
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

/// A verified copy of everything, as it is now. One at a time, since each takes the room of the whole.
pub async fn download(app: &App, actor: Actor) -> Result<Download> {
    actor.require(Permission::SystemBackup)?;
    let place = Arc::clone(&app.backups.download).try_acquire_owned().map_err(|_| {
        Error::new(&problem::OVERLOADED).detail("Another copy is being downloaded.").retry_after(DOWNLOAD_WAIT)
    })?;
    let (source, shared) = (app.store.path().to_path_buf(), app.clone());
    schedule::require_room(app, folder_of(&source))?;
    let partial = beside(&source, ".download.partial");
    let made = app.clock.now();
    let copy = move |watch: &backup::Watch| backup::copy_to_read(&source, &partial, watch);
    let copy = backup::aside(move || !shared.is_draining(), copy).await?;
    let bytes = copy.bytes;
    let record = move |tx: &WriteTx<'_>| audit::record(tx, &actor, "system.backup", None, &json!({"bytes": bytes}));
    app.store.write("system.backup", record).await?;
    Ok(Download { copy, name: format!("orderd-{}.db", made.stamp()), _place: place })
}

/// Ends all sessions in a copy that is about to be put in the place of the database: whoever was logged in when it was
/// made need not be now. Says how many there were.
pub async fn end_sessions(store: &Store, actor: Actor) -> Result<usize> {
    let end = move |tx: &WriteTx<'_>| {
        let ended = sessions::end_everyones(tx)?;
        audit::record(tx, &actor, "system.restore", None, &json!({"sessions_ended": ended}))?;
        Ok(ended)
    };
    store.write("system.restore", end).await
}
