//! What subjects come to over a range of time.

use super::{FINEST, Ledger, Part, Place, Values, each, logged};
use crate::{
    domain::{calendar::cover, money::Currency},
    error::{Error, Result},
    store::ReadTx,
};
use std::collections::BTreeMap;

/// Sums of subjects in each currency. There may be many thousands, each in as many buckets as there are days, so they
/// are found without a search.
pub struct Totals {
    ledger: Ledger,
    by_currency: Vec<(Currency, Subjects)>,
}

/// What subjects come to in one currency.
struct Subjects {
    /// By subject: one more than its index in `found`, 0 if it is not there.
    indices: Vec<u32>,
    /// Subjects, in the order in which they were found.
    found: Vec<u32>,
    /// As many for each of those as the ledger is wide.
    sums: Vec<i64>,
    /// What 64 bits do not hold of some of them, by their index.
    beyond: BTreeMap<usize, i128>,
}

impl Subjects {
    fn up_to(most: usize) -> Self {
        Self { indices: vec![0; most + 1], found: vec![], sums: vec![], beyond: BTreeMap::new() }
    }

    /// Adds a part of what `subject` comes to, or takes it away; none if the subject is beyond the last one.
    fn add(&mut self, subject: i64, part: &[i64], times: i64) -> Option<()> {
        let index = self.indices.get_mut(usize::try_from(subject).ok()?)?;
        if *index == 0 {
            self.found.push(u32::try_from(subject).ok()?);
            self.sums.resize(self.sums.len() + part.len(), 0);
            *index = u32::try_from(self.found.len()).ok()?;
        }
        let first = (*index as usize - 1) * part.len();
        let sums = self.sums.get_mut(first..first + part.len())?;
        for (i, (sum, value)) in sums.iter_mut().zip(part).enumerate() {
            let value = if times < 0 { -value } else { *value };
            match sum.checked_add(value) {
                Some(more) => *sum = more,
                None => *self.beyond.entry(first + i).or_default() += i128::from(std::mem::replace(sum, value)),
            }
        }
        Some(())
    }

    /// What the subject at this index of `found` comes to.
    fn values(&self, index: usize, width: usize) -> Values {
        let mut values = Values::default();
        for (value, i) in values.iter_mut().zip(index * width..(index + 1) * width) {
            *value = i128::from(self.sums[i]);
            if !self.beyond.is_empty() {
                *value += self.beyond.get(&i).copied().unwrap_or_default();
            }
        }
        values
    }
}

/// What each subject comes to from one instant to another (seconds since the epoch, multiples of 900), in any currency or
/// in the one that is named.
pub fn totals(tx: &ReadTx<'_>, ledger: Ledger, (from, to): (i64, i64), only: Option<Currency>) -> Result<Totals> {
    let most = last_subject(tx, ledger)?;
    let mut totals = Totals { ledger, by_currency: vec![] };
    let mut whole = true;
    let mut add = |place: &Place, part: &Part, times: i64| {
        if only.is_none_or(|only| only == place.currency) {
            whole &= totals.add(place, part, times, most).is_some();
        }
    };
    for run in cover(from, to) {
        each(tx, ledger, run, |place, part| add(place, part, run.times))?;
    }
    logged(tx, ledger, |place, part| {
        if (from..to).contains(&(place.bucket * FINEST)) {
            add(place, part, 1);
        }
    })?;
    if whole { Ok(totals) } else { Err(Error::internal("sums of a subject that there is not")) }
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

impl Totals {
    fn add(&mut self, place: &Place, part: &Part, times: i64, most: usize) -> Option<()> {
        let found = self.by_currency.iter().position(|(currency, _)| *currency == place.currency);
        let found = found.unwrap_or_else(|| {
            self.by_currency.push((place.currency, Subjects::up_to(most)));
            self.by_currency.len() - 1
        });
        self.by_currency[found].1.add(place.subject, &part[..self.ledger.width()], times)
    }

    /// What a subject comes to in a currency.
    pub fn of(&self, currency: Currency, subject: i64) -> Values {
        let found = self.by_currency.iter().find(|(other, _)| *other == currency);
        let values = found.and_then(|(_, subjects)| {
            let index = *subjects.indices.get(usize::try_from(subject).ok()?)? as usize;
            Some(subjects.values(index.checked_sub(1)?, self.ledger.width()))
        });
        values.unwrap_or_default()
    }

    /// Every subject that comes to anything, with its currency and what it comes to.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, i64, Values)> {
        let width = self.ledger.width();
        let all = self.by_currency.iter().flat_map(move |(currency, subjects)| {
            let entry =
                move |(index, subject): (usize, &u32)| (*currency, i64::from(*subject), subjects.values(index, width));
            subjects.found.iter().enumerate().map(entry)
        });
        all.filter(|(_, _, values)| *values != Values::default())
    }
}
