//! The events between an endpoint's cursor and what has been handed out. Attempts end in any order, but the cursor
//! moves only over events whose attempts can be recorded with it: so nothing is lost in a crash, and what is repeated
//! is bounded by the window.

use crate::{
    app::recent_events::FeedEvent,
    service::webhooks::delivery::{Batch, DeliveryAttempt},
};
use std::{collections::VecDeque, sync::Arc};

/// Events that may be waiting, being sent or waiting to be recorded.
const MOST_OPEN: usize = 64;
/// Events that nobody wants are recorded only when there are this many, as they can be looked through again.
const PASSED_AT_ONCE: usize = 1_000;

/// The events after the cursor, without a gap.
pub(super) struct Window {
    /// The number of the event before the first slot.
    cursor: i64,
    slots: VecDeque<Slot>,
    /// The first slot that was not looked at yet.
    next: usize,
}

enum Slot {
    Waiting(Arc<FeedEvent>),
    Passed,
    Sending,
    Ended(Box<DeliveryAttempt>),
}

impl Window {
    /// An empty window after event number `cursor`.
    pub(super) fn after(cursor: i64) -> Self {
        Self { cursor, slots: VecDeque::new(), next: 0 }
    }

    /// The number of the last event in the window, or before it.
    pub(super) fn end(&self) -> i64 {
        self.cursor + i64::try_from(self.slots.len()).unwrap_or_default()
    }

    /// The number of the event before the first one that is not recorded, or about to be.
    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Whether more events should be added: none is waiting, and not too many are open.
    pub(super) fn has_room(&self) -> bool {
        let open = || self.slots.iter().filter(|slot| !matches!(slot, Slot::Passed)).count();
        self.next == self.slots.len() && self.slots.len() < PASSED_AT_ONCE + MOST_OPEN && open() < MOST_OPEN
    }

    /// Adds the events after [`Window::end`].
    pub(super) fn add(&mut self, events: Vec<Arc<FeedEvent>>) {
        self.slots.extend(events.into_iter().map(Slot::Waiting));
    }

    /// The next event to send. Those that the endpoint does not want are passed over.
    pub(super) fn next(&mut self, wants: impl Fn(&FeedEvent) -> bool) -> Option<Arc<FeedEvent>> {
        while let Some(slot) = self.slots.get_mut(self.next) {
            self.next += 1;
            let Slot::Waiting(event) = slot else { continue };
            if wants(event) {
                let event = Arc::clone(event);
                *slot = Slot::Sending;
                return Some(event);
            }
            *slot = Slot::Passed;
        }
        None
    }

    /// Keeps an attempt for event number `seq` until it can be recorded.
    ///
    /// # Errors
    /// The attempt, if the event is not being sent in this window.
    pub(super) fn ended(&mut self, seq: i64, attempt: Box<DeliveryAttempt>) -> Result<(), Box<DeliveryAttempt>> {
        let index = usize::try_from(seq - self.cursor - 1).ok();
        match index.and_then(|index| self.slots.get_mut(index)) {
            Some(slot @ Slot::Sending) => {
                *slot = Slot::Ended(attempt);
                Ok(())
            }
            _ => Err(attempt),
        }
    }

    /// What can be recorded now: the attempts before the first event that is still open. `None` if that is nothing, or
    /// nothing that is worth a transaction of its own.
    pub(super) fn take(&mut self) -> Option<Batch> {
        self.take_if(|attempts, passed| attempts > 0 || passed >= PASSED_AT_ONCE)
    }

    /// What can be recorded at the end.
    pub(super) fn take_last(&mut self) -> Option<Batch> {
        self.take_if(|attempts, passed| attempts + passed > 0)
    }

    fn take_if(&mut self, is_worth_it: impl FnOnce(usize, usize) -> bool) -> Option<Batch> {
        let closed = self.slots.iter().take_while(|slot| matches!(slot, Slot::Passed | Slot::Ended(_))).count();
        let passed = self.slots.iter().take(closed).filter(|slot| matches!(slot, Slot::Passed)).count();
        if !is_worth_it(closed - passed, passed) {
            return None;
        }
        let from = self.cursor;
        self.cursor += i64::try_from(closed).unwrap_or_default();
        self.next -= closed;
        let attempts = self.slots.drain(..closed).filter_map(Slot::into_attempt).collect();
        Some(Batch { attempts, cursor: Some((from, self.cursor)) })
    }

    /// Begins again after event number `cursor`. Returns the attempts that were kept.
    pub(super) fn restart(&mut self, cursor: i64) -> Vec<DeliveryAttempt> {
        let before = std::mem::replace(self, Self::after(cursor));
        before.slots.into_iter().filter_map(Slot::into_attempt).collect()
    }
}

impl Slot {
    fn into_attempt(self) -> Option<DeliveryAttempt> {
        if let Self::Ended(attempt) = self { Some(*attempt) } else { None }
    }
}
