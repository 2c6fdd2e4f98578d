//! The newest events, as the feed shows them. They are read from the database and written as JSON once, however many
//! streams and webhook endpoints they go to.

use crate::domain::{event::EventType, id::EventId, time::Timestamp};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The most events that are kept, and the most bytes that they may have.
const MOST_EVENTS: usize = 1_024;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// An event of the feed.
#[derive(Debug)]
pub struct FeedEvent {
    /// The number of the event in the feed.
    pub seq: i64,
    /// The event's identifier.
    pub id: EventId,
    /// The type of the event.
    pub kind: EventType,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// The whole event, as a JSON object on one line.
    pub document: String,
    /// What [`RecentEvents::erasures`] was before the event was read.
    pub erasures: u64,
}

/// Events without a gap, up to the newest one that anybody has asked for.
#[derive(Default)]
pub struct RecentEvents {
    kept: Mutex<Queue>,
    erasures: AtomicU64,
    /// Held while the newest events are read, so that all who wait for them share one read.
    pub reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Arc<FeedEvent>>,
    bytes: usize,
}

/// What is kept of the events after a number.
#[derive(Debug)]
pub enum After {
    /// The next events: one at least.
    Events(Vec<Arc<FeedEvent>>),
    /// The next one is older than those that are kept.
    TooOld,
    /// The next one is newer, if there is one.
    NotYet,
}

impl RecentEvents {
    /// The events after number `seq`: at most `limit` of them, with at most `bytes` unless the first alone has more.
    pub fn after(&self, seq: i64, limit: usize, bytes: usize) -> After {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (kept.events.front(), kept.events.back()) else { return After::NotYet };
        if seq >= last.seq {
            return After::NotYet;
        }
        let Some(skipped) = usize::try_from(seq + 1 - first.seq).ok() else { return After::TooOld };
        let mut taken = 0;
        let fits = |event: &&Arc<FeedEvent>| {
            let is_first = taken == 0;
            taken += event.document.len();
            is_first || taken <= bytes
        };
        After::Events(kept.events.range(skipped..).take(limit).take_while(fits).cloned().collect())
    }

    /// How often personal data has been erased since the start. An event that was read before the last time may show
    /// what is gone, and has to be read again.
    pub fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }

    /// Forgets all events, since personal data in them has been erased.
    pub fn forget(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.erasures.fetch_add(1, Ordering::AcqRel);
        *kept = Queue::default();
    }

    /// Keeps these events, which have no gap, if they continue those that are kept or are all newer, and none of them
    /// was read before the last erasure.
    pub fn keep(&self, events: &[Arc<FeedEvent>]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if events.iter().any(|event| event.erasures != self.erasures()) {
            return;
        }
        let last = kept.events.back().map_or(0, |event| event.seq);
        if events.first().is_some_and(|event| event.seq > last + 1) {
            *kept = Queue::default();
        }
        for event in events.iter().filter(|event| event.seq > last) {
            kept.bytes += event.document.len();
            kept.events.push_back(Arc::clone(event));
        }
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= oldest.document.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Identifier;

    fn event(seq: i64, bytes: usize) -> Arc<FeedEvent> {
        Arc::new(FeedEvent {
            seq,
            id: EventId::from_bytes([0; 16]),
            kind: EventType::OrderCreated,
            occurred_at: Timestamp::from_millis(0),
            document: "x".repeat(bytes),
            erasures: 0,
        })
    }

    fn seqs(after: After) -> Vec<i64> {
        let After::Events(events) = after else { panic!("{after:?}") };
        events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn events_are_found_by_number_without_a_gap() {
        let recent = RecentEvents::default();
        assert!(matches!(recent.after(0, 9, 99), After::NotYet));
        recent.keep(&[event(5, 10), event(6, 10)]);
        recent.keep(&[event(6, 10), event(7, 10)]);
        assert_eq!(seqs(recent.after(4, 9, 99)), [5, 6, 7]);
        assert_eq!(seqs(recent.after(5, 1, 99)), [6]);
        assert_eq!(seqs(recent.after(4, 9, 25)), [5, 6]);
        assert_eq!(seqs(recent.after(4, 9, 1)), [5], "the first one is given whatever its size");
        assert!(matches!(recent.after(3, 9, 99), After::TooOld));
        assert!(matches!(recent.after(7, 9, 99), After::NotYet));
        recent.keep(&[event(9, 10)]);
        assert!(matches!(recent.after(6, 9, 99), After::TooOld), "what is kept has no gap");
        assert_eq!(seqs(recent.after(8, 9, 99)), [9]);
    }

    #[test]
    fn what_was_read_before_an_erasure_is_forgotten() {
        let recent = RecentEvents::default();
        recent.keep(&[event(1, 10)]);
        recent.forget();
        assert!(matches!(recent.after(0, 9, 99), After::NotYet));
        recent.keep(&[event(1, 10)]);
        assert!(matches!(recent.after(0, 9, 99), After::NotYet), "it was read before");
        recent.keep(&[Arc::new(FeedEvent { erasures: 1, ..Arc::into_inner(event(1, 10)).unwrap() })]);
        assert_eq!(seqs(recent.after(0, 9, 99)), [1]);
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let recent = RecentEvents::default();
        for seq in 1..=5 {
            recent.keep(&[event(seq, MOST_BYTES / 4)]);
        }
        assert!(matches!(recent.after(0, 9, MOST_BYTES), After::TooOld));
        assert_eq!(seqs(recent.after(1, 9, MOST_BYTES)), [2, 3, 4, 5]);
        recent.keep(&[event(6, 2 * MOST_BYTES)]);
        assert!(matches!(recent.after(5, 9, 99), After::NotYet), "one that is too large is not kept");
    }
}
