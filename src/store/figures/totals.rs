//! What subjects come to over a range of time.

use super::{FINEST, Ledger, Part, Place, Values, each, logged};
use crate::{
    domain::{calendar::cover, money::Currency},
    error::{Error, Result},
    store::ReadTx,
};
use std::collections::BTreeMap;

/// Values of the widest ledger that has subjects.
const WIDTH: usize = Ledger::Users.width();

/// How often each value of a subject counts.
pub type Weights = [i64; WIDTH];

/// Whose sums, of when and in which currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summed {
    /// What is counted.
    pub ledger: Ledger,
    /// From when to when: seconds since the epoch, multiples of 900.
    pub range: (i64, i64),
    /// The only currency, if one is named.
    pub currency: Option<Currency>,
}

impl Summed {
    /// Whether this change is one of those that are summed.
    pub(super) fn includes(&self, place: &Place) -> bool {
        (self.range.0..self.range.1).contains(&(place.bucket * FINEST)) && self.wants(place.currency)
    }

    fn wants(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|only| only == currency)
    }
}

/// Sums of subjects in each currency. There may be many thousands, each in as many buckets as there are days, so they
/// are found without a search.
pub struct Totals {
    by_currency: Vec<(Currency, Subjects)>,
    /// The greatest number that a subject can have.
    last: usize,
}

/// What subjects come to in one currency.
struct Subjects {
    /// By subject: one more than its index in `found`, 0 if it is not there.
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

    /// Adds a part of what a subject comes to, or takes it away.
    #[inline]
    fn add(&mut self, subject: usize, part: &[i64; WIDTH]) {
        if self.indices.len() <= subject {
            self.indices.resize(subject + 1, 0);
        }
        let index = &mut self.indices[subject];
        if *index == 0 {
            self.found.push(u32::try_from(subject).unwrap_or(u32::MAX));
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

    /// What the subject at this index of `found` comes to.
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
    /// What each subject comes to.
    pub fn of(tx: &ReadTx<'_>, summed: &Summed) -> Result<Self> {
        let mut totals = Self { by_currency: vec![], last: last_subject(tx, summed.ledger)? };
        let mut whole = true;
        for run in cover(summed.range.0, summed.range.1) {
            each(tx, summed.ledger, run, |place, part| {
                if summed.wants(place.currency) {
                    whole &= totals.add(place, part, run.times).is_some();
                }
            })?;
        }
        logged(tx, summed.ledger, |place, part| {
            if summed.includes(place) {
                whole &= totals.add(place, part, 1).is_some();
            }
        })?;
        totals.by_currency.iter_mut().for_each(|(_, subjects)| subjects.shrink());
        if whole { Ok(totals) } else { Err(beyond_the_last()) }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of = |subjects: &Subjects| {
            size_of_val(&*subjects.indices) + size_of_val(&*subjects.found) + size_of_val(&*subjects.sums)
        };
        self.by_currency.iter().map(|(_, subjects)| of(subjects)).sum()
    }

    /// Adds a change that was logged later.
    pub(super) fn change(&mut self, tx: &ReadTx<'_>, ledger: Ledger, place: &Place, part: &Part) -> Result<()> {
        if usize::try_from(place.subject).is_ok_and(|subject| subject > self.last) {
            self.last = last_subject(tx, ledger)?;
        }
        self.add(place, part, 1).ok_or_else(beyond_the_last)
    }

    /// Adds a part; none if the subject is beyond the last one.
    #[inline]
    fn add(&mut self, place: &Place, part: &Part, times: i64) -> Option<()> {
        let subject = usize::try_from(place.subject).ok().filter(|subject| *subject <= self.last)?;
        let found = self.by_currency.iter().position(|(currency, _)| *currency == place.currency);
        let found = found.unwrap_or_else(|| {
            self.by_currency.push((place.currency, Subjects::up_to(self.last)));
            self.by_currency.len() - 1
        });
        // Parts have 62 bits.
        self.by_currency[found].1.add(subject, &std::array::from_fn(|i| part[i] * times));
        Some(())
    }

    /// What a subject comes to in a currency.
    pub fn values(&self, currency: Currency, subject: i64) -> Values {
        self.find(currency, subject).map_or_else(Values::default, |(subjects, index)| subjects.values(index))
    }

    /// The same by these weights; none if it is nothing at all.
    pub(super) fn weighed(&self, currency: Currency, subject: i64, weights: &Weights) -> Option<i128> {
        self.find(currency, subject).and_then(|(subjects, index)| subjects.weighed(index, weights))
    }

    fn find(&self, currency: Currency, subject: i64) -> Option<(&Subjects, usize)> {
        let (_, subjects) = self.by_currency.iter().find(|(other, _)| *other == currency)?;
        let index = *subjects.indices.get(usize::try_from(subject).ok()?)? as usize;
        Some((subjects, index.checked_sub(1)?))
    }

    /// Every subject that comes to anything, with its currency and what it comes to.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, i64, Values)> {
        let entry = |(currency, subjects, index): (_, &Subjects, usize)| {
            (currency, subjects.found[index].into(), subjects.values(index))
        };
        self.all().map(entry).filter(|(.., values)| *values != Values::default())
    }

    /// The same by these weights.
    pub(super) fn iter_weighed(&self, weights: &Weights) -> impl Iterator<Item = (Currency, i64, i128)> {
        self.all().filter_map(|(currency, subjects, index)| {
            Some((currency, subjects.found[index].into(), subjects.weighed(index, weights)?))
        })
    }

    fn all(&self) -> impl Iterator<Item = (Currency, &Subjects, usize)> {
        self.by_currency
            .iter()
            .flat_map(|(currency, subjects)| (0..subjects.found.len()).map(move |index| (*currency, subjects, index)))
    }
}

/// The greatest number that a subject of this ledger can have.
fn last_subject(tx: &ReadTx<'_>, ledger: Ledger) -> Result<usize> {
    let sql = match ledger {
        Ledger::Sales => return Ok(0),
        Ledger::Statuses => return Ok(usize::from(u8::MAX)),
        Ledger::Users => "SELECT coalesce(max(seq), 0) FROM users",
        Ledger::Items => "SELECT coalesce(max(seq), 0) FROM skus",
    };
    let last: i64 = tx.row(sql, [], |row| row.get(0))?.unwrap_or(0);
    usize::try_from(last).map_err(Error::internal)
}

fn beyond_the_last() -> Error {
    Error::internal("sums of a subject that there is not")
}
