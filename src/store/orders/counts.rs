//! How many orders there are by status and payment status.

use super::of_users::OF_USER_1;
use crate::{
    domain::{id::UserId, order::OrderStatus, transaction::PaymentStatus},
    error::{Error, Result},
    store::{
        ReadTx,
        rollups::{self, Rollup, Totals, TotalsQuery},
        sql::{Columns, IdBlob},
    },
};
use rusqlite::Row;
use std::collections::BTreeMap;

/// The number of orders with this status and payment status.
pub type Counts = BTreeMap<(OrderStatus, PaymentStatus), i64>;

/// From 1970 to the end of the year 9999, in seconds.
const ALL_TIME: (i64, i64) = (0, 253_402_300_800);

/// Counts all orders. Orders that are pending, confirmed or fulfilled were placed, and a rollup has their number.
/// Drafts and cancelled orders may never have been placed; they are few, and are counted one by one.
pub fn counts(tx: &ReadTx<'_>) -> Result<Counts> {
    let query = TotalsQuery { rollup: Rollup::Statuses, range: ALL_TIME, currency: None };
    let mut counts = Counts::new();
    for (_, dimension, [orders, ..]) in Totals::read(tx, &query)?.iter() {
        let pair = rollups::statuses(dimension).ok_or_else(|| Error::internal("a rollup of unknown statuses"))?;
        if !matches!(pair.0, OrderStatus::Draft | OrderStatus::Cancelled) {
            *counts.entry(pair).or_default() += i64::try_from(orders).map_err(Error::internal)?;
        }
    }
    for status in [OrderStatus::Draft, OrderStatus::Cancelled] {
        let sql = "SELECT status, payment_status, count(*) FROM orders INDEXED BY orders_by_status WHERE status = ?1
             GROUP BY payment_status";
        counts.extend(tx.rows(sql, [status.name()], read)?);
    }
    Ok(counts)
}

/// Counts the orders of a user.
pub fn counts_of_user(tx: &ReadTx<'_>, user: UserId) -> Result<Counts> {
    let sql = format!(
        "SELECT o.status, o.payment_status, count(*) FROM orders_of_users u CROSS JOIN orders o ON o.seq = u.order_seq
         WHERE {OF_USER_1} GROUP BY o.status, o.payment_status"
    );
    Ok(tx.rows(&sql, [IdBlob(user)], read)?.into_iter().collect())
}

fn read(row: &Row<'_>) -> rusqlite::Result<((OrderStatus, PaymentStatus), i64)> {
    let mut columns = Columns::of(row);
    Ok(((columns.parsed(OrderStatus::parse)?, columns.parsed(PaymentStatus::parse)?), columns.take()?))
}
