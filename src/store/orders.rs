//! Orders: keeping them, finding one, and pages of many.

mod filter;
mod list;
mod row;
mod stored_document;

pub use list::{count, looks_far, page};
pub use stored_document::{
    StoredDocument, document_by_external_ref, document_by_id, document_by_number, document_by_seq,
};

use super::{
    ReadTx, WriteTx,
    sql::{Key, breaks, failed, rows},
};
use crate::{
    domain::{
        id::OrderId,
        order::{Item, Order},
        pricing::{Line, LineTotals, Tax},
        rollup,
        time::Timestamp,
    },
    error::{Error, Result, problem},
};
use row::{read_item, read_order};
use rusqlite::{named_params, params};

/// What a new order is numbered by: the row that everything belonging to it refers to.
pub fn next_seq(tx: &WriteTx<'_>) -> i64 {
    tx.with_counters(|counters| {
        counters.order += 1;
        counters.order
    })
}

/// The next order number. Numbers have no gaps: one that is not kept in this transaction is given again.
pub fn next_number(tx: &WriteTx<'_>) -> i64 {
    tx.with_counters(|counters| {
        counters.number += 1;
        counters.number
    })
}

/// Adds an order with its items, and counts it. `DUPLICATE_EXTERNAL_REF` if its reference is in use.
pub fn insert(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
    tx.try_execute(
        "INSERT INTO orders (seq, id, number, status, payment_status, currency, user_id, external_ref, fees,
           subtotal_amount, order_discount_amount, discount_amount, fee_amount, tax_amount, total_amount, paid_amount,
           refunded_amount, customer, note, metadata, version, created_by, created_at, updated_at, placed_at,
           confirmed_at, fulfilled_at, cancelled_at, cancel_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
           ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
        params![
            order.seq,
            Key(order.id),
            order.number,
            order.status.name(),
            order.payment_status.name(),
            order.currency.code(),
            order.user_id.map(Key),
            order.external_ref,
            row::fees(&order.fees),
            order.totals.subtotal,
            order.order_discount_amount,
            order.totals.discount,
            order.totals.fee,
            order.totals.tax,
            order.totals.total,
            order.paid_amount,
            order.refunded_amount,
            row::customer(order.customer.as_ref()),
            order.note,
            row::metadata(&order.metadata),
            order.version,
            order.created_by,
            order.created_at.millis(),
            order.updated_at.millis(),
            order.placed_at.map(Timestamp::millis),
            order.confirmed_at.map(Timestamp::millis),
            order.fulfilled_at.map(Timestamp::millis),
            order.cancelled_at.map(Timestamp::millis),
            order.cancel_reason,
        ],
    )
    .map_err(taken_reference)?;
    insert_items(tx, order)?;
    count_in_figures(tx, order, 1);
    count_items(tx, order, 1);
    Ok(())
}

/// Replaces `before` by `after`, without its items, and counts the difference.
pub fn update(tx: &WriteTx<'_>, before: &Order, after: &Order) -> Result<()> {
    tx.try_execute(
        "UPDATE orders SET number = :number, status = :status, payment_status = :payment_status,
           external_ref = :external_ref, fees = :fees, subtotal_amount = :subtotal,
           order_discount_amount = :order_discount, discount_amount = :discount, fee_amount = :fee, tax_amount = :tax,
           total_amount = :total, paid_amount = :paid, refunded_amount = :refunded, customer = :customer, note = :note,
           metadata = :metadata, version = :version, updated_at = :updated_at, placed_at = :placed_at,
           confirmed_at = :confirmed_at, fulfilled_at = :fulfilled_at, cancelled_at = :cancelled_at,
           cancel_reason = :cancel_reason
         WHERE seq = :seq",
        named_params! {
            ":seq": after.seq, ":number": after.number, ":status": after.status.name(),
            ":payment_status": after.payment_status.name(), ":external_ref": after.external_ref,
            ":fees": row::fees(&after.fees), ":subtotal": after.totals.subtotal,
            ":order_discount": after.order_discount_amount, ":discount": after.totals.discount,
            ":fee": after.totals.fee, ":tax": after.totals.tax, ":total": after.totals.total,
            ":paid": after.paid_amount, ":refunded": after.refunded_amount,
            ":customer": row::customer(after.customer.as_ref()), ":note": after.note,
            ":metadata": row::metadata(&after.metadata), ":version": after.version,
            ":updated_at": after.updated_at.millis(), ":placed_at": after.placed_at.map(Timestamp::millis),
            ":confirmed_at": after.confirmed_at.map(Timestamp::millis),
            ":fulfilled_at": after.fulfilled_at.map(Timestamp::millis),
            ":cancelled_at": after.cancelled_at.map(Timestamp::millis), ":cancel_reason": after.cancel_reason,
        },
    )
    .map_err(taken_reference)?;
    count_in_figures(tx, before, -1);
    count_in_figures(tx, after, 1);
    if before.items != after.items || rollup::sells(before) != rollup::sells(after) {
        count_items(tx, before, -1);
        count_items(tx, after, 1);
    }
    Ok(())
}

/// Replaces the items of an order by the ones that it has now.
pub fn replace_items(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
    tx.execute("DELETE FROM order_items WHERE order_seq = ?1", [order.seq])?;
    insert_items(tx, order)
}

fn insert_items(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
    for (line, item) in (0_i64..).zip(&order.items) {
        let Item { id, line: Line { sku, name, quantity, unit_amount, discount_amount, tax }, totals } = item;
        let LineTotals { tax_amount, total_amount } = totals;
        let rate = if let Tax::Rate(rate) = tax { Some(rate.text()) } else { None };
        tx.execute(
            "INSERT INTO order_items (order_seq, line, id, sku, name, quantity, unit_amount, discount_amount, tax_rate,
               tax_amount, total_amount)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                order.seq,
                line,
                Key(*id),
                sku,
                name,
                quantity,
                unit_amount,
                discount_amount,
                rate,
                tax_amount,
                total_amount,
            ],
        )?;
    }
    Ok(())
}

fn taken_reference(e: rusqlite::Error) -> Error {
    if breaks(&e, "orders.external_ref") { Error::new(&problem::DUPLICATE_EXTERNAL_REF) } else { failed(e) }
}

fn count_in_figures(tx: &WriteTx<'_>, order: &Order, times: i64) {
    for sale in rollup::of_order(order) {
        tx.count_sale(sale, times);
    }
    if let Some(standing) = rollup::status_entry(order) {
        tx.count_standing(standing, times);
    }
}

fn count_items(tx: &WriteTx<'_>, order: &Order, times: i64) {
    for sale in rollup::of_items(order) {
        tx.count_item(sale, times);
    }
}

/// The order of this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<Order>> {
    one(tx, concat!(row::select!(), " WHERE id = ?1"), [Key(id)])
}

/// The order of this external reference.
pub fn by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<Order>> {
    one(tx, concat!(row::select!(), " WHERE external_ref = ?1"), [reference])
}

/// The order in this row.
pub fn by_seq(tx: &ReadTx<'_>, seq: i64) -> Result<Option<Order>> {
    one(tx, concat!(row::select!(), " WHERE seq = ?1"), [seq])
}

/// Orders after row `seq` in the order of their rows.
pub(super) fn after(tx: &ReadTx<'_>, seq: i64, limit: usize) -> Result<Vec<Order>> {
    let mut found =
        tx.rows(concat!(row::select!(), " WHERE seq > ?1 ORDER BY seq LIMIT ?2"), (seq, rows(limit)), read_order)?;
    for order in &mut found {
        order.items = tx.rows(row::ITEMS, [order.seq], read_item)?;
    }
    Ok(found)
}

fn one(tx: &ReadTx<'_>, sql: &str, params: impl rusqlite::Params) -> Result<Option<Order>> {
    let Some(mut order) = tx.row(sql, params, read_order)? else { return Ok(None) };
    order.items = tx.rows(row::ITEMS, [order.seq], read_item)?;
    Ok(Some(order))
}
