//! The sums of each day of a range, with a text that a caller has made of each.

use super::{cache::Figures, each_logged_sale, each_sales_bucket};
use crate::{
    domain::{
        calendar::{Date, Days, days_between, from_midnight, nearest_midnight},
        money::Currency,
        rollup::Sums,
    },
    error::{Error, Result},
    store::ReadTx,
};
use std::{collections::BTreeMap, sync::Arc};

/// Bytes of a text, about.
const TEXT_BYTES: usize = 400;

/// Which days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyQuery {
    /// The days.
    pub days: Days,
    /// The only currency, or none for all.
    pub currency: Option<Currency>,
    /// What kind of texts are made of the sums.
    pub texts: &'static str,
}

/// The sums of some days in each currency.
#[derive(Clone)]
pub struct Daily {
    dates: Vec<Date>,
    /// The start of each day and the end of the last one, in seconds since the epoch.
    edges: Vec<i64>,
    by_currency: BTreeMap<Currency, Vec<Day>>,
}

/// A day in one currency.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// Its sums.
    pub sums: Sums,
    /// What was made of these sums.
    pub text: Option<Arc<str>>,
}

impl Figures for Daily {
    type Query = DailyQuery;

    const MAX_CACHED_BYTES: usize = 16 * 1024 * 1024;

    fn read(tx: &ReadTx<'_>, query: &DailyQuery) -> Result<Self> {
        let days = query.days.each().ok_or_else(|| Error::internal("a day beyond the calendar"))?;
        let mut edges: Vec<i64> = days.iter().map(|(_, start, _)| *start).collect();
        edges.extend(days.last().map(|(_, _, end)| *end));
        let dates = days.into_iter().map(|(date, ..)| date).collect();
        let mut daily = Self { dates, edges, by_currency: BTreeMap::new() };
        daily.add_days(tx, query)?;
        daily.add_rest_of_days(tx, query)?;
        daily.add_log(tx, query, None)?;
        Ok(daily)
    }

    fn add_logged_after(&mut self, tx: &ReadTx<'_>, query: &DailyQuery, seq: i64) -> Result<()> {
        self.add_log(tx, query, Some(seq))
    }

    fn bytes(&self) -> usize {
        self.by_currency.len() * self.dates.len() * (size_of::<Day>() + TEXT_BYTES)
    }
}

impl Daily {
    /// Adds the days in UTC that are nearest to the local ones.
    fn add_days(&mut self, tx: &ReadTx<'_>, query: &DailyQuery) -> Result<()> {
        let midnights: Vec<i64> = self.edges.iter().map(|edge| nearest_midnight(*edge)).collect();
        let Some(range) = days_between(self.edges[0], self.edges[self.dates.len()]) else { return Ok(()) };
        each_sales_bucket(tx, range, |bucket, currency, part| {
            let day = midnights.partition_point(|midnight| *midnight <= bucket) - 1;
            self.add(query, day, currency, part, 1);
        })
    }

    /// Adds the hours between each end of a local day and the nearest midnight in UTC to one day, and subtracts them
    /// from its neighbour.
    fn add_rest_of_days(&mut self, tx: &ReadTx<'_>, query: &DailyQuery) -> Result<()> {
        for i in 0..self.edges.len() {
            for range in from_midnight(self.edges[i]) {
                each_sales_bucket(tx, range, |_, currency, part| {
                    if i > 0 {
                        self.add(query, i - 1, currency, part, range.sign);
                    }
                    if i < self.dates.len() {
                        self.add(query, i, currency, part, -range.sign);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Adds what was logged after row `seq`. If there is no `seq`, it adds what was logged and is not in the buckets
    /// yet.
    fn add_log(&mut self, tx: &ReadTx<'_>, query: &DailyQuery, seq: Option<i64>) -> Result<()> {
        each_logged_sale(tx, seq, |at, currency, part| {
            if (self.edges[0]..self.edges[self.dates.len()]).contains(&at) {
                let day = self.edges.partition_point(|edge| *edge <= at) - 1;
                self.add(query, day, currency, part, 1);
            }
        })
    }

    fn add(&mut self, query: &DailyQuery, day: usize, currency: Currency, part: &Sums, sign: i64) {
        if query.currency.is_none_or(|only| only == currency) {
            let days = self.by_currency.entry(currency).or_insert_with(|| vec![Day::default(); self.dates.len()]);
            days[day].sums.add(part, sign);
            days[day].text = None;
        }
    }

    /// Calls `make` for each day with each currency that has sums in the range, and with `currency` if it has none.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn rows<T>(
        &mut self,
        currency: Option<Currency>,
        make: impl Fn(Date, Currency, &mut Day) -> Result<T>,
    ) -> Result<Vec<T>> {
        if let Some(only) = currency {
            self.by_currency.entry(only).or_insert_with(|| vec![Day::default(); self.dates.len()]);
        }
        let has_sums = |days: &Vec<Day>| days.iter().any(|day| day.sums != Sums::default());
        let mut shown: Vec<_> =
            self.by_currency.iter_mut().filter(|(of, days)| currency == Some(**of) || has_sums(days)).collect();
        let mut rows = Vec::with_capacity(self.dates.len() * shown.len());
        for (number, date) in self.dates.iter().enumerate() {
            for (currency, days) in &mut shown {
                rows.push(make(*date, **currency, &mut days[number])?);
            }
        }
        Ok(rows)
    }
}
