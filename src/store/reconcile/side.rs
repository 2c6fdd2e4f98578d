//! One side of a comparison: totals by currency, and a digest for each day that stands for every value in it.

use super::entry::Entry;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

const DAY: i64 = 86_400;

/// The stored or the recomputed sums of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The total of each value, by currency.
    pub totals: BTreeMap<String, BTreeMap<&'static str, i128>>,
    /// A digest for each day, or each run of as many rows.
    digests: BTreeMap<i64, u128>,
}

impl Side {
    /// A digest of all values and their keys: two sides that differ have the same digest with a probability of 1 in
    /// 2^64.
    pub fn digest(&self) -> u128 {
        self.digests.values().fold(0, |sum, digest| sum.wrapping_add(*digest))
    }

    pub(super) fn add(&mut self, span: i64, entry: &Entry<'_>, names: &[&'static str]) {
        let mut hash = DefaultHasher::new();
        (entry.position, entry.currency, entry.dimension).hash(&mut hash);
        // An odd weight: no difference of a value, not even a power of two, is multiplied away.
        let mut weight = u128::from(hash.finish()) << 1 | 1;
        let digest = self.digests.entry(day(span, entry.position)).or_default();
        for value in entry.values {
            *digest = digest.wrapping_add(weight.wrapping_mul(value.cast_unsigned()));
            weight = weight.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        }
        if !self.totals.contains_key(entry.currency) {
            let zeros = names.iter().map(|name| (*name, 0)).collect();
            self.totals.insert(entry.currency.to_owned(), zeros);
        }
        if let Some(totals) = self.totals.get_mut(entry.currency) {
            for (name, value) in names.iter().zip(entry.values) {
                let total = totals.entry(name).or_default();
                *total = total.wrapping_add(*value);
            }
        }
    }

    /// The first day whose digests differ.
    pub(super) fn first_difference(&self, other: &Self) -> Option<i64> {
        let days = self.digests.keys().chain(other.digests.keys());
        let digest = |side: &Self, day| side.digests.get(day).copied().unwrap_or(0);
        days.filter(|&day| digest(self, day) != digest(other, day)).min().copied()
    }
}

/// The day of a position in buckets of `span`.
pub(super) fn day(span: i64, position: i64) -> i64 {
    position.wrapping_mul(span).div_euclid(DAY)
}
