//! How far the commits are on disk, for readers: they see a commit before it is synced.

use crate::error::{Error, Result, problem};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::sync::Notify;

/// How far the commits are on disk. Commits are numbered from 1 since the start.
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
    /// Notes that a commit begins. To be called before readers can see it.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, SeqCst);
    }

    /// The last commit that was begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(SeqCst)
    }

    /// Notes that the commits up to this one are on disk.
    pub(super) fn advance(&self, to: u64) {
        self.synced.fetch_max(to, SeqCst);
        self.changed.notify_waiters();
    }

    /// The last commit that is on disk.
    pub(super) fn synced(&self) -> u64 {
        self.synced.load(SeqCst)
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
        let seen = self.begun();
        loop {
            // From here on it hears of changes, so that none is missed between a look and the wait.
            let changed = self.changed.notified();
            if self.synced() >= seen {
                return Ok(());
            }
            if self.has_failed.load(SeqCst) {
                return Err(Error::new(&problem::DRAINING).detail("Storage has failed; the service is stopping."));
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::Future, pin::pin, task::Context, task::Poll, task::Waker};

    fn poll(waiting: std::pin::Pin<&mut impl Future<Output = Result<()>>>) -> Poll<Result<()>> {
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_reader_waits_for_the_commits_that_it_may_have_seen_and_for_no_later_one() {
        let synced = Synced::default();
        assert!(poll(pin!(synced.wait())).is_ready(), "there was no commit");
        synced.begin();
        let mut first = pin!(synced.wait());
        assert!(poll(first.as_mut()).is_pending());
        synced.begin();
        let mut second = pin!(synced.wait());
        assert!(poll(second.as_mut()).is_pending());
        synced.advance(1);
        assert!(matches!(poll(first), Poll::Ready(Ok(()))));
        assert!(poll(second.as_mut()).is_pending());
        synced.fail();
        assert!(matches!(poll(second), Poll::Ready(Err(e)) if e.is(&problem::DRAINING)));
        // A sync that ends late says nothing of later commits.
        synced.advance(1);
        assert!(matches!(poll(pin!(synced.wait())), Poll::Ready(Err(_))));
    }
}
