//! What subjects come to over a range of time.

use super::{FINEST, Ledger, Place, Values, each, logged, widened};
use crate::{
    domain::{calendar::cover, money::Currency},
    error::{Error, Result},
    store::ReadTx,
};

/// Sums of subjects in each currency. There may be many thousands, each in as many buckets as there are days, so they
/// are found without a search.
pub struct Totals {
    ledger: Ledger,
    by_currency: Vec<(Currency, Subjects)>,
}

/// What subjects come to in one currency.
struct Subjects {
    /// By subject: one more than the place of its sums, 0 without any.
    places: Vec<u32>,
    /// In the order in which they were found.
    found: Vec<u32>,
    /// As many for each of those as the ledger is wide.
    sums: Vec<i128>,
}

impl Subjects {
    fn up_to(most: usize) -> Self {
        Self { places: vec![0; most + 1], found: vec![], sums: vec![] }
    }

    /// The sums of `subject`; none if it is beyond the last one.
    fn of(&mut self, subject: i64, width: usize) -> Option<&mut [i128]> {
        let subject = u32::try_from(subject).ok()?;
        let place = self.places.get_mut(subject as usize)?;
        if *place == 0 {
            self.found.push(subject);
            self.sums.resize(self.sums.len() + width, 0);
            *place = u32::try_from(self.found.len()).ok()?;
        }
        let end = *place as usize * width;
        self.sums.get_mut(end - width..end)
    }
}

/// What each subject comes to from one instant to another (seconds since the epoch, multiples of 900), in any currency or
/// in the one that is named.
pub fn totals(tx: &ReadTx<'_>, ledger: Ledger, (from, to): (i64, i64), only: Option<Currency>) -> Result<Totals> {
    let most = last_subject(tx, ledger)?;
    let mut totals = Totals { ledger, by_currency: vec![] };
    let mut whole = true;
    let mut add = |place: &Place, values: &Values, times: i64| {
        if only.is_none_or(|only| only == place.currency) {
            whole &= totals.add(place, values, times, most).is_some();
        }
    };
    for run in cover(from, to) {
        each(tx, ledger, run, |place, values| add(place, values, run.times))?;
    }
    logged(tx, ledger, |place, values| {
        if (from..to).contains(&(place.bucket * FINEST)) {
            add(place, values, 1);
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
    fn add(&mut self, place: &Place, values: &Values, times: i64, most: usize) -> Option<()> {
        // Entries come by currency.
        let found = self.by_currency.iter().position(|(currency, _)| *currency == place.currency);
        let found = found.unwrap_or_else(|| {
            self.by_currency.push((place.currency, Subjects::up_to(most)));
            self.by_currency.len() - 1
        });
        let sums = self.by_currency[found].1.of(place.subject, self.ledger.width())?;
        for (sum, value) in sums.iter_mut().zip(values) {
            if times < 0 { *sum -= value } else { *sum += value }
        }
        Some(())
    }

    /// What a subject comes to in a currency.
    pub fn of(&self, currency: Currency, subject: i64) -> Values {
        let width = self.ledger.width();
        let found = self.by_currency.iter().find(|(other, _)| *other == currency);
        let sums = found.and_then(|(_, found)| {
            let place = *found.places.get(usize::try_from(subject).ok()?)? as usize;
            found.sums.get(place.checked_sub(1)? * width..place * width)
        });
        sums.map(widened).unwrap_or_default()
    }

    /// Every subject that comes to anything, with its currency and what it comes to.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, i64, Values)> {
        let width = self.ledger.width();
        let all = self.by_currency.iter().flat_map(move |(currency, subjects)| {
            let sums = subjects.sums.chunks_exact(width).map(widened);
            subjects.found.iter().zip(sums).map(|(subject, values)| (*currency, i64::from(*subject), values))
        });
        all.filter(|(_, _, values)| *values != Values::default())
    }
}
