//! The names under which SKUs were sold. Numbers are given when orders are placed, so the orders that were placed in some
//! days are a run of numbers, found by halving, and no index over times is needed.

use super::{
    ReadTx,
    sql::{failed, optional},
};
use crate::{
    domain::{money::Currency, time::Timestamp},
    error::Result,
};
use std::ops::RangeInclusive;

/// The numbers of the orders placed in `from..to`, both in seconds since the epoch.
pub fn numbers(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<RangeInclusive<i64>> {
    let last = "SELECT number FROM orders WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1";
    let end = tx.row(last, [], |row| row.get::<_, i64>(0))?.unwrap_or(0) + 1;
    let first =
        |at: i64| tx.first_since("SELECT placed_at FROM orders WHERE number = ?1", Timestamp::from_seconds(at), end);
    Ok(first(from)?..=first(to)? - 1)
}

/// The name that `sku` has in the newest order that was placed with it, in this currency, among those of these numbers
/// and made before `to` (in seconds since the epoch). The index has SKUs by blocks of orders, which are walked from the
/// newest; what is sold often is found in the first.
pub fn newest(
    tx: &ReadTx<'_>,
    (sku, currency): (&str, Currency),
    numbers: &RangeInclusive<i64>,
    last: i64,
) -> Result<Option<String>> {
    let sql = "SELECT i.name FROM order_items i CROSS JOIN orders o ON o.seq = i.order_seq
         WHERE i.order_seq >> 9 = ?1 AND i.sku = ?2 AND o.currency = ?3 AND o.status <> 'cancelled'
           AND o.number BETWEEN ?4 AND ?5
         ORDER BY i.order_seq DESC, i.line DESC LIMIT 1";
    let mut statement = tx.connection.prepare_cached(sql).map_err(failed)?;
    for block in (0..=last >> 9).rev() {
        let params = (block, sku, currency.code(), numbers.start(), numbers.end());
        let found = optional(statement.query_row(params, |row| row.get(0)))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The last row of orders that were made before `to`, in seconds since the epoch: none that was placed before then comes
/// after it.
pub fn newest_before(tx: &ReadTx<'_>, to: i64) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    let created = "SELECT created_at FROM orders WHERE seq = ?1";
    Ok(tx.first_since(created, Timestamp::from_seconds(to), last + 1)? - 1)
}
