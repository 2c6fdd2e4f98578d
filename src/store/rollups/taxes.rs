//! Totals of [`Rollup::Taxes`]. Its dimensions are large numbers, but a shop has few of them.

use super::{Rollup, TotalsQuery, dimension, each_in_buckets, each_in_log};
use crate::{
    domain::{
        calendar::cover,
        money::{Currency, TaxRate},
        rollup::TaxSums,
    },
    error::{Error, Result},
    store::ReadTx,
};
use std::{cmp::Reverse, collections::BTreeMap};

/// Sums by currency and tax rate, the highest rate first.
pub type TaxTotals = BTreeMap<(Currency, Reverse<Option<TaxRate>>), TaxSums>;

/// The totals of `range` in each currency and at each tax rate, the highest rate first and the sums without a rate
/// last. `range` is from (inclusive) and to (exclusive), in seconds since the epoch, multiples of 900.
pub fn tax_totals(tx: &ReadTx<'_>, range: (i64, i64), currency: Option<Currency>) -> Result<TaxTotals> {
    let query = TotalsQuery { rollup: Rollup::Taxes, range, currency };
    let mut totals: BTreeMap<(Currency, Reverse<i64>), TaxSums> = BTreeMap::new();
    let mut add = |currency, dimension, [net, tax]: [i64; 2], sign| {
        let sums = totals.entry((currency, Reverse(dimension))).or_default();
        sums.net += i128::from(net) * i128::from(sign);
        sums.tax += i128::from(tax) * i128::from(sign);
    };
    for buckets in cover(range.0, range.1) {
        each_in_buckets(tx, query.rollup, buckets, |key, part| {
            if query.includes_currency(key.currency) {
                add(key.currency, key.dimension, [part[0], part[1]], buckets.sign);
            }
        })?;
    }
    each_in_log(tx, query.rollup, |key, part| {
        if query.includes(key) {
            add(key.currency, key.dimension, [part[0], part[1]], 1);
        }
    })?;
    totals.retain(|_, sums| *sums != TaxSums::default());
    let named = |((currency, Reverse(dimension)), sums)| {
        let rate = dimension::rate(dimension).ok_or_else(|| Error::internal("a rollup has sums of no tax rate"))?;
        Ok(((currency, Reverse(rate)), sums))
    };
    totals.into_iter().map(named).collect()
}
