//! Histograms: counts of observations by size, which many threads update at once. A histogram does not know what it
//! counts.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of durations in microseconds: from a lookup to the time limit of requests.
const MICROSECONDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// Upper bounds of sizes.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A histogram with fixed buckets.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// The divisor from observed values to reported ones: durations are kept in microseconds and reported in seconds.
    unit: f64,
    /// One for each bound, and one for values above the last bound.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// The values of a histogram at one moment.
#[derive(Debug, PartialEq)]
pub struct HistogramSnapshot {
    /// Each bound, with the number of values up to and including it.
    pub up_to: Vec<(f64, u64)>,
    /// The number of all values.
    pub count: u64,
    /// The sum of all values.
    pub sum: f64,
}

impl Histogram {
    /// A histogram of durations, reported in seconds.
    pub fn of_durations() -> Self {
        Self::new(MICROSECONDS, 1e6)
    }

    /// A histogram of sizes.
    pub fn of_sizes() -> Self {
        Self::new(SIZES, 1.0)
    }

    fn new(bounds: &'static [u64], unit: f64) -> Self {
        Self { bounds, unit, buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Adds a duration.
    pub fn observe_duration(&self, duration: Duration) {
        self.add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds a size.
    pub fn observe_size(&self, size: usize) {
        self.add(u64::try_from(size).unwrap_or(u64::MAX));
    }

    fn add(&self, value: u64) {
        self.buckets[self.bounds.partition_point(|bound| *bound < value)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// The values so far. Values that are added meanwhile may be in the count and not yet in the sum.
    pub fn read(&self) -> HistogramSnapshot {
        let mut count = 0;
        let mut cumulative = self.buckets.iter().map(|bucket| {
            count += bucket.load(Relaxed);
            count
        });
        let up_to = self.bounds.iter().map(|bound| self.scaled(*bound)).zip(cumulative.by_ref()).collect();
        cumulative.for_each(drop);
        HistogramSnapshot { up_to, count, sum: self.scaled(self.sum.load(Relaxed)) }
    }

    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which as microseconds is 285 years")]
    fn scaled(&self, value: u64) -> f64 {
        value as f64 / self.unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_larger_values_are_counted_too() {
        let histogram = Histogram::of_sizes();
        for size in [0, 1, 2, 3, 256, 257] {
            histogram.observe_size(size);
        }
        let read = histogram.read();
        let buckets: Vec<_> = read.up_to.iter().map(|(_, count)| *count).collect();
        assert_eq!(buckets, [2, 3, 4, 4, 4, 4, 4, 4, 5]);
        assert_eq!((read.count, read.sum), (6, 519.0));
    }

    #[test]
    fn durations_are_reported_in_seconds() {
        let histogram = Histogram::of_durations();
        histogram.observe_duration(Duration::from_micros(250));
        histogram.observe_duration(Duration::from_secs(11));
        let read = histogram.read();
        assert_eq!(read.up_to[..3], [(0.0001, 0), (0.00025, 1), (0.0005, 1)]);
        assert_eq!(read.up_to[15], (10.0, 1));
        assert_eq!((read.count, read.sum), (2, 11.000_25));
    }
}
