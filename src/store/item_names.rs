//! The names under which SKUs were sold. The name in the newest order counts: in the latest row, since rows are in the
//! order of creation. Orders that an import brought along are older than their rows, so that those are looked through
//! to the end and compared by the time of placing.

use super::{
    ReadTx,
    orders::{SKU_BLOCK_BITS, last_brought_along, sku_block_bits},
    sql::{optional, store_error},
};
use crate::{
    domain::{money::Currency, time::Timestamp},
    error::Result,
};

/// The orders among which [`newest`] looks for a name.
pub struct Candidates {
    from: Timestamp,
    to: Timestamp,
    /// The last row that an order placed in time can have.
    last_seq: i64,
    /// The last row that an import brought along.
    last_brought_along: i64,
}

/// The orders placed in `from..to`, both in seconds since the epoch.
pub fn candidates(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<Candidates> {
    let [from, to] = [from, to].map(Timestamp::from_seconds);
    let last_brought_along = last_brought_along(tx)?;
    let last_seq = last_created_before(tx, to)?.max(last_brought_along);
    Ok(Candidates { from, to, last_seq, last_brought_along })
}

/// The row of the last order created before `to`. An order in a later row was placed later, if no import brought it
/// along.
fn last_created_before(tx: &ReadTx<'_>, to: Timestamp) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    Ok(tx.first_since("SELECT created_at FROM orders WHERE seq = ?1", to, last + 1)? - 1)
}

/// The name of `sku` in the newest candidate of which not all came back, in this currency. The index has SKUs by blocks
/// of orders, which are searched from the newest on: the name of a SKU that sells often is in the first.
pub fn newest(tx: &ReadTx<'_>, sku: &str, currency: Currency, candidates: &Candidates) -> Result<Option<String>> {
    let mut newest: Option<(i64, String)> = None;
    for block in (0..=candidates.last_seq >> SKU_BLOCK_BITS).rev() {
        // Whatever was placed here is newer than all that an import brought along before.
        if newest.is_some() && (block + 1) << SKU_BLOCK_BITS > candidates.last_brought_along {
            break;
        }
        let is_placed_here = block << SKU_BLOCK_BITS > candidates.last_brought_along;
        let sql = if is_placed_here { BY_ROW } else { BY_TIME };
        let mut statement = tx.connection.prepare_cached(sql).map_err(store_error)?;
        let params = (block, sku, currency.code(), candidates.from.millis(), candidates.to.millis());
        let found = optional(statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?))))?;
        // Of names of the same time, the one of the newest row comes first.
        newest = match (newest, found) {
            (Some(newest), Some(found)) if found.0 > newest.0 => Some(found),
            (newest, found) => newest.or(found),
        };
    }
    Ok(newest.map(|(_, name)| name))
}

macro_rules! name_in_block {
    ($order:literal) => {
        concat!(
            "SELECT o.placed_at, i.name FROM order_items i CROSS JOIN orders o ON o.seq = i.order_seq
             WHERE i.order_seq >> ",
            sku_block_bits!(),
            " = ?1 AND i.sku = ?2 AND o.currency = ?3 AND o.status <> 'cancelled'
               AND i.returned_quantity < i.quantity
               AND o.placed_at >= ?4 AND o.placed_at < ?5
             ORDER BY ",
            $order,
            " LIMIT 1"
        )
    };
}

/// In a block with orders that an import brought along, every order with the SKU is looked at.
const BY_TIME: &str = name_in_block!("o.placed_at DESC, i.order_seq DESC, i.line DESC");
/// In other blocks the index has the newest order first.
const BY_ROW: &str = name_in_block!("i.order_seq DESC, i.line DESC");
