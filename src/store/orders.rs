//! Orders: writing them, finding one, and pages of many.

mod blocks;
mod columns;
mod counts;
mod document_cache;
mod filter;
mod list;
mod numbers;
mod of_users;
mod row;

pub(super) use blocks::{SKU_BLOCK_BITS, sku_block_bits};
pub use counts::{Counts, counts, counts_of_user};
pub use document_cache::{DocumentCache, DocumentReader, FoundOrder, find_by_external_ref, find_by_id, find_by_number};
pub use list::{count, is_scan, page};
pub(super) use numbers::last_brought_along;
pub use numbers::{next_number, take_number};
pub(super) use of_users::{OF_USER, OF_USER_1};
pub use of_users::{count_of_user, rows_of_user};

use super::{
    ReadTx, WriteTx, personal,
    sql::{Columns, IdBlob, sql_int, store_error, violates},
};
use crate::{
    domain::{id::OrderId, order::Order, rollup, time::Timestamp},
    error::{Error, Result, problem},
};

/// The row number of the next order. It is also `order_seq` of everything that belongs to the order.
pub fn next_seq(tx: &WriteTx<'_>) -> i64 {
    tx.with_counters(|counters| {
        counters.order += 1;
        counters.order
    })
}

/// Inserts an order with its items and personal data, and adds it to the rollups.
///
/// # Errors
/// `DUPLICATE_EXTERNAL_REF` if another order has its reference.
pub fn insert(tx: &WriteTx<'_>, order: &mut Order) -> Result<()> {
    personal::keep_of_order(tx, order, None)?;
    columns::insert(tx, order).map_err(duplicate_reference)?;
    row::insert_parts(tx, order)?;
    of_users::add(tx, order.user_id, order.seq)?;
    count_order(tx, order, 1);
    count_taxes(tx, order, 1);
    count_items(tx, order, 1);
    Ok(())
}

/// Replaces `before` by `after`, and adds the difference to the rollups.
///
/// # Errors
/// `DUPLICATE_EXTERNAL_REF` if another order has its reference.
pub fn update(tx: &WriteTx<'_>, before: &Order, after: &mut Order) -> Result<()> {
    personal::keep_of_order(tx, after, Some(before))?;
    columns::update(tx, after).map_err(duplicate_reference)?;
    of_users::add_given(tx, before, after)?;
    if (&before.items, &before.taxes) != (&after.items, &after.taxes) {
        row::delete_parts(tx, after.seq)?;
        row::insert_parts(tx, after)?;
    }
    count_order(tx, before, -1);
    count_order(tx, after, 1);
    if (before.placed_at, before.cancelled_at, &before.taxes) != (after.placed_at, after.cancelled_at, &after.taxes) {
        count_taxes(tx, before, -1);
        count_taxes(tx, after, 1);
    }
    if before.items != after.items || rollup::sells(before) != rollup::sells(after) {
        count_items(tx, before, -1);
        count_items(tx, after, 1);
    }
    Ok(())
}

fn duplicate_reference(e: rusqlite::Error) -> Error {
    if violates(&e, "orders.external_ref") { Error::new(&problem::DUPLICATE_EXTERNAL_REF) } else { store_error(e) }
}

fn count_order(tx: &WriteTx<'_>, order: &Order, times: i64) {
    for sale in rollup::of_order(order) {
        tx.count_sale(sale, times);
    }
    if let Some(entry) = rollup::status_entry(order) {
        tx.count_status(entry, times);
    }
}

fn count_taxes(tx: &WriteTx<'_>, order: &Order, times: i64) {
    for sale in rollup::taxes_of_order(order) {
        tx.count_tax(sale, times);
    }
}

fn count_items(tx: &WriteTx<'_>, order: &Order, times: i64) {
    for sale in rollup::of_items(order) {
        tx.count_item(sale, times);
    }
}

/// The order with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<Order>> {
    one(tx, concat!(columns::select!(), " WHERE o.id = ?1"), [IdBlob(id)])
}

/// The order with this external reference.
pub fn by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<Order>> {
    one(tx, concat!(columns::select!(), " WHERE o.external_ref = ?1"), [reference])
}

/// The order with this number.
pub fn by_number(tx: &ReadTx<'_>, number: i64) -> Result<Option<Order>> {
    one(tx, concat!(columns::select!(), " WHERE o.number = ?1"), [number])
}

/// The order in this row.
pub fn by_seq(tx: &ReadTx<'_>, seq: i64) -> Result<Option<Order>> {
    one(tx, concat!(columns::select!(), " WHERE o.seq = ?1"), [seq])
}

/// The orders after row `seq`, in the order of their rows.
pub(super) fn after(tx: &ReadTx<'_>, seq: i64, limit: usize) -> Result<Vec<Order>> {
    let sql = concat!(columns::select!(), " WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2");
    let mut found = tx.rows(sql, (seq, sql_int(limit)), columns::read)?;
    for order in &mut found {
        row::read_parts(tx, order)?;
    }
    Ok(found)
}

/// Orders that ended long ago and have personal data, among some rows.
pub struct ToBeErased {
    /// The orders.
    pub orders: Vec<OrderId>,
    /// The last row that was looked at.
    pub looked_at: i64,
}

/// Looks at the `count` rows after row `seq` for orders that ended before `before` and have personal data; none if
/// there are no such rows.
pub fn to_be_erased(tx: &ReadTx<'_>, seq: i64, count: i64, before: Timestamp) -> Result<Option<ToBeErased>> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    if seq >= last {
        return Ok(None);
    }
    let sql =
        "SELECT o.id FROM orders o WHERE o.seq > ?1 AND o.seq <= ?2 AND coalesce(o.cancelled_at, o.fulfilled_at) < ?3
         AND EXISTS (SELECT 1 FROM events e JOIN personal p ON p.seq = e.personal_seq
           WHERE e.order_seq = o.seq AND p.content GLOB '{*')";
    let looked_at = seq.saturating_add(count);
    let orders = tx.rows(sql, (seq, looked_at, before.millis()), |row| Columns::of(row).id())?;
    Ok(Some(ToBeErased { orders, looked_at }))
}

fn one(tx: &ReadTx<'_>, sql: &str, params: impl rusqlite::Params) -> Result<Option<Order>> {
    let Some(mut order) = tx.row(sql, params, columns::read)? else { return Ok(None) };
    row::read_parts(tx, &mut order)?;
    Ok(Some(order))
}
