//! A job of the writer: a closure of a caller, from the queue to the answer after the commit.

use super::WriteTx;
use crate::{
    error::{Error, Result, problem},
    telemetry::logs::Millis,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A job that keeps the writer for longer than this is logged.
const SLOW_JOB: Duration = Duration::from_millis(250);

const QUEUED: u8 = 0;
const STARTED: u8 = 1;
const CANCELLED: u8 = 2;

/// Shared by the caller and the writer: a job is either started or cancelled, never both.
#[derive(Default)]
pub(super) struct Claim(AtomicU8);

impl Claim {
    /// Claims the job for the writer; false if the caller has cancelled it.
    pub(super) fn start(&self) -> bool {
        self.0.compare_exchange(QUEUED, STARTED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the caller has cancelled the job.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire) == CANCELLED
    }

    /// Cancels the job; false if the writer has started it.
    pub(super) fn cancel(&self) -> bool {
        self.0.compare_exchange(QUEUED, CANCELLED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Cancels a job that has not started when the caller's future is dropped.
pub(super) struct CancelOnDrop<'c>(pub(super) &'c Claim);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(super) enum JobError {
    /// The closure returned an error. The job keeps it as its outcome.
    Own,
    /// Storage failed or is full. The job has no outcome.
    Storage(Error),
}

pub(super) trait Job: Send {
    fn claim(&self) -> &Claim;
    /// When the job was queued.
    fn queued_at(&self) -> Instant;
    /// The name of the transaction, such as `orders.create`.
    fn name(&self) -> &'static str;
    /// Runs the closure and keeps its outcome until the commit.
    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), JobError>;
    /// Sends the outcome to the caller.
    fn answer(self: Box<Self>);
    /// Sends this error to the caller instead of the outcome.
    fn refuse(self: Box<Self>, error: Error);
}

/// The only implementation of [`Job`]; the trait hides the types of the closure and its result.
pub(super) struct Task<T, W> {
    name: &'static str,
    claim: Arc<Claim>,
    queued_at: Instant,
    work: W,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// The caller's span: log lines of the closure belong to the caller's request.
    span: tracing::Span,
}

impl<T, W> Task<T, W>
where
    T: Send,
    W: Fn(&WriteTx<'_>) -> Result<T> + Send,
{
    pub(super) fn new(name: &'static str, claim: Arc<Claim>, work: W) -> (Self, oneshot::Receiver<Result<T>>) {
        let (reply, answer) = oneshot::channel();
        let (queued_at, span) = (Instant::now(), tracing::Span::current());
        (Self { name, claim, queued_at, work, outcome: None, reply, span }, answer)
    }
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: Fn(&WriteTx<'_>) -> Result<T> + Send,
{
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), JobError> {
        let (started, _in_span) = (Instant::now(), self.span.enter());
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(Error::internal(format!("a panic in the transaction {}", self.name))));
        let taken = started.elapsed();
        if taken > SLOW_JOB {
            let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                write.name = self.name,
                write.duration_ms = millis,
                "slow change {}: {}",
                self.name,
                Millis(taken)
            );
        }
        let verdict = match outcome {
            Err(e) if e.is(&problem::OUTCOME_UNKNOWN) || e.is(&problem::STORAGE_FULL) => {
                return Err(JobError::Storage(e));
            }
            Ok(_) => Ok(()),
            Err(_) => Err(JobError::Own),
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // The caller may have gone: a job that was started is finished anyway.
            let _ = self.reply.send(outcome);
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}
