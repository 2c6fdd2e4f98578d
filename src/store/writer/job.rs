//! A piece of work on its way through the writer: from the caller that waits for it to the answer after the commit.

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

/// Work that keeps the writer for longer than this is logged with its name.
const SLOW_WORK: Duration = Duration::from_millis(250);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// What the caller and the writer agree on: work is either begun or given up, never both.
#[derive(Default)]
pub(super) struct Ticket(AtomicU8);

impl Ticket {
    /// Claims the work for the writer; false if the caller has given up.
    pub(super) fn begin(&self) -> bool {
        self.0.compare_exchange(WAITING, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes the work back; false if the writer has begun it.
    pub(super) fn give_up(&self) -> bool {
        self.0.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Gives the work up when the caller goes away.
pub(super) struct GiveUp<'t>(pub(super) &'t Ticket);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// How a piece of work failed.
pub(super) enum Failed {
    /// For a reason of its own.
    Itself,
    /// Because storage failed or is full; its outcome is this error, and is not kept.
    Storage(Error),
}

pub(super) trait Job: Send {
    fn ticket(&self) -> &Ticket;
    /// Of the transaction, such as `orders.create`.
    fn name(&self) -> &'static str;
    /// Does the work and keeps its outcome for the answer.
    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), Failed>;
    /// Gives the caller the outcome.
    fn answer(self: Box<Self>);
    /// Gives the caller this error in place of the outcome.
    fn refuse(self: Box<Self>, error: Error);
}

pub(super) struct Task<T, W> {
    name: &'static str,
    ticket: Arc<Ticket>,
    work: W,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// Whose work it is: what is logged on the writer's thread belongs to that request.
    span: tracing::Span,
}

impl<T, W> Task<T, W>
where
    T: Send,
    W: Fn(&WriteTx<'_>) -> Result<T> + Send,
{
    pub(super) fn new(name: &'static str, ticket: Arc<Ticket>, work: W) -> (Self, oneshot::Receiver<Result<T>>) {
        let (reply, answer) = oneshot::channel();
        (Self { name, ticket, work, outcome: None, reply, span: tracing::Span::current() }, answer)
    }
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: Fn(&WriteTx<'_>) -> Result<T> + Send,
{
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), Failed> {
        let (begun, _in_span) = (Instant::now(), self.span.enter());
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(Error::internal(format!("a panic in the transaction {}", self.name))));
        let taken = begun.elapsed();
        if taken > SLOW_WORK {
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
                return Err(Failed::Storage(e));
            }
            Ok(_) => Ok(()),
            Err(_) => Err(Failed::Itself),
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Nobody may be waiting any more: what was begun is finished all the same.
            let _ = self.reply.send(outcome);
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}
