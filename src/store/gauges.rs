//! What can be told of the store while it works: numbers in memory that whoever exports metrics may read at any time.
//! Keeping them costs a few atomic additions a transaction. It exports nothing itself.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Upper bounds of the classes of times, in microseconds.
const TIMES: &[u64] = &[250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];
/// Upper bounds of the classes of batches, in pieces of work.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Bounds that a [`Spread`] has at most.
const MOST_BOUNDS: usize = 11;

/// For so long after a change was refused the disk counts as full.
const FULL_FOR_MILLIS: u64 = 5_000;

/// The numbers of one open store.
pub struct Gauges {
    pub(super) queued: AtomicUsize,
    pub(super) batch_sizes: Spread,
    pub(super) commits: Spread,
    pub(super) checkpoints: Spread,
    pub(super) log_pages: AtomicI64,
    origin: Instant,
    /// When a change last found the disk full, in milliseconds from the origin; 0 if there is room.
    full_at: AtomicU64,
    scans: Mutex<Vec<Instant>>,
    interruptions: AtomicU64,
}

impl Default for Gauges {
    fn default() -> Self {
        Self {
            queued: AtomicUsize::new(0),
            batch_sizes: Spread::new(SIZES),
            commits: Spread::new(TIMES),
            checkpoints: Spread::new(TIMES),
            log_pages: AtomicI64::new(0),
            origin: Instant::now(),
            full_at: AtomicU64::new(0),
            scans: Mutex::default(),
            interruptions: AtomicU64::new(0),
        }
    }
}

impl Gauges {
    /// Pieces of work that wait for the writer.
    pub fn queue_length(&self) -> usize {
        self.queued.load(Relaxed)
    }

    /// Pieces of work in each transaction so far.
    pub fn batch_sizes(&self) -> Tally {
        self.batch_sizes.tally()
    }

    /// How long each commit took, its sync included, in microseconds.
    pub fn commit_micros(&self) -> Tally {
        self.commits.tally()
    }

    /// How long each checkpoint took, its syncs included, in microseconds.
    pub fn checkpoint_micros(&self) -> Tally {
        self.checkpoints.tally()
    }

    /// Pages in the write-ahead log.
    pub fn log_pages(&self) -> i64 {
        self.log_pages.load(Relaxed)
    }

    /// How long the oldest query in the lane of long ones has been running.
    pub fn oldest_scan(&self) -> Option<Duration> {
        self.scans().iter().min().map(Instant::elapsed)
    }

    /// How often long queries were interrupted because they kept the write-ahead log from being used anew.
    pub fn interruptions(&self) -> u64 {
        self.interruptions.load(Relaxed)
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

    /// Asks every long query that runs now to stop.
    pub(super) fn interrupt_scans(&self) {
        self.interruptions.fetch_add(1, Relaxed);
    }

    /// Counts a long query for as long as what is returned lives.
    pub(super) fn scan(&self) -> Scan<'_> {
        let begun = Instant::now();
        self.scans().push(begun);
        Scan { gauges: self, begun }
    }

    fn scans(&self) -> std::sync::MutexGuard<'_, Vec<Instant>> {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A long query while it runs.
pub(super) struct Scan<'g> {
    gauges: &'g Gauges,
    begun: Instant,
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        let mut scans = self.gauges.scans();
        if let Some(place) = scans.iter().position(|begun| *begun == self.begun) {
            scans.swap_remove(place);
        }
    }
}

/// How values spread over classes with fixed upper bounds.
pub(super) struct Spread {
    bounds: &'static [u64],
    counts: [AtomicU64; MOST_BOUNDS + 1],
    sum: AtomicU64,
}

impl Spread {
    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, value: u64) {
        let class = self.bounds.partition_point(|bound| *bound < value);
        self.counts[class].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    pub(super) fn add_micros(&self, duration: Duration) {
        self.add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    fn tally(&self) -> Tally {
        let counts = self.counts[..=self.bounds.len()].iter().map(|count| count.load(Relaxed)).collect();
        Tally { bounds: self.bounds, counts, sum: self.sum.load(Relaxed) }
    }
}

/// How values have spread so far.
#[derive(Debug, PartialEq, Eq)]
pub struct Tally {
    /// The upper bounds of the classes, each included in its class; the last class has none.
    pub bounds: &'static [u64],
    /// How many values fell into each class: one more than there are bounds.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_class_whose_bound_they_do_not_pass() {
        let sizes = Spread::new(SIZES);
        for size in [1, 2, 3, 256, 257] {
            sizes.add(size);
        }
        let tally = sizes.tally();
        assert_eq!((tally.counts, tally.sum), (vec![1, 1, 1, 0, 0, 0, 0, 0, 1, 1], 519));
        assert!(TIMES.len() <= MOST_BOUNDS && SIZES.len() <= MOST_BOUNDS);
    }

    #[test]
    fn the_oldest_of_the_long_queries_that_run_is_known() {
        let gauges = Gauges::default();
        assert_eq!(gauges.oldest_scan(), None);
        let first = gauges.scan();
        let begun = first.begun;
        let second = gauges.scan();
        assert!(gauges.oldest_scan().unwrap() <= begun.elapsed());
        drop((first, second));
        assert_eq!(gauges.oldest_scan(), None);
    }
}
