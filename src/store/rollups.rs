//! The summaries: what a transaction changes in them is written to a log, the log is added to them once it is long
//! enough, and a report reads both. What is asked of them is a sum over buckets of time; what they are made of is in
//! `rollup`.

mod log;
mod ranking;
mod rollup_codec;
mod totals;

pub(super) use log::Log;
pub use ranking::{Ranked, Ranking, Rankings};
pub(super) use rollup_codec::{EntryKey, Part};
pub use rollup_codec::{Rollup, Values};
pub use totals::{Summed, Totals};

use super::{
    ReadTx,
    sql::{Key, damaged},
};
use crate::{
    domain::{
        calendar::{BucketRange, SPANS, bucket},
        id::UserId,
        money::Currency,
        order::OrderStatus,
        rollup::{ItemSale, ItemSums, Sale, StatusEntry, Sums},
        transaction::PaymentStatus,
    },
    error::{Error, Result},
};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// The width of the buckets in the log: the narrowest.
pub(super) const FINEST: i64 = SPANS[SPANS.len() - 1];

/// Sums by their keys.
type Entries = BTreeMap<EntryKey, Values>;

/// Writes what a transaction counted to the log: each, as often as it says (−1 takes it out).
pub(super) fn write(
    connection: &Connection,
    log: &mut Log,
    sales: &[(Sale, i64)],
    status_entries: &[(StatusEntry, i64)],
    items: &[(ItemSale, i64)],
) -> rusqlite::Result<()> {
    if sales.is_empty() && status_entries.is_empty() && items.is_empty() {
        return Ok(());
    }
    let [mut all, mut users, mut statuses, mut sold] = [const { Entries::new() }; 4];
    for (Sale { at, currency, user_id, sums }, times) in sales {
        let key = |dimension| EntryKey { bucket: bucket(FINEST, *at), currency: *currency, dimension };
        add(&mut all, key(0), sale_values(sums), *times);
        add(&mut users, key(user_dimension(connection, *user_id)?), user_values(sums), *times);
    }
    for (status_entry, times) in status_entries {
        let dimension = status_dimension(status_entry.status, status_entry.payment_status);
        let key = EntryKey { bucket: bucket(FINEST, status_entry.at), currency: status_entry.currency, dimension };
        add(&mut statuses, key, widened(&[1, status_entry.total.into()]), *times);
    }
    for (ItemSale { at, sku, currency, sums }, times) in items {
        let key =
            EntryKey { bucket: bucket(FINEST, *at), currency: *currency, dimension: item_dimension(connection, sku)? };
        add(&mut sold, key, widened(&[sums.quantity, sums.orders, sums.total]), *times);
    }
    log.append(connection, &[all, users, statuses, sold])
}

fn add(entries: &mut Entries, key: EntryKey, values: Values, times: i64) {
    let sums = entries.entry(key).or_default();
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * i128::from(times));
}

/// The first values, and 0 for the others.
fn widened(first: &[i128]) -> Values {
    let mut values = Values::default();
    values[..first.len()].copy_from_slice(first);
    values
}

fn sale_values(s: &Sums) -> Values {
    [s.orders_placed, s.orders_cancelled, s.booked, s.tax, s.cancelled, s.paid, s.refunded]
}

fn user_values(s: &Sums) -> Values {
    widened(&[s.orders_placed, s.booked, s.cancelled, s.paid, s.refunded])
}

fn sale_sums(&[orders_placed, orders_cancelled, booked, tax, cancelled, paid, refunded]: &Values) -> Sums {
    Sums { orders_placed, orders_cancelled, booked, tax, cancelled, paid, refunded }
}

/// What the entry of a user says.
pub fn user_sums(&[orders_placed, booked, cancelled, paid, refunded, ..]: &Values) -> Sums {
    Sums { orders_placed, booked, cancelled, paid, refunded, ..Sums::default() }
}

/// What the entry of a SKU says.
pub fn item_sums(&[quantity, orders, total, ..]: &Values) -> ItemSums {
    ItemSums { quantity, orders, total }
}

fn user_dimension(connection: &Connection, user: Option<UserId>) -> rusqlite::Result<i64> {
    let Some(user) = user else { return Ok(0) };
    connection.prepare_cached("SELECT seq FROM users WHERE id = ?1")?.query_row([Key(user)], |row| row.get(0))
}

/// The number of `sku`, which it is given if it has none.
fn item_dimension(connection: &Connection, sku: &str) -> rusqlite::Result<i64> {
    let mut known = connection.prepare_cached("SELECT seq FROM skus WHERE sku = ?1")?;
    match known.query_row([sku], |row| row.get(0)).optional()? {
        Some(dimension) => Ok(dimension),
        None => connection
            .prepare_cached("INSERT INTO skus (sku) VALUES (?1) RETURNING seq")?
            .query_row([sku], |row| row.get(0)),
    }
}

/// Payment statuses are numbered within statuses, with room for more of them.
const PAYMENT_STATUSES: i64 = 16;

/// The dimension of orders that stand like this.
fn status_dimension(status: OrderStatus, payment_status: PaymentStatus) -> i64 {
    let status = match status {
        OrderStatus::Draft => 0,
        OrderStatus::Pending => 1,
        OrderStatus::Confirmed => 2,
        OrderStatus::Fulfilled => 3,
        OrderStatus::Cancelled => 4,
    };
    let payment_status = match payment_status {
        PaymentStatus::Unpaid => 0,
        PaymentStatus::PartiallyPaid => 1,
        PaymentStatus::Paid => 2,
        PaymentStatus::Overpaid => 3,
        PaymentStatus::PartiallyRefunded => 4,
        PaymentStatus::Refunded => 5,
    };
    status * PAYMENT_STATUSES + payment_status
}

/// How orders of this dimension stand, if there is such a dimension.
pub fn status_entry(dimension: i64) -> Option<(OrderStatus, PaymentStatus)> {
    let all =
        OrderStatus::ALL.iter().flat_map(|&status| PaymentStatus::ALL.iter().map(move |&payment| (status, payment)));
    all.into_iter().find(|&(status, payment)| status_dimension(status, payment) == dimension)
}

/// Shows `visit` what orders and money come to in each bucket of a run and each currency, without what is in the log.
pub fn sales(tx: &ReadTx<'_>, run: BucketRange, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    each(tx, Rollup::Sales, run, |key, part| visit(key.bucket, key.currency, &sale_sums(&part.map(i128::from))))
}

/// Shows `visit` what the log says of orders and money: when, in seconds since the epoch, and in which currency.
pub fn logged_sales(tx: &ReadTx<'_>, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    logged(tx, Rollup::Sales, |key, part| {
        visit(key.bucket * FINEST, key.currency, &sale_sums(&part.map(i128::from)));
    })
}

/// `rollups.key` of a bucket.
fn key_of(rollup: Rollup, span: i64, bucket: i64) -> i64 {
    debug_assert!(SPANS.contains(&span), "{span}");
    let rollup = Rollup::ALL.iter().position(|other| *other == rollup).unwrap_or_default();
    let span = SPANS.iter().position(|other| *other == span).unwrap_or_default();
    let [rollup, span] = [rollup, span].map(|number| i64::try_from(number).unwrap_or_default());
    let bucket = bucket.clamp(i32::MIN.into(), i32::MAX.into()) - i64::from(i32::MIN);
    rollup << 34 | span << 32 | bucket
}

/// Shows `visit` each entry in the buckets of a run, without what is in the log.
pub(super) fn each(
    tx: &ReadTx<'_>,
    rollup: Rollup,
    run: BucketRange,
    mut visit: impl FnMut(&EntryKey, &Part),
) -> Result<()> {
    tx.each(
        "SELECT bucket, sums FROM rollups WHERE key BETWEEN ?1 AND ?2",
        (key_of(rollup, run.span, run.first), key_of(rollup, run.span, run.last)),
        |row| {
            let (bucket, mut elsewhere): (i64, _) = (row.get(0)?, false);
            let read = rollup_codec::each(rollup, row.get_ref(1)?.as_blob()?, |key, part| {
                elsewhere |= key.bucket != bucket;
                visit(key, part);
            });
            if elsewhere || read.is_err() {
                return Err(damaged(1, "no sums of this bucket"));
            }
            Ok(())
        },
    )
}

/// Shows `visit` each entry of the log that is not in the sums.
pub(super) fn logged(tx: &ReadTx<'_>, rollup: Rollup, visit: impl FnMut(&EntryKey, &Part)) -> Result<()> {
    let folded = tx.row("SELECT seq FROM rollup_folds WHERE rollup = ?1", [rollup.name()], |row| row.get(0))?;
    let folded = folded.ok_or_else(|| Error::internal("a rollup that says not what is in its sums"))?;
    logged_after(tx, rollup, folded, visit)
}

/// Shows `visit` each entry of the log that comes after a row of it.
fn logged_after(tx: &ReadTx<'_>, rollup: Rollup, seq: i64, mut visit: impl FnMut(&EntryKey, &Part)) -> Result<()> {
    tx.each(&format!("SELECT {} FROM rollup_log WHERE seq > ?1", rollup.name()), [seq], |row| {
        rollup_codec::each(rollup, row.get_ref(0)?.as_blob()?, &mut visit).map_err(|_| damaged(0, "no sums"))
    })
}

/// The identifier, address and name of the user who has this number, for a report.
pub fn user_label(tx: &ReadTx<'_>, seq: i64) -> Result<Option<(UserId, String, String)>> {
    tx.row("SELECT id, email, name FROM users WHERE seq = ?1", [seq], |row| {
        Ok((row.get::<_, Key<UserId>>(0)?.0, row.get(1)?, row.get(2)?))
    })
}

/// The SKU that has this number.
pub fn sku(tx: &ReadTx<'_>, seq: i64) -> Result<Option<String>> {
    tx.row("SELECT sku FROM skus WHERE seq = ?1", [seq], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_has_a_subject_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for &status in OrderStatus::ALL {
            for &payment in PaymentStatus::ALL {
                let dimension = status_dimension(status, payment);
                assert!(seen.insert(dimension));
                assert_eq!(status_entry(dimension), Some((status, payment)));
            }
        }
        assert_eq!(status_entry(PAYMENT_STATUSES - 1), None);
    }
}
