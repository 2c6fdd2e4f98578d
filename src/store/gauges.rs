//! What the store counts about itself: plain atomics that whoever wants to can read at any time. It does not know who
//! does, nor what they call it.

use crate::{domain::event::EventType, telemetry::histogram::Histogram};
use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The number of kinds of event.
pub(super) const EVENT_TYPES: usize = EventType::ALL.len();
/// For so long after a change was refused the disk counts as full.
const FULL_FOR_MILLIS: u64 = 5_000;

/// The store in figures, since it was opened.
pub struct Gauges {
    /// Pieces of work that wait for the writer.
    pub queued: AtomicI64,
    /// Pieces of work that were committed together.
    pub batch_size: Histogram,
    /// What commits took.
    pub commits: Histogram,
    /// Transactions that were undone.
    pub rollbacks: AtomicU64,
    /// What moving the write-ahead log into the file took.
    pub checkpoints: Histogram,
    /// What short reads waited for a connection.
    pub read_waits: Histogram,
    /// What long reads waited for their place.
    pub scan_waits: Histogram,
    /// The reads that are going on.
    pub reads: Ages,
    /// Pages in the write-ahead log.
    pub log_pages: AtomicI64,
    /// How often long reads were interrupted because they kept the write-ahead log from being used anew.
    pub interruptions: AtomicU64,
    /// The newest event.
    pub last_event: AtomicI64,
    events: [AtomicU64; EVENT_TYPES],
    origin: Instant,
    /// When a change last found the disk full, in milliseconds from the origin; 0 if there is room.
    full_at: AtomicU64,
}

impl Gauges {
    /// For a store with so many reading connections, whose newest event is this.
    pub(super) fn new(readers: usize) -> Self {
        Self {
            queued: AtomicI64::new(0),
            batch_size: Histogram::of_sizes(),
            commits: Histogram::of_durations(),
            rollbacks: AtomicU64::new(0),
            checkpoints: Histogram::of_durations(),
            read_waits: Histogram::of_durations(),
            scan_waits: Histogram::of_durations(),
            reads: Ages::new(readers),
            log_pages: AtomicI64::new(0),
            interruptions: AtomicU64::new(0),
            last_event: AtomicI64::new(0),
            events: Default::default(),
            origin: Instant::now(),
            full_at: AtomicU64::new(0),
        }
    }

    /// Whether a change has lately found the disk full, or none was made since.
    pub fn disk_is_full(&self) -> bool {
        self.full_at.load(Relaxed) != 0
    }

    /// Notes that a change found the disk full; true if that is news.
    pub(super) fn note_full(&self) -> bool {
        self.full_at.swap(self.millis(), Relaxed) == 0
    }

    /// Notes that a change was made; true if there was no room before. A disk has a little room now and then while larger
    /// changes are refused, so one that fits proves nothing for a while.
    pub(super) fn note_room(&self) -> bool {
        let full_at = self.full_at.load(Relaxed);
        let again = full_at != 0 && self.millis() > full_at + FULL_FOR_MILLIS;
        if again {
            self.full_at.store(0, Relaxed);
        }
        again
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// The events that are on disk now, of each kind since the start.
    pub(super) fn recorded(&self, last: i64, by_kind: [u64; EVENT_TYPES]) {
        self.last_event.store(last, Relaxed);
        self.events.iter().zip(by_kind).for_each(|(count, now)| count.store(now, Relaxed));
    }

    /// How many events of each kind were recorded since the start.
    pub fn events(&self) -> impl Iterator<Item = (EventType, u64)> {
        EventType::ALL.iter().copied().zip(self.events.iter().map(|count| count.load(Relaxed)))
    }
}

/// When each of the things that are going on was begun.
pub struct Ages {
    opened: Instant,
    /// Microseconds after `opened`; 0 is a free place.
    begun: Box<[AtomicU64]>,
}

impl Ages {
    fn new(places: usize) -> Self {
        Self { opened: Instant::now(), begun: (0..places).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Something goes on from `now` until the answer is dropped. What finds no place is not seen.
    pub(super) fn begin(&self, now: Instant) -> Option<Going<'_>> {
        let mark = u64::try_from(now.duration_since(self.opened).as_micros()).unwrap_or(u64::MAX).max(1);
        let free = |place: &&AtomicU64| place.compare_exchange(0, mark, Relaxed, Relaxed).is_ok();
        self.begun.iter().find(free).map(Going)
    }

    /// For how long the oldest has been going on.
    pub fn oldest(&self) -> Duration {
        let begun = self.begun.iter().map(|place| place.load(Relaxed)).filter(|mark| *mark > 0).min();
        begun.map_or(Duration::ZERO, |mark| self.opened.elapsed().saturating_sub(Duration::from_micros(mark)))
    }
}

/// Something that goes on.
pub(super) struct Going<'a>(&'a AtomicU64);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_counts_until_it_is_over() {
        let ages = Ages::new(2);
        assert_eq!(ages.oldest(), Duration::ZERO);
        let opened = ages.opened;
        let old = ages.begin(opened).unwrap();
        let young = ages.begin(opened + Duration::from_hours(1)).unwrap();
        assert!(ages.begin(opened).is_none(), "there are two places");
        std::thread::sleep(Duration::from_millis(1));
        assert!(ages.oldest() > Duration::ZERO);
        drop(old);
        assert_eq!(ages.oldest(), Duration::ZERO, "the other begins later than now");
        drop(young);
        assert!(ages.begin(opened).is_some());
    }
}
