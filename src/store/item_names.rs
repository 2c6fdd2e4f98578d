//! The names under which SKUs were sold. Order numbers are given when orders are placed, so the orders placed in a
//! range of time have consecutive numbers. The range is found by binary search, without an index on times.

use super::{
    ReadTx,
    orders::{SKU_BLOCK_BITS, sku_block_bits},
    sql::{optional, store_error},
};
use crate::{
    domain::{money::Currency, time::Timestamp},
    error::Result,
};
use std::ops::RangeInclusive;

/// The orders among which [`newest`] looks for a name.
pub struct Candidates {
    numbers: RangeInclusive<i64>,
    /// The last row that an order placed in time can have.
    last_seq: i64,
}

/// The orders placed in `from..to`, both in seconds since the epoch.
pub fn candidates(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<Candidates> {
    Ok(Candidates { numbers: numbers(tx, from, to)?, last_seq: last_created_before(tx, to)? })
}

fn numbers(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<RangeInclusive<i64>> {
    let last = "SELECT number FROM orders WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1";
    let end = tx.row(last, [], |row| row.get::<_, i64>(0))?.unwrap_or(0) + 1;
    let first =
        |at: i64| tx.first_since("SELECT placed_at FROM orders WHERE number = ?1", Timestamp::from_seconds(at), end);
    Ok(first(from)?..=first(to)? - 1)
}

/// The row of the last order created before `to`, in seconds since the epoch. An order in a later row was placed later.
fn last_created_before(tx: &ReadTx<'_>, to: i64) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    let created = "SELECT created_at FROM orders WHERE seq = ?1";
    Ok(tx.first_since(created, Timestamp::from_seconds(to), last + 1)? - 1)
}

/// The name of `sku` in the newest candidate of which not all came back, in this currency. The index has SKUs by blocks of orders,
/// which are searched from the newest on: the name of a SKU that sells often is in the first.
pub fn newest(tx: &ReadTx<'_>, sku: &str, currency: Currency, candidates: &Candidates) -> Result<Option<String>> {
    let sql = concat!(
        "SELECT i.name FROM order_items i CROSS JOIN orders o ON o.seq = i.order_seq
         WHERE i.order_seq >> ",
        sku_block_bits!(),
        " = ?1 AND i.sku = ?2 AND o.currency = ?3 AND o.status <> 'cancelled'
           AND i.returned_quantity < i.quantity
           AND o.number BETWEEN ?4 AND ?5
         ORDER BY i.order_seq DESC, i.line DESC LIMIT 1"
    );
    let mut statement = tx.connection.prepare_cached(sql).map_err(store_error)?;
    for block in (0..=candidates.last_seq >> SKU_BLOCK_BITS).rev() {
        let params = (block, sku, currency.code(), candidates.numbers.start(), candidates.numbers.end());
        let found = optional(statement.query_row(params, |row| row.get(0)))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
