//! How far the commits are on disk, for readers: they may see one before it is synced.

use crate::error::{Error, Result, problem};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::sync::Notify;

/// How far the commits are on disk that are not synced at once. They are numbered from 1 since the start.
#[derive(Default)]
pub(super) struct Synced {
    /// The last commit that was begun: readers may see it.
    begun: AtomicU64,
    /// The last commit that is on disk.
    on_disk: AtomicU64,
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

    /// The last commit that is on disk.
    pub(super) fn synced(&self) -> u64 {
        self.on_disk.load(SeqCst)
    }

    /// Notes that the commits up to this one are on disk.
    pub(super) fn advance(&self, to: u64) {
        self.on_disk.fetch_max(to, SeqCst);
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
    use std::{
        future::Future,
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    fn poll(waiting: Pin<&mut impl Future<Output = Result<()>>>) -> Poll<Result<()>> {
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_reader_waits_for_the_commit_that_it_may_have_seen_and_for_no_later_one() {
        let synced = Synced::default();
        assert!(poll(pin!(synced.wait())).is_ready(), "there was no commit");
        synced.begin();
        let mut first = pin!(synced.wait());
        assert!(poll(first.as_mut()).is_pending());
        synced.begin();
        synced.advance(1);
        let mut second = pin!(synced.wait());
        assert!(matches!(poll(first), Poll::Ready(Ok(()))));
        assert!(poll(second.as_mut()).is_pending());
        synced.fail();
        assert!(matches!(poll(second), Poll::Ready(Err(e)) if e.is(&problem::DRAINING)));
    }

    #[test]
    fn after_a_failure_what_was_on_disk_before_may_be_shown() {
        let synced = Synced::default();
        synced.begin();
        synced.advance(1);
        synced.fail();
        assert!(matches!(poll(pin!(synced.wait())), Poll::Ready(Ok(()))));
    }
}
