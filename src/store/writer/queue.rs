//! The queue of jobs that wait for the writer.

use super::{
    QUEUE_LENGTH,
    job::{Claim, Job, Task},
    writer_stopped,
};
use crate::{
    error::{Error, Result, problem},
    store::gauges::Gauges,
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::Ordering::Relaxed,
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

type Sender = SyncSender<Box<dyn Job>>;

/// The callers' end of the queue.
pub(super) struct Queue {
    sender: Mutex<Option<Sender>>,
    gauges: Arc<Gauges>,
}

impl Queue {
    /// A queue, and the writer's end of it.
    pub(super) fn new(gauges: Arc<Gauges>) -> (Self, Receiver<Box<dyn Job>>) {
        let (sender, jobs) = sync_channel(QUEUE_LENGTH);
        (Self { sender: Mutex::new(Some(sender)), gauges }, jobs)
    }

    fn sender(&self) -> MutexGuard<'_, Option<Sender>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `DRAINING` once it is closed; `OVERLOADED` while it is full; `OUTCOME_UNKNOWN` if the writer has stopped.
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<()> {
        let sender = self.sender();
        let Some(sender) = sender.as_ref() else { return Err(Error::new(&problem::DRAINING)) };
        self.gauges.queued.fetch_add(1, Relaxed);
        sender.try_send(job).map_err(|refused| {
            self.gauges.queued.fetch_sub(1, Relaxed);
            match refused {
                TrySendError::Full(_) => Error::new(&problem::OVERLOADED).detail("The queue of changes is full."),
                TrySendError::Disconnected(_) => writer_stopped(),
            }
        })
    }

    /// Has the writer look around if it waits for jobs: one comes that need not be run.
    pub(super) fn wake(&self) {
        let claim = Arc::<Claim>::default();
        claim.cancel();
        let (task, _) = Task::new("writer.wake", claim, |_| Ok(()));
        // If the queue is full, the writer does not wait.
        let _ = self.push(Box::new(task));
    }

    /// Lets the writer end after what waits.
    pub(super) fn close(&self) {
        self.sender().take();
    }
}
