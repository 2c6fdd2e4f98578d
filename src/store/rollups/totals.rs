//! What dimensions come to over a range of time.

use super::{EntryKey, FINEST, Part, Rollup, Values, each, logged};
use crate::{
    domain::{calendar::cover, money::Currency},
    error::{Error, Result},
    store::ReadTx,
};
use std::collections::BTreeMap;

/// Values of the widest rollup that has dimensions.
const WIDTH: usize = Rollup::Users.width();

/// How often each value of a dimension counts.
pub type Weights = [i64; WIDTH];

/// Whose sums, of when and in which currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summed {
    /// What is counted.
    pub rollup: Rollup,
    /// From when to when: seconds since the epoch, multiples of 900.
    pub range: (i64, i64),
    /// The only currency, if one is named.
    pub currency: Option<Currency>,
}

impl Summed {
    /// Whether this change is one of those that are summed.
    pub(super) fn includes(&self, key: &EntryKey) -> bool {
        (self.range.0..self.range.1).contains(&(key.bucket * FINEST)) && self.wants(key.currency)
    }

    fn wants(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|only| only == currency)
    }
}

/// Sums of dimensions in each currency. There may be many thousands, each in as many buckets as there are days, so they
/// are found without a search.
pub struct Totals {
    by_currency: Vec<(Currency, Subjects)>,
    /// The greatest number that a dimension can have.
    last: usize,
}

/// What dimensions come to in one currency.
struct Subjects {
    /// By dimension: one more than its index in `found`, 0 if it is not there.
    indices: Vec<u32>,
    /// Subjects, in the order in which they were found.
    found: Vec<u32>,
    /// What those come to.
    sums: Vec<[i64; WIDTH]>,
    /// What 64 bits do not hold of some of them, by index and value.
    beyond: BTreeMap<(usize, usize), i128>,
}

impl Subjects {
    fn up_to(last: usize) -> Self {
        Self { indices: vec![0; last + 1], found: vec![], sums: vec![], beyond: BTreeMap::new() }
    }

    /// Gives back the room that was not needed.
    fn shrink(&mut self) {
        self.found.shrink_to_fit();
        self.sums.shrink_to_fit();
    }

    /// Adds a part of what a dimension comes to, or takes it away.
    #[inline]
    fn add(&mut self, dimension: usize, part: &[i64; WIDTH]) {
        if self.indices.len() <= dimension {
            self.indices.resize(dimension + 1, 0);
        }
        let index = &mut self.indices[dimension];
        if *index == 0 {
            self.found.push(u32::try_from(dimension).unwrap_or(u32::MAX));
            self.sums.push(*part);
            *index = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
            return;
        }
        let index = *index as usize - 1;
        let mut over = false;
        let sums = std::array::from_fn(|i| {
            let (sum, too_large) = self.sums[index][i].overflowing_add(part[i]);
            over |= too_large;
            sum
        });
        if over {
            self.add_beyond(index, part);
        } else {
            self.sums[index] = sums;
        }
    }

    #[cold]
    fn add_beyond(&mut self, index: usize, part: &[i64; WIDTH]) {
        for (i, value) in part.iter().enumerate() {
            let sum = &mut self.sums[index][i];
            match sum.checked_add(*value) {
                Some(more) => *sum = more,
                None => *self.beyond.entry((index, i)).or_default() += i128::from(std::mem::replace(sum, *value)),
            }
        }
    }

    /// What the dimension at this index of `found` comes to.
    #[inline]
    fn values(&self, index: usize) -> Values {
        let sums = &self.sums[index];
        let mut values: Values = std::array::from_fn(|i| sums.get(i).copied().unwrap_or(0).into());
        if !self.beyond.is_empty() {
            for ((_, i), more) in self.beyond.range((index, 0)..(index + 1, 0)) {
                values[*i] += more;
            }
        }
        values
    }

    /// What that comes to by these weights; none if it is nothing at all.
    #[inline]
    fn weighed(&self, index: usize, weights: &Weights) -> Option<i128> {
        let sums = &self.sums[index];
        if !self.beyond.is_empty() {
            let values = self.values(index);
            let weighed = weights.iter().zip(values).map(|(weight, value)| i128::from(*weight) * value).sum();
            return (values != Values::default()).then_some(weighed);
        }
        let weighed = || weights.iter().zip(sums).map(|(weight, sum)| i128::from(*weight) * i128::from(*sum)).sum();
        sums.iter().any(|sum| *sum != 0).then(weighed)
    }
}

impl Totals {
    /// What each dimension comes to.
    pub fn of(tx: &ReadTx<'_>, summed: &Summed) -> Result<Self> {
        let mut totals = Self { by_currency: vec![], last: last_subject(tx, summed.rollup)? };
        let mut whole = true;
        for run in cover(summed.range.0, summed.range.1) {
            each(tx, summed.rollup, run, |key, part| {
                if summed.wants(key.currency) {
                    whole &= totals.add(key, part, run.sign).is_some();
                }
            })?;
        }
        logged(tx, summed.rollup, |key, part| {
            if summed.includes(key) {
                whole &= totals.add(key, part, 1).is_some();
            }
        })?;
        totals.by_currency.iter_mut().for_each(|(_, dimensions)| dimensions.shrink());
        if whole { Ok(totals) } else { Err(beyond_the_last()) }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of = |dimensions: &Subjects| {
            size_of_val(&*dimensions.indices) + size_of_val(&*dimensions.found) + size_of_val(&*dimensions.sums)
        };
        self.by_currency.iter().map(|(_, dimensions)| of(dimensions)).sum()
    }

    /// Adds a change that was logged later.
    pub(super) fn change(&mut self, tx: &ReadTx<'_>, rollup: Rollup, key: &EntryKey, part: &Part) -> Result<()> {
        if usize::try_from(key.dimension).is_ok_and(|dimension| dimension > self.last) {
            self.last = last_subject(tx, rollup)?;
        }
        self.add(key, part, 1).ok_or_else(beyond_the_last)
    }

    /// Adds a part; none if the dimension is beyond the last one.
    #[inline]
    fn add(&mut self, key: &EntryKey, part: &Part, times: i64) -> Option<()> {
        let dimension = usize::try_from(key.dimension).ok().filter(|dimension| *dimension <= self.last)?;
        let found = self.by_currency.iter().position(|(currency, _)| *currency == key.currency);
        let found = found.unwrap_or_else(|| {
            self.by_currency.push((key.currency, Subjects::up_to(self.last)));
            self.by_currency.len() - 1
        });
        // Parts have 62 bits.
        self.by_currency[found].1.add(dimension, &std::array::from_fn(|i| part[i] * times));
        Some(())
    }

    /// What a dimension comes to in a currency.
    pub fn values(&self, currency: Currency, dimension: i64) -> Values {
        self.find(currency, dimension).map_or_else(Values::default, |(dimensions, index)| dimensions.values(index))
    }

    /// The same by these weights; none if it is nothing at all.
    pub(super) fn weighed(&self, currency: Currency, dimension: i64, weights: &Weights) -> Option<i128> {
        self.find(currency, dimension).and_then(|(dimensions, index)| dimensions.weighed(index, weights))
    }

    fn find(&self, currency: Currency, dimension: i64) -> Option<(&Subjects, usize)> {
        let (_, dimensions) = self.by_currency.iter().find(|(other, _)| *other == currency)?;
        let index = *dimensions.indices.get(usize::try_from(dimension).ok()?)? as usize;
        Some((dimensions, index.checked_sub(1)?))
    }

    /// Every dimension that comes to anything, with its currency and what it comes to.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, i64, Values)> {
        let entry = |(currency, dimensions, index): (_, &Subjects, usize)| {
            (currency, dimensions.found[index].into(), dimensions.values(index))
        };
        self.all().map(entry).filter(|(.., values)| *values != Values::default())
    }

    /// The same by these weights.
    pub(super) fn iter_weighed(&self, weights: &Weights) -> impl Iterator<Item = (Currency, i64, i128)> {
        self.all().filter_map(|(currency, dimensions, index)| {
            Some((currency, dimensions.found[index].into(), dimensions.weighed(index, weights)?))
        })
    }

    fn all(&self) -> impl Iterator<Item = (Currency, &Subjects, usize)> {
        self.by_currency.iter().flat_map(|(currency, dimensions)| {
            (0..dimensions.found.len()).map(move |index| (*currency, dimensions, index))
        })
    }
}

/// The greatest number that a dimension of this rollup can have.
fn last_subject(tx: &ReadTx<'_>, rollup: Rollup) -> Result<usize> {
    let sql = match rollup {
        Rollup::Sales => return Ok(0),
        Rollup::Statuses => return Ok(usize::from(u8::MAX)),
        Rollup::Users => "SELECT coalesce(max(seq), 0) FROM users",
        Rollup::Items => "SELECT coalesce(max(seq), 0) FROM skus",
    };
    let last: i64 = tx.row(sql, [], |row| row.get(0))?.unwrap_or(0);
    usize::try_from(last).map_err(Error::internal)
}

fn beyond_the_last() -> Error {
    Error::internal("sums of a dimension that there is not")
}
