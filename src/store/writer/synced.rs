//! How far the commits are on disk, for readers: they may see the last one before it is synced.

use crate::error::{Error, Result, problem};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::sync::Notify;

/// How far the commits are on disk that are not synced at once. They are numbered from 1 since the start.
#[derive(Default)]
pub(super) struct Synced {
    /// The last commit that was begun: readers may see it.
    begun: AtomicU64,
    /// The last commit that is on disk.
    synced: AtomicU64,
    /// Whether storage has failed, so that later commits may never be on disk.
    has_failed: AtomicBool,
    changed: Notify,
}

impl Synced {
    /// Notes that a commit begins. To be called before readers can see it, and when all earlier ones are on disk.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, SeqCst);
    }

    /// Notes that all commits are on disk, or undone.
    pub(super) fn advance(&self) {
        self.synced.store(self.begun.load(SeqCst), SeqCst);
        self.changed.notify_waiters();
    }

    /// Notes that storage has failed.
    pub(super) fn fail(&self) {
        self.has_failed.store(true, SeqCst);
        self.changed.notify_waiters();
    }

    /// Resolves when every commit that readers see at this moment is on disk.
    ///
    /// # Errors
    /// `DRAINING` if that will never be, since storage has failed.
    pub(super) async fn wait(&self) -> Result<()> {
        let seen = self.begun.load(SeqCst);
        loop {
            // From here on it hears of changes, so that none is missed between a look and the wait.
            let changed = self.changed.notified();
            if self.synced.load(SeqCst) >= seen {
                return Ok(());
            }
            if self.has_failed.load(SeqCst) {
                return Err(Error::new(&problem::DRAINING).detail("Storage has failed; the service is stopping."));
            }
            changed.await;
        }
    }
}
