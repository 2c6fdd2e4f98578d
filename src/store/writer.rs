//! The single writer: a queue, and a thread that owns the one writing connection. Here is the side of those who have
//! something to write: their work waits in the queue, begins in time or not at all, and is answered after the commit.

mod job;
mod log;
mod thread;
mod tx;

use job::{Job, Task, Ticket};
use log::Log;
use thread::Thread;
pub use tx::WriteTx;
use tx::{Batch, Counters};

use super::{connection::Options, gauges::Gauges, sql::failed};
use crate::error::{Error, Result, problem};
use rusqlite::Connection;
use std::{
    sync::{
        Arc, Mutex,
        atomic::Ordering::Relaxed,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::watch;

/// Pieces of work that may wait; more are refused at once.
const QUEUE_LENGTH: usize = 4_096;

pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: watch::Receiver<bool>,
    last_event: watch::Receiver<i64>,
    gauges: Arc<Gauges>,
    time_to_begin: Duration,
    time_to_finish: Duration,
}

impl Writer {
    pub(super) fn start(connection: Connection, options: &Options, gauges: Arc<Gauges>) -> Result<Self> {
        let counters = Counters::load(&connection).map_err(failed)?;
        if options.clock.now() < counters.time {
            tracing::warn!(last.record = %counters.time, "the clock is behind the last record; time goes on from that");
            options.clock.go_on_from(counters.time);
        }
        let (queue, jobs) = sync_channel(QUEUE_LENGTH);
        let (fail, failed) = watch::channel(false);
        let (newest, last_event) = watch::channel(counters.event);
        gauges.recorded(counters.event, counters.recorded);
        let batch = Batch::new(options.clock.clone(), Arc::clone(&options.ids), &counters);
        let log = Log::watch(&connection, Arc::clone(&gauges));
        let mut thread = Thread { connection, batch, log, gauges: Arc::clone(&gauges), newest };
        let run = move || {
            if thread.run(&jobs).is_err() {
                fail.send_replace(true);
            }
        };
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(run).map_err(Error::internal)?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failed,
            last_event,
            gauges,
            time_to_begin: options.request_timeout / 2,
            time_to_finish: options.request_timeout,
        })
    }

    pub(super) async fn run<T, W>(&self, name: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        let ticket = Arc::new(Ticket::default());
        let (task, mut reply) = Task::new(name, Arc::clone(&ticket), work);
        self.enqueue(Box::new(task))?;
        let _give_up_when_dropped = job::GiveUp(&ticket);
        if let Ok(answer) = tokio::time::timeout(self.time_to_begin, &mut reply).await {
            return answer.unwrap_or_else(|_| Err(stopped()));
        }
        if ticket.give_up() {
            return Err(Error::new(&problem::OVERLOADED).detail("The change waited too long to be begun."));
        }
        let answer = tokio::time::timeout(self.time_to_finish.saturating_sub(self.time_to_begin), reply).await;
        match answer {
            Ok(answer) => answer.unwrap_or_else(|_| Err(stopped())),
            Err(_) => Err(Error::new(&problem::OUTCOME_UNKNOWN)),
        }
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<()> {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(Error::new(&problem::DRAINING)) };
        self.gauges.queued.fetch_add(1, Relaxed);
        queue.try_send(job).map_err(|refused| {
            self.gauges.queued.fetch_sub(1, Relaxed);
            match refused {
                TrySendError::Full(_) => Error::new(&problem::OVERLOADED).detail("The queue of changes is full."),
                TrySendError::Disconnected(_) => stopped(),
            }
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        *self.failed.borrow()
    }

    pub(super) async fn failed(&self) {
        let mut failed = self.failed.clone();
        // An error means that the writer was closed in good order: then this never resolves.
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn event_after(&self, seq: i64) {
        let mut last_event = self.last_event.clone();
        // An error means that the writer was closed: then nothing more will come.
        if last_event.wait_for(|last| *last > seq).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the writer's thread has been logged where it happened.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// The writer has stopped, after a failure of storage, with this work in its hands.
fn stopped() -> Error {
    Error::new(&problem::OUTCOME_UNKNOWN).detail("Storage has failed; the service is stopping.")
}

#[cfg(test)]
mod tests;
