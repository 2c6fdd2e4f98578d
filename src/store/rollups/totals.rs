//! Totals of every dimension over a range of time.

use super::{EntryKey, FINEST_SPAN, Part, Rollup, Values, codec::USERS_WIDTH, each_in_buckets, each_in_log};
use crate::{
    domain::{calendar::cover, money::Currency},
    error::{Error, Result},
    store::ReadTx,
};
use std::collections::BTreeMap;

/// A factor for each value. The weighted sum of its values is what a dimension is ranked by.
pub type Weights = [i64; USERS_WIDTH];

/// Which sums to total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalsQuery {
    /// The rollup to read.
    pub rollup: Rollup,
    /// From (inclusive) and to (exclusive), in seconds since the epoch, multiples of 900.
    pub range: (i64, i64),
    /// The only currency; every currency without one.
    pub currency: Option<Currency>,
}

impl TotalsQuery {
    /// Whether an entry of the log belongs to these totals.
    pub(super) fn includes(&self, key: &EntryKey) -> bool {
        (self.range.0..self.range.1).contains(&(key.bucket * FINEST_SPAN)) && self.includes_currency(key.currency)
    }

    pub(super) fn includes_currency(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|only| only == currency)
    }
}

/// The totals of every dimension in each currency. There may be many thousand dimensions with an entry in every bucket,
/// so the total of an entry is found by index and not by a search.
#[derive(Clone)]
pub struct Totals {
    by_currency: Vec<(Currency, CurrencyTotals)>,
    max_dimension: usize,
}

/// The totals of every dimension in one currency.
#[derive(Clone)]
struct CurrencyTotals {
    /// For each dimension its index in `dimensions` and `sums` plus one; 0 if it has no entry.
    indices: Vec<u32>,
    /// The dimensions that have an entry, in the order of their first ones.
    dimensions: Vec<u32>,
    sums: Vec<[i64; USERS_WIDTH]>,
    /// The parts of sums that do not fit into 64 bits, by index and value.
    overflow: BTreeMap<(usize, usize), i128>,
}

impl CurrencyTotals {
    fn up_to(max_dimension: usize) -> Self {
        Self { indices: vec![0; max_dimension + 1], dimensions: vec![], sums: vec![], overflow: BTreeMap::new() }
    }

    /// Releases unused capacity.
    fn shrink(&mut self) {
        self.dimensions.shrink_to_fit();
        self.sums.shrink_to_fit();
    }

    /// Adds the values of one entry.
    #[inline]
    fn add(&mut self, dimension: usize, part: &[i64; USERS_WIDTH]) {
        if self.indices.len() <= dimension {
            self.indices.resize(dimension + 1, 0);
        }
        let index = &mut self.indices[dimension];
        if *index == 0 {
            self.dimensions.push(u32::try_from(dimension).unwrap_or(u32::MAX));
            self.sums.push(*part);
            *index = u32::try_from(self.dimensions.len()).unwrap_or(u32::MAX);
            return;
        }
        let index = *index as usize - 1;
        let mut overflowed = false;
        let sums = std::array::from_fn(|i| {
            let (sum, overflow) = self.sums[index][i].overflowing_add(part[i]);
            overflowed |= overflow;
            sum
        });
        if overflowed {
            self.add_overflow(index, part);
        } else {
            self.sums[index] = sums;
        }
    }

    #[cold]
    fn add_overflow(&mut self, index: usize, part: &[i64; USERS_WIDTH]) {
        for (i, value) in part.iter().enumerate() {
            let sum = &mut self.sums[index][i];
            match sum.checked_add(*value) {
                Some(more) => *sum = more,
                None => *self.overflow.entry((index, i)).or_default() += i128::from(std::mem::replace(sum, *value)),
            }
        }
    }

    /// The totals at `index` of `dimensions`.
    #[inline]
    fn values(&self, index: usize) -> Values {
        let sums = &self.sums[index];
        let mut values: Values = std::array::from_fn(|i| sums.get(i).copied().unwrap_or(0).into());
        if !self.overflow.is_empty() {
            for ((_, i), more) in self.overflow.range((index, 0)..(index + 1, 0)) {
                values[*i] += more;
            }
        }
        values
    }

    /// The weighted sum of the totals at `index`; none if all of them are 0.
    #[inline]
    fn weighted(&self, index: usize, weights: &Weights) -> Option<i128> {
        let sums = &self.sums[index];
        if !self.overflow.is_empty() {
            let values = self.values(index);
            let weighted = weights.iter().zip(values).map(|(weight, value)| i128::from(*weight) * value).sum();
            return (values != Values::default()).then_some(weighted);
        }
        let weighted = || weights.iter().zip(sums).map(|(weight, sum)| i128::from(*weight) * i128::from(*sum)).sum();
        sums.iter().any(|sum| *sum != 0).then(weighted)
    }
}

impl Totals {
    /// Reads the totals: the buckets of the range, and the log.
    pub fn read(tx: &ReadTx<'_>, query: &TotalsQuery) -> Result<Self> {
        let mut totals = Self { by_currency: vec![], max_dimension: max_dimension(tx, query.rollup)? };
        let mut all_known = true;
        for run in cover(query.range.0, query.range.1) {
            each_in_buckets(tx, query.rollup, run, |key, part| {
                if query.includes_currency(key.currency) {
                    all_known &= totals.add(key, part, run.sign).is_some();
                }
            })?;
        }
        each_in_log(tx, query.rollup, |key, part| {
            if query.includes(key) {
                all_known &= totals.add(key, part, 1).is_some();
            }
        })?;
        totals.by_currency.iter_mut().for_each(|(_, totals)| totals.shrink());
        if all_known { Ok(totals) } else { Err(unknown_dimension()) }
    }

    /// The memory that the totals take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let of = |totals: &CurrencyTotals| {
            size_of_val(&*totals.indices) + size_of_val(&*totals.dimensions) + size_of_val(&*totals.sums)
        };
        self.by_currency.iter().map(|(_, totals)| of(totals)).sum()
    }

    /// Adds an entry that was logged after the totals were read.
    pub(super) fn add_logged(&mut self, tx: &ReadTx<'_>, rollup: Rollup, key: &EntryKey, part: &Part) -> Result<()> {
        if usize::try_from(key.dimension).is_ok_and(|dimension| dimension > self.max_dimension) {
            self.max_dimension = max_dimension(tx, rollup)?;
        }
        self.add(key, part, 1).ok_or_else(unknown_dimension)
    }

    /// Adds an entry; none if its dimension is larger than any that exists.
    #[inline]
    fn add(&mut self, key: &EntryKey, part: &Part, times: i64) -> Option<()> {
        let dimension = usize::try_from(key.dimension).ok().filter(|dimension| *dimension <= self.max_dimension)?;
        let found = self.by_currency.iter().position(|(currency, _)| *currency == key.currency);
        let found = found.unwrap_or_else(|| {
            self.by_currency.push((key.currency, CurrencyTotals::up_to(self.max_dimension)));
            self.by_currency.len() - 1
        });
        // The values of an entry have 62 bits, so the product does not overflow.
        self.by_currency[found].1.add(dimension, &std::array::from_fn(|i| part[i] * times));
        Some(())
    }

    /// The totals of a dimension in one currency.
    pub fn values(&self, currency: Currency, dimension: i64) -> Values {
        self.find(currency, dimension).map_or_else(Values::default, |(totals, index)| totals.values(index))
    }

    /// The weighted sum of a dimension's totals in one currency; none if all of them are 0.
    pub(super) fn weighted(&self, currency: Currency, dimension: i64, weights: &Weights) -> Option<i128> {
        self.find(currency, dimension).and_then(|(totals, index)| totals.weighted(index, weights))
    }

    fn find(&self, currency: Currency, dimension: i64) -> Option<(&CurrencyTotals, usize)> {
        let (_, totals) = self.by_currency.iter().find(|(other, _)| *other == currency)?;
        let index = *totals.indices.get(usize::try_from(dimension).ok()?)? as usize;
        Some((totals, index.checked_sub(1)?))
    }

    /// Every dimension with its currency and totals, without those that are all 0.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, i64, Values)> {
        let entry = |(currency, totals, index): (_, &CurrencyTotals, usize)| {
            (currency, totals.dimensions[index].into(), totals.values(index))
        };
        self.all().map(entry).filter(|(.., values)| *values != Values::default())
    }

    /// Every dimension with its currency and the weighted sum of its totals, without those that are all 0.
    pub(super) fn iter_weighted(&self, weights: &Weights) -> impl Iterator<Item = (Currency, i64, i128)> {
        self.all().filter_map(|(currency, totals, index)| {
            Some((currency, totals.dimensions[index].into(), totals.weighted(index, weights)?))
        })
    }

    fn all(&self) -> impl Iterator<Item = (Currency, &CurrencyTotals, usize)> {
        self.by_currency
            .iter()
            .flat_map(|(currency, totals)| (0..totals.dimensions.len()).map(move |index| (*currency, totals, index)))
    }
}

/// The largest dimension that a rollup can have.
fn max_dimension(tx: &ReadTx<'_>, rollup: Rollup) -> Result<usize> {
    let sql = match rollup {
        // These are not read by way of [`Totals`].
        Rollup::Sales | Rollup::Taxes => return Ok(0),
        Rollup::Statuses => return Ok(usize::from(u8::MAX)),
        Rollup::Users => "SELECT coalesce(max(seq), 0) FROM users",
        Rollup::Items => "SELECT coalesce(max(seq), 0) FROM skus",
    };
    let max: i64 = tx.row(sql, [], |row| row.get(0))?.unwrap_or(0);
    usize::try_from(max).map_err(Error::internal)
}

fn unknown_dimension() -> Error {
    Error::internal("a rollup has sums of a user or SKU that does not exist")
}
