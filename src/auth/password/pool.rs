//! The threads that hash passwords: a bounded number, at low priority, with a bounded queue before them.

use crate::error::{Error, Result, problem};
use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};
use tokio::sync::{Semaphore, oneshot};

/// Tasks that may wait for each thread. At about 40 ms each, the last of them runs within three seconds.
const WAITING_PER_THREAD: usize = 64;
/// The time to wait that a client is told when the queue is full.
const OVERLOAD_WAIT: Duration = Duration::from_secs(3);
/// The niceness of a hashing thread (setpriority(2)): about a tenth of the CPU share of a thread at 0.
const NICENESS: i32 = 10;

/// Runs tasks on their own threads, a bounded number at a time. Cheap to clone.
#[derive(Clone)]
pub(super) struct HashingPool {
    threads: usize,
    /// A permit for each running task. The task holds it, not the client that waits for the result.
    running: Arc<Semaphore>,
    /// A permit for each task that runs or waits.
    admitted: Arc<Semaphore>,
}

/// The number of password hashes in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingLoad {
    /// Hashes that are being computed.
    pub running: usize,
    /// Hashes that wait for a thread.
    pub waiting: usize,
}

impl HashingPool {
    pub(super) fn new(threads: NonZeroUsize) -> Self {
        let threads = threads.get();
        Self {
            threads,
            running: Arc::new(Semaphore::new(threads)),
            admitted: Arc::new(Semaphore::new(capacity(threads))),
        }
    }

    pub(super) fn load(&self) -> HashingLoad {
        let running = self.threads.saturating_sub(self.running.available_permits());
        let admitted = capacity(self.threads).saturating_sub(self.admitted.available_permits());
        HashingLoad { running, waiting: admitted.saturating_sub(running) }
    }

    /// Runs `task` on its own thread as soon as one is free. A task that has started runs to its end and keeps its
    /// permit until then, even if the client has gone: otherwise clients that hang up could occupy all cores.
    ///
    /// # Errors
    /// `overloaded` if the queue is full.
    pub(super) async fn run<T: Send + 'static>(&self, task: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| Error::new(&problem::OVERLOADED).retry_after(OVERLOAD_WAIT))?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(Error::internal)?;
        let (sender, receiver) = oneshot::channel();
        thread::Builder::new()
            .name("hasher".into())
            .spawn(move || {
                let _permits = (admitted, running);
                lower_priority();
                // Sending fails only if the client has gone.
                let _ = sender.send(task());
            })
            .map_err(Error::internal)?;
        receiver.await.map_err(Error::internal)?
    }
}

const fn capacity(threads: usize) -> usize {
    threads * (1 + WAITING_PER_THREAD)
}

/// Lets all other threads go first: a log-in can wait, an order should not. Linux keeps a priority per thread and an
/// unprivileged thread cannot raise it again, so each task has a thread of its own.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(error.cause = %error, "password hashing continues at normal priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_client_that_hangs_up_frees_no_thread_and_the_queue_is_bounded() {
        let pool = HashingPool::new(NonZeroUsize::MIN);
        let (release, gate) = mpsc::channel::<()>();
        let (started, has_started) = oneshot::channel();
        let client = tokio::spawn({
            let pool = pool.clone();
            async move {
                let task = move || {
                    started.send(()).unwrap();
                    gate.recv().map_err(Error::internal)
                };
                pool.run(task).await
            }
        });
        has_started.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(pool.load(), HashingLoad { running: 1, waiting: 0 }, "the task continues");

        let waiting: Vec<_> = (0..WAITING_PER_THREAD)
            .map(|n| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.run(move || Ok(n)).await })
            })
            .collect();
        while pool.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.load(), HashingLoad { running: 1, waiting: WAITING_PER_THREAD });
        let error = pool.run(|| Ok(())).await.unwrap_err();
        assert!(error.is(&problem::OVERLOADED));
        assert_eq!(error.wait(), Some(OVERLOAD_WAIT));

        release.send(()).unwrap();
        for (n, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().unwrap(), n);
        }
        assert!(pool.run(|| Ok(())).await.is_ok());
    }
}
