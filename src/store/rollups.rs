//! The rollups behind every report: sums of orders, payments and items sold, by bucket of time, currency and dimension.
//!
//! A transaction appends what it changes to `rollup_log`. Once the log is long enough it is folded: its entries are
//! added to the sums in `rollups`. A report adds the sums of the buckets in its range and the entries of the log that
//! are not folded yet. What an order or a payment counts for is decided in `domain::rollup`, not here.

mod cache;
mod changes;
mod codec;
mod daily;
mod dimension;
mod log;
mod ranking;
mod scans;
mod taxes;
mod totals;

pub(super) use changes::{Changes, Length};
pub(super) use codec::{EntryKey, Part};
pub use codec::{Rollup, Values};
pub use daily::{Daily, DailyQuery, Day};
pub use dimension::{rate, sku, statuses, users};
pub(super) use log::RollupLog;
pub use ranking::{Ranking, RankingQuery};
pub(super) use scans::CachedFigures;
pub use taxes::tax_totals;
pub use totals::{Totals, TotalsQuery};

use super::{ReadTx, sql::invalid_column};
use crate::{
    domain::{
        calendar::{BucketRange, SPANS},
        money::Currency,
        rollup::{ItemSums, Sums, TaxSums},
    },
    error::{Error, Result},
};
use std::collections::BTreeMap;

/// The columns of the log: one for each rollup.
pub(super) const COLUMNS: usize = Rollup::ALL.len();

/// Width in seconds of the buckets in the log: the narrowest of [`SPANS`].
pub(super) const FINEST_SPAN: i64 = SPANS[SPANS.len() - 1];

/// Values by key, in the order in which they are encoded.
type Entries = BTreeMap<EntryKey, Values>;

/// Pads the values of a narrow rollup with zeros.
fn padded(first: &[i128]) -> Values {
    let mut values = Values::default();
    values[..first.len()].copy_from_slice(first);
    values
}

fn sale_values(s: &Sums) -> Values {
    [
        s.orders_placed,
        s.orders_cancelled,
        s.booked,
        s.tax,
        s.credited,
        s.credited_tax,
        s.cancelled,
        s.cancelled_tax,
        s.paid,
        s.refunded,
    ]
}

fn user_values(s: &Sums) -> Values {
    padded(&[s.orders_placed, s.booked, s.credited, s.cancelled, s.paid, s.refunded])
}

fn item_values(s: &ItemSums) -> Values {
    padded(&[s.quantity, s.orders, s.total])
}

fn tax_values(s: &TaxSums) -> Values {
    padded(&[s.net, s.tax])
}

fn sale_sums(values: &Values) -> Sums {
    let &[
        orders_placed,
        orders_cancelled,
        booked,
        tax,
        credited,
        credited_tax,
        cancelled,
        cancelled_tax,
        paid,
        refunded,
    ] = values;
    Sums {
        orders_placed,
        orders_cancelled,
        booked,
        tax,
        credited,
        credited_tax,
        cancelled,
        cancelled_tax,
        paid,
        refunded,
    }
}

/// The sums in an entry of [`Rollup::Users`].
pub fn user_sums(&[orders_placed, booked, credited, cancelled, paid, refunded, ..]: &Values) -> Sums {
    Sums { orders_placed, booked, credited, cancelled, paid, refunded, ..Sums::default() }
}

/// The sums in an entry of [`Rollup::Items`].
pub fn item_sums(&[quantity, orders, total, ..]: &Values) -> ItemSums {
    ItemSums { quantity, orders, total }
}

/// Calls `visit` with the sums of orders and money for each bucket of `run` and each currency. The log is not included.
pub fn each_sales_bucket(tx: &ReadTx<'_>, run: BucketRange, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    each_in_buckets(tx, Rollup::Sales, run, |key, part| {
        visit(key.bucket, key.currency, &sale_sums(&part.map(i128::from)));
    })
}

/// Calls `visit` with the changes of orders and money in the log after row `seq`, or without one in what is not folded
/// yet: the time in seconds since the epoch, the currency and the sums.
pub fn each_logged_sale(tx: &ReadTx<'_>, seq: Option<i64>, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    let visit = |key: &EntryKey, part: &Part| {
        visit(key.bucket * FINEST_SPAN, key.currency, &sale_sums(&part.map(i128::from)));
    };
    match seq {
        Some(seq) => each_in_log_after(tx, Rollup::Sales, seq, visit),
        None => each_in_log(tx, Rollup::Sales, visit),
    }
}

/// `rollups.key`: 3 bits for the rollup, 2 for the span, 32 for the bucket. `schema.sql` computes the three columns
/// back from it.
pub(super) fn bucket_key(rollup: Rollup, span: i64, bucket: i64) -> i64 {
    debug_assert!(SPANS.contains(&span), "{span}");
    let rollup = Rollup::ALL.iter().position(|other| *other == rollup).unwrap_or_default();
    let span = SPANS.iter().position(|other| *other == span).unwrap_or_default();
    let [rollup, span] = [rollup, span].map(|number| i64::try_from(number).unwrap_or_default());
    let bucket = bucket.clamp(i32::MIN.into(), i32::MAX.into()) - i64::from(i32::MIN);
    rollup << 34 | span << 32 | bucket
}

/// Calls `visit` with each entry in the buckets of `run`. The log is not included.
pub(super) fn each_in_buckets(
    tx: &ReadTx<'_>,
    rollup: Rollup,
    run: BucketRange,
    mut visit: impl FnMut(&EntryKey, &Part),
) -> Result<()> {
    tx.each(
        "SELECT bucket, sums FROM rollups WHERE key BETWEEN ?1 AND ?2",
        (bucket_key(rollup, run.span, run.first), bucket_key(rollup, run.span, run.last)),
        |row| {
            let (bucket, mut misplaced): (i64, _) = (row.get(0)?, false);
            let read = codec::each(rollup, row.get_ref(1)?.as_blob()?, |key, part| {
                misplaced |= key.bucket != bucket;
                visit(key, part);
            });
            if misplaced || read.is_err() {
                return Err(invalid_column(1, "no sums of this bucket"));
            }
            Ok(())
        },
    )
}

/// Calls `visit` with each entry of the log that is not folded into the sums of `rollup` yet.
pub(super) fn each_in_log(tx: &ReadTx<'_>, rollup: Rollup, visit: impl FnMut(&EntryKey, &Part)) -> Result<()> {
    let folded = tx.row("SELECT seq FROM rollup_folds WHERE rollup = ?1", [rollup.name()], |row| row.get(0))?;
    let folded = folded.ok_or_else(|| Error::internal(format!("rollup_folds has no row for {}", rollup.name())))?;
    each_in_log_after(tx, rollup, folded, visit)
}

/// Calls `visit` with each entry in the rows of the log after row `seq`.
fn each_in_log_after(tx: &ReadTx<'_>, rollup: Rollup, seq: i64, mut visit: impl FnMut(&EntryKey, &Part)) -> Result<()> {
    tx.each(&format!("SELECT {} FROM rollup_log WHERE seq > ?1", rollup.name()), [seq], |row| {
        codec::each(rollup, row.get_ref(0)?.as_blob()?, &mut visit).map_err(|_| invalid_column(0, "no sums"))
    })
}
