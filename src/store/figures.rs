//! The summaries: what a transaction changes in them is written to a log, the log is added to them once it is long
//! enough, and a report reads both. What is asked of them is a sum over buckets of time; what they are made of is in
//! `ledger`.

mod ledger;
mod log;
mod ranking;
mod totals;

pub use ledger::{Ledger, Values};
pub(super) use ledger::{Part, Place};
pub(super) use log::Log;
pub use ranking::{Rank, Ranked, Ranking, Rankings};
pub use totals::{Summed, Totals};

use super::{
    ReadTx,
    sql::{Key, damaged},
};
use crate::{
    domain::{
        calendar::{Run, SPANS, bucket},
        figures::{ItemSale, ItemSums, Sale, Standing, Sums},
        id::UserId,
        money::Currency,
        order::OrderStatus,
        transaction::PaymentStatus,
    },
    error::{Error, Result},
};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// The width of the buckets in the log: the narrowest.
pub(super) const FINEST: i64 = SPANS[SPANS.len() - 1];

/// Sums by their places.
type Entries = BTreeMap<Place, Values>;

/// Writes what a transaction counted to the log: each, as often as it says (−1 takes it out).
pub(super) fn write(
    connection: &Connection,
    log: &mut Log,
    sales: &[(Sale, i64)],
    standings: &[(Standing, i64)],
    items: &[(ItemSale, i64)],
) -> rusqlite::Result<()> {
    if sales.is_empty() && standings.is_empty() && items.is_empty() {
        return Ok(());
    }
    let [mut all, mut users, mut statuses, mut sold] = [const { Entries::new() }; 4];
    for (Sale { at, currency, user_id, sums }, times) in sales {
        let place = |subject| Place { bucket: bucket(FINEST, *at), currency: *currency, subject };
        add(&mut all, place(0), sale_values(sums), *times);
        add(&mut users, place(user_subject(connection, *user_id)?), user_values(sums), *times);
    }
    for (standing, times) in standings {
        let subject = standing_subject(standing.status, standing.payment_status);
        let place = Place { bucket: bucket(FINEST, standing.at), currency: standing.currency, subject };
        add(&mut statuses, place, widened(&[1, standing.total.into()]), *times);
    }
    for (ItemSale { at, sku, currency, sums }, times) in items {
        let place = Place { bucket: bucket(FINEST, *at), currency: *currency, subject: item_subject(connection, sku)? };
        add(&mut sold, place, widened(&[sums.quantity, sums.orders, sums.total]), *times);
    }
    log.append(connection, &[all, users, statuses, sold])
}

fn add(entries: &mut Entries, place: Place, values: Values, times: i64) {
    let sums = entries.entry(place).or_default();
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

fn user_subject(connection: &Connection, user: Option<UserId>) -> rusqlite::Result<i64> {
    let Some(user) = user else { return Ok(0) };
    connection.prepare_cached("SELECT seq FROM users WHERE id = ?1")?.query_row([Key(user)], |row| row.get(0))
}

/// The number of `sku`, which it is given if it has none.
fn item_subject(connection: &Connection, sku: &str) -> rusqlite::Result<i64> {
    let mut known = connection.prepare_cached("SELECT seq FROM skus WHERE sku = ?1")?;
    match known.query_row([sku], |row| row.get(0)).optional()? {
        Some(subject) => Ok(subject),
        None => connection
            .prepare_cached("INSERT INTO skus (sku) VALUES (?1) RETURNING seq")?
            .query_row([sku], |row| row.get(0)),
    }
}

/// Payment statuses are numbered within statuses, with room for more of them.
const PAYMENT_STATUSES: i64 = 16;

/// The subject of orders that stand like this.
fn standing_subject(status: OrderStatus, payment_status: PaymentStatus) -> i64 {
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

/// How orders of this subject stand, if there is such a subject.
pub fn standing(subject: i64) -> Option<(OrderStatus, PaymentStatus)> {
    let all =
        OrderStatus::ALL.iter().flat_map(|&status| PaymentStatus::ALL.iter().map(move |&payment| (status, payment)));
    all.into_iter().find(|&(status, payment)| standing_subject(status, payment) == subject)
}

/// Shows `visit` what orders and money come to in each bucket of a run and each currency, without what is in the log.
pub fn sales(tx: &ReadTx<'_>, run: Run, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    each(tx, Ledger::Sales, run, |place, part| visit(place.bucket, place.currency, &sale_sums(&part.map(i128::from))))
}

/// Shows `visit` what the log says of orders and money: when, in seconds since the epoch, and in which currency.
pub fn logged_sales(tx: &ReadTx<'_>, mut visit: impl FnMut(i64, Currency, &Sums)) -> Result<()> {
    logged(tx, Ledger::Sales, |place, part| {
        visit(place.bucket * FINEST, place.currency, &sale_sums(&part.map(i128::from)));
    })
}

/// `figures.key` of a bucket.
fn key_of(ledger: Ledger, span: i64, bucket: i64) -> i64 {
    debug_assert!(SPANS.contains(&span), "{span}");
    let ledger = Ledger::ALL.iter().position(|other| *other == ledger).unwrap_or_default();
    let span = SPANS.iter().position(|other| *other == span).unwrap_or_default();
    let [ledger, span] = [ledger, span].map(|number| i64::try_from(number).unwrap_or_default());
    let bucket = bucket.clamp(i32::MIN.into(), i32::MAX.into()) - i64::from(i32::MIN);
    ledger << 34 | span << 32 | bucket
}

/// Shows `visit` each entry in the buckets of a run, without what is in the log.
pub(super) fn each(tx: &ReadTx<'_>, ledger: Ledger, run: Run, mut visit: impl FnMut(&Place, &Part)) -> Result<()> {
    tx.each(
        "SELECT bucket, sums FROM figures WHERE key BETWEEN ?1 AND ?2",
        (key_of(ledger, run.span, run.first), key_of(ledger, run.span, run.last)),
        |row| {
            let (bucket, mut elsewhere): (i64, _) = (row.get(0)?, false);
            let read = ledger::each(ledger, row.get_ref(1)?.as_blob()?, |place, part| {
                elsewhere |= place.bucket != bucket;
                visit(place, part);
            });
            if elsewhere || read.is_err() {
                return Err(damaged(1, "no sums of this bucket"));
            }
            Ok(())
        },
    )
}

/// Shows `visit` each entry of the log that is not in the sums.
pub(super) fn logged(tx: &ReadTx<'_>, ledger: Ledger, visit: impl FnMut(&Place, &Part)) -> Result<()> {
    let folded = tx.row("SELECT seq FROM figure_folds WHERE ledger = ?1", [ledger.name()], |row| row.get(0))?;
    let folded = folded.ok_or_else(|| Error::internal("a ledger that says not what is in its sums"))?;
    logged_after(tx, ledger, folded, visit)
}

/// Shows `visit` each entry of the log that comes after a row of it.
fn logged_after(tx: &ReadTx<'_>, ledger: Ledger, seq: i64, mut visit: impl FnMut(&Place, &Part)) -> Result<()> {
    tx.each(&format!("SELECT {} FROM figure_log WHERE seq > ?1", ledger.name()), [seq], |row| {
        ledger::each(ledger, row.get_ref(0)?.as_blob()?, &mut visit).map_err(|_| damaged(0, "no sums"))
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
                let subject = standing_subject(status, payment);
                assert!(seen.insert(subject));
                assert_eq!(standing(subject), Some((status, payment)));
            }
        }
        assert_eq!(standing(PAYMENT_STATUSES - 1), None);
    }
}
