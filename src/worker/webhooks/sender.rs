//! The sender of one endpoint: new events and what is tried again, a few at a time, and the recording of what became of
//! them, in groups. It ends when the server stops, or the endpoint is disabled or deleted.

use super::{super::supervisor::Stop, Shared, window::Window};
use crate::{
    app::recent_events::FeedEvent,
    domain::{
        id::{DeliveryId, WebhookId},
        time::Timestamp,
    },
    error::Result,
    service::{
        events,
        webhooks::delivery::{self, Batch, DeliveryAttempt, Subject},
    },
    store::{deliveries::Delivery, webhooks::Webhook},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeSet, VecDeque},
    future::pending,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};

/// Attempts at the same time.
const MOST_ATTEMPTS: usize = 4;
/// Of these, attempts that are made again while new events wait.
const MOST_AGAIN: usize = 2;
/// Deliveries that are read at a time from those to be tried again.
const READ_AT_ONCE: usize = 64;
/// How often the times of the next retries are compared with the clock.
const TICK: Duration = Duration::from_millis(250);
/// The pause after a failure of the database.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Sender {
    shared: Shared,
    id: WebhookId,
    webhook: Arc<Webhook>,
    changes: watch::Receiver<u64>,
    stop: Stop,
    /// New events.
    window: Window,
    /// What is to be tried again, the earliest first.
    again: VecDeque<Delivery>,
    /// Whether `again` has to be read from the database.
    again_is_stale: bool,
    /// What of it is being sent, or waits to be recorded.
    busy: BTreeSet<DeliveryId>,
    sending: FuturesUnordered<BoxFuture<'static, DeliveryAttempt>>,
    sending_again: usize,
    /// Attempts that can be recorded in any order.
    ended: Vec<DeliveryAttempt>,
    recording: Option<Recording>,
    is_ending: bool,
}

/// A batch that is being recorded.
struct Recording {
    batch: Arc<Batch>,
    outcome: BoxFuture<'static, Result<Option<Webhook>>>,
}

impl Sender {
    pub(super) fn new(shared: Shared, webhook: Webhook, stop: Stop) -> Self {
        Self {
            changes: shared.app.webhook_changes.subscribe(),
            shared,
            id: webhook.id,
            window: Window::after(webhook.cursor),
            webhook: Arc::new(webhook),
            stop,
            again: VecDeque::new(),
            again_is_stale: true,
            busy: BTreeSet::new(),
            sending: FuturesUnordered::new(),
            sending_again: 0,
            ended: vec![],
            recording: None,
            is_ending: false,
        }
    }

    /// Runs until the end, and returns the endpoint's identifier.
    pub(super) async fn run(mut self) -> WebhookId {
        // What has changed between the reading of the endpoint and now is seen here.
        self.changes.mark_changed();
        loop {
            if let Err(e) = self.prepare().await {
                tracing::warn!(webhook.id = %self.id, error.cause = %e, "webhook deliveries cannot be read, trying again: {e}");
                sleep(FAILURE_PAUSE).await;
            }
            // Without the lease this sender ends, and the process that has it continues from the recorded attempts.
            self.is_ending |= !self.shared.app.store.has_lease();
            self.start_attempts();
            self.start_recording();
            if self.is_ending && self.sending.is_empty() && self.recording.is_none() {
                return self.id;
            }
            self.wait().await;
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        let (wants_events, end) = (!self.is_ending && self.window.has_room(), self.window.end());
        let store = self.shared.app.store.clone();
        let new_event = async move { if wants_events { store.event_after(end).await } else { pending().await } };
        let may_reload = self.recording.is_none() && !self.is_ending;
        let (recording, sending, changes) = (&mut self.recording, &mut self.sending, &mut self.changes);
        let recorded = async {
            match recording {
                Some(recording) => (&mut recording.outcome).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.stop.requested(), if !self.is_ending => self.is_ending = true,
            outcome = recorded => self.recorded(outcome),
            Some(attempt) = sending.next() => self.attempt_ended(attempt),
            Ok(()) = changes.changed(), if may_reload => self.changes.mark_changed(),
            () = new_event => {}
            () = sleep(TICK), if !self.again.is_empty() && !self.is_ending => {}
        }
    }

    /// Reads what is needed for the next attempts.
    async fn prepare(&mut self) -> Result<()> {
        if self.is_ending {
            return Ok(());
        }
        if self.recording.is_none() && self.changes.has_changed().unwrap_or_default() {
            self.changes.borrow_and_update();
            self.reload().await.inspect_err(|_| self.changes.mark_changed())?;
        }
        if self.again_is_stale {
            let found = delivery::pending(&self.shared.app, self.id, READ_AT_ONCE).await?;
            self.again = found.into_iter().filter(|delivery| !self.busy.contains(&delivery.id)).collect();
            self.again_is_stale = false;
        }
        let last = self.shared.app.store.gauges().last_event.load(Relaxed);
        if self.window.has_room() && last > self.window.end() {
            let events = events::after(&self.shared.app, self.window.end()).await?;
            self.window.add(events);
        }
        Ok(())
    }

    /// Reads the endpoint again. Where its cursor was moved, sending begins there.
    async fn reload(&mut self) -> Result<()> {
        match delivery::endpoint(&self.shared.app, self.id).await? {
            None => self.is_ending = true,
            Some(webhook) => self.use_endpoint(webhook),
        }
        self.again_is_stale = true;
        Ok(())
    }

    fn use_endpoint(&mut self, webhook: Webhook) {
        if webhook.cursor != self.window.cursor() {
            self.ended.extend(self.window.restart(webhook.cursor));
        }
        self.webhook = Arc::new(webhook);
    }

    /// Starts as many attempts as may be made at the same time.
    fn start_attempts(&mut self) {
        while !self.is_ending && self.sending.len() < MOST_ATTEMPTS {
            // The first one needs no permit, so that no endpoint has to wait for others.
            let permit = match Arc::clone(&self.shared.attempts).try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) if self.sending.is_empty() => None,
                Err(_) => return,
            };
            let Some(subject) = self.next_subject() else { return };
            self.send(subject, permit);
        }
    }

    fn next_subject(&mut self) -> Option<Subject> {
        if self.sending_again < MOST_AGAIN
            && let Some(delivery) = self.next_again()
        {
            return Some(Subject::Again(delivery));
        }
        let webhook = Arc::clone(&self.webhook);
        let wants = |event: &_| wants(&webhook, event);
        self.window.next(wants).map(Subject::Event).or_else(|| self.next_again().map(Subject::Again))
    }

    fn next_again(&mut self) -> Option<Delivery> {
        let now = self.shared.app.clock.now();
        let is_due = |delivery: &Delivery| delivery.next_attempt_at.is_some_and(|at: Timestamp| at <= now);
        let delivery = self.again.pop_front_if(|delivery| is_due(delivery))?;
        self.again_is_stale |= self.again.is_empty();
        Some(delivery)
    }

    fn send(&mut self, subject: Subject, permit: Option<OwnedSemaphorePermit>) {
        if let Subject::Again(delivery) = &subject {
            self.busy.insert(delivery.id);
            self.sending_again += 1;
        }
        let (shared, webhook) = (self.shared.clone(), Arc::clone(&self.webhook));
        let attempt = async move {
            let attempt = delivery::attempt(&shared.app, &shared.client, &webhook, subject).await;
            drop(permit);
            attempt
        };
        self.sending.push(attempt.boxed());
    }

    fn attempt_ended(&mut self, attempt: DeliveryAttempt) {
        let seq = match &attempt.subject {
            Subject::Event(event) => event.seq,
            Subject::Again(_) => {
                self.sending_again -= 1;
                self.ended.push(attempt);
                return;
            }
        };
        if let Err(stray) = self.window.ended(seq, Box::new(attempt)) {
            self.ended.push(*stray);
        }
    }

    /// Starts to record what has ended, unless that is going on already: the longer it takes, the more is recorded at
    /// once.
    fn start_recording(&mut self) {
        if self.recording.is_some() {
            return;
        }
        let is_last = self.is_ending && self.sending.is_empty();
        let batch = if is_last { self.window.take_last() } else { self.window.take() };
        let mut batch = batch.unwrap_or_default();
        batch.attempts.append(&mut self.ended);
        if batch.attempts.is_empty() && batch.cursor.is_none() {
            return;
        }
        self.record(Arc::new(batch), Duration::ZERO);
    }

    fn record(&mut self, batch: Arc<Batch>, pause: Duration) {
        let (app, id, recorded) = (self.shared.app.clone(), self.id, Arc::clone(&batch));
        let outcome = async move {
            sleep(pause).await;
            delivery::record(&app, id, recorded).await
        };
        self.recording = Some(Recording { batch, outcome: outcome.boxed() });
    }

    fn recorded(&mut self, outcome: Result<Option<Webhook>>) {
        let Some(Recording { batch, .. }) = self.recording.take() else { return };
        let webhook = match outcome {
            Ok(webhook) => webhook,
            Err(e) => {
                tracing::warn!(webhook.id = %self.id, error.cause = %e, "webhook attempts cannot be recorded, trying again: {e}");
                // When the server stops, what is not recorded is sent again after the next start.
                if !self.is_ending {
                    self.record(batch, FAILURE_PAUSE);
                }
                return;
            }
        };
        for attempt in &batch.attempts {
            if let Subject::Again(delivery) = &attempt.subject {
                self.busy.remove(&delivery.id);
            }
        }
        self.again_is_stale |= batch.attempts.iter().any(DeliveryAttempt::may_be_tried_again);
        match webhook.filter(Webhook::is_active) {
            Some(webhook) => self.use_endpoint(webhook),
            None => self.is_ending = true,
        }
    }
}

/// Whether this event is sent to the endpoint.
fn wants(webhook: &Webhook, event: &FeedEvent) -> bool {
    webhook.wants(event.kind) && !webhook.passes_over(event.seq)
}
