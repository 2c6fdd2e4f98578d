//! Counters of what the store does: plain atomics that can be read at any time. Names and formats of metrics are not
//! here.

use crate::{domain::event::EventType, telemetry::histogram::Histogram};
use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The number of event types.
pub(super) const EVENT_TYPES: usize = EventType::ALL.len();
/// After a change was refused for want of room, the disk counts as full for this long.
const FULL_FOR_MILLIS: u64 = 5_000;

/// Counters, gauges and histograms of the store.
pub struct Gauges {
    /// Jobs that wait for the writer.
    pub queued: AtomicI64,
    /// Jobs committed together.
    pub batch_size: Histogram,
    /// Durations of commits.
    pub commits: Histogram,
    /// Transactions that were rolled back.
    pub rollbacks: AtomicU64,
    /// Durations of checkpoints.
    pub checkpoints: Histogram,
    /// How long this process waited for its turn to append to the journal.
    pub turns: Histogram,
    /// Durations of appends to the journal.
    pub appends: Histogram,
    /// How long requests waited until the file showed all that others on the journal had acknowledged.
    pub currents: Histogram,
    /// The bytes of the entries since the newest snapshot in the journal, and of that snapshot, when this process
    /// looked last.
    pub since_snapshot: AtomicI64,
    /// See above.
    pub snapshot: AtomicI64,
    /// How long short reads waited for a connection.
    pub read_waits: Histogram,
    /// How long scans waited for a permit.
    pub scan_waits: Histogram,
    /// Reads in progress.
    pub reads: InFlight,
    /// Pages in the write-ahead log.
    pub wal_pages: AtomicI64,
    /// How often scans were interrupted because they kept the write-ahead log from being reused.
    pub interruptions: AtomicU64,
    /// The number of the newest event.
    pub last_event: AtomicI64,
    events_by_type: [AtomicU64; EVENT_TYPES],
    opened: Instant,
    /// When a change last found the disk full, in milliseconds after `opened`; 0 if there is room.
    full_at: AtomicU64,
}

impl Gauges {
    /// Counters for a store with this many reading connections.
    pub(super) fn new(readers: usize) -> Self {
        Self {
            queued: AtomicI64::new(0),
            batch_size: Histogram::of_sizes(),
            commits: Histogram::of_durations(),
            rollbacks: AtomicU64::new(0),
            checkpoints: Histogram::of_durations(),
            turns: Histogram::of_durations(),
            appends: Histogram::of_durations(),
            currents: Histogram::of_durations(),
            since_snapshot: AtomicI64::new(0),
            snapshot: AtomicI64::new(0),
            read_waits: Histogram::of_durations(),
            scan_waits: Histogram::of_durations(),
            reads: InFlight::new(readers),
            wal_pages: AtomicI64::new(0),
            interruptions: AtomicU64::new(0),
            last_event: AtomicI64::new(0),
            events_by_type: Default::default(),
            opened: Instant::now(),
            full_at: AtomicU64::new(0),
        }
    }

    /// Whether a change found the disk full and none has succeeded since.
    pub fn disk_is_full(&self) -> bool {
        self.full_at.load(Relaxed) != 0
    }

    /// Records that a change found the disk full; true if it was not full before.
    pub(super) fn record_disk_full(&self) -> bool {
        self.full_at.swap(self.millis(), Relaxed) == 0
    }

    /// Records that a change succeeded; true if the disk was full before. For some seconds after a refusal the disk
    /// stays full here, since a small change may fit where larger ones are refused.
    pub(super) fn record_disk_room(&self) -> bool {
        let full_at = self.full_at.load(Relaxed);
        let again = full_at != 0 && self.millis() > full_at + FULL_FOR_MILLIS;
        if again {
            self.full_at.store(0, Relaxed);
        }
        again
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Sets the newest event on disk, and the number of events of each type.
    pub(super) fn set_events(&self, last: i64, by_type: [u64; EVENT_TYPES]) {
        self.last_event.store(last, Relaxed);
        self.events_by_type.iter().zip(by_type).for_each(|(count, now)| count.store(now, Relaxed));
    }

    /// The number of events of each type since the store was opened.
    pub fn events(&self) -> impl Iterator<Item = (EventType, u64)> {
        EventType::ALL.iter().copied().zip(self.events_by_type.iter().map(|count| count.load(Relaxed)))
    }
}

/// The start times of the operations in progress.
pub struct InFlight {
    opened: Instant,
    /// Microseconds after `opened`; 0 marks a free slot.
    started: Box<[AtomicU64]>,
}

impl InFlight {
    fn new(slots: usize) -> Self {
        Self { opened: Instant::now(), started: (0..slots).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Registers an operation that started at `now`, until the guard is dropped; none if no slot is free.
    pub(super) fn start(&self, now: Instant) -> Option<InFlightGuard<'_>> {
        let micros = u64::try_from(now.duration_since(self.opened).as_micros()).unwrap_or(u64::MAX).max(1);
        let free = |slot: &&AtomicU64| slot.compare_exchange(0, micros, Relaxed, Relaxed).is_ok();
        self.started.iter().find(free).map(InFlightGuard)
    }

    /// The age of the oldest operation in progress.
    pub fn oldest(&self) -> Duration {
        let started = self.started.iter().map(|slot| slot.load(Relaxed)).filter(|micros| *micros > 0).min();
        started.map_or(Duration::ZERO, |micros| self.opened.elapsed().saturating_sub(Duration::from_micros(micros)))
    }
}

pub(super) struct InFlightGuard<'a>(&'a AtomicU64);

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_operation_counts_until_its_guard_is_dropped() {
        let in_flight = InFlight::new(2);
        assert_eq!(in_flight.oldest(), Duration::ZERO);
        let opened = in_flight.opened;
        let old = in_flight.start(opened).unwrap();
        let young = in_flight.start(opened + Duration::from_hours(1)).unwrap();
        assert!(in_flight.start(opened).is_none(), "there are two slots");
        std::thread::sleep(Duration::from_millis(1));
        assert!(in_flight.oldest() > Duration::ZERO);
        drop(old);
        assert_eq!(in_flight.oldest(), Duration::ZERO, "the other starts in the future");
        drop(young);
        assert!(in_flight.start(opened).is_some());
    }
}
