//! Conversions between parts of an order and the content of its columns, and the rows of its items and credits.

use crate::{
    domain::{
        id::Identifier,
        money::TaxRate,
        order::{Item, NetAndTax, Order, OrderFee, OrderTax, Returns},
        pricing::{Fee, FeeTotals, Line, LineTotals, Tax},
    },
    error::{Error, Result},
    store::{
        ReadTx, Values, WriteTx,
        sql::{Columns, invalid_column, sql_int},
    },
};
use rusqlite::{
    Row, params,
    types::{ToSqlOutput, ValueRef},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn fees(fees: &[OrderFee]) -> String {
    if fees.is_empty() {
        return "[]".to_owned();
    }
    let list = fees.iter().map(|OrderFee { fee, totals }| {
        json!({
            "name": fee.name,
            "amount": fee.amount,
            "tax_rate": fee.tax.rate().map(|rate| rate.to_string()),
            "tax_amount": totals.tax_amount,
            "total_amount": totals.total_amount,
        })
    });
    Value::Array(list.collect()).to_string()
}

pub(super) fn parse_fees(text: &str) -> Option<Vec<OrderFee>> {
    if text == "[]" {
        return Some(vec![]);
    }
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    let fee = |fee: &Value| {
        let totals = FeeTotals { tax_amount: fee["tax_amount"].as_i64()?, total_amount: fee["total_amount"].as_i64()? };
        let tax = match fee["tax_rate"].as_str() {
            Some(rate) => Tax::Rate(TaxRate::parse(rate)?),
            None => Tax::Amount(totals.tax_amount),
        };
        Some(OrderFee {
            fee: Fee { name: fee["name"].as_str()?.to_owned(), amount: fee["amount"].as_i64()?, tax },
            totals,
        })
    };
    list.iter().map(fee).collect()
}

pub(super) fn metadata(metadata: &BTreeMap<String, String>) -> String {
    if metadata.is_empty() { "{}".to_owned() } else { json!(metadata).to_string() }
}

pub(super) fn parse_metadata(text: &str) -> Option<BTreeMap<String, String>> {
    if text == "{}" { Some(BTreeMap::new()) } else { serde_json::from_str(text).ok() }
}

/// Inserts the items of an order, and what was credited of it.
pub(super) fn insert_parts(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
    insert_items(tx, order)?;
    order.taxes.iter().filter(|tax| tax.left() != tax.whole).try_for_each(|tax| insert_credits(tx, order.seq, tax))
}

/// Inserts the items of an order, one by one: SQLite copies the pages that a statement of many rows changes, so that it
/// can undo that statement alone.
fn insert_items(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
    for (line, item) in order.items.iter().enumerate() {
        tx.execute(INSERT_ITEM, Values(item_values(order.seq, sql_int(line), item).into_iter()))?;
    }
    Ok(())
}

const INSERT_ITEM: &str =
    "INSERT INTO order_items (order_seq, line, id, sku, name, quantity, returned_quantity, reserved_quantity,
       unit_amount, discount_amount, allocated_discount_amount, tax_rate, tax_amount, total_amount,
       credited_amount, credited_tax_amount)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The columns of an item, in the order of [`INSERT_ITEM`].
fn item_values(order_seq: i64, place: i64, item: &Item) -> [ToSqlOutput<'_>; 16] {
    let Item { id, line: Line { sku, name, quantity, unit_amount, discount_amount, tax }, totals, returns } = item;
    [
        order_seq.into(),
        place.into(),
        ToSqlOutput::Borrowed(ValueRef::Blob(id.bytes())),
        text(sku),
        text(name),
        (*quantity).into(),
        returns.quantity.into(),
        returns.reserved_quantity.into(),
        (*unit_amount).into(),
        (*discount_amount).into(),
        totals.allocated_discount_amount.into(),
        tax.rate().map_or(ToSqlOutput::Borrowed(ValueRef::Null), |rate| rate.parts().into()),
        totals.tax_amount.into(),
        totals.total_amount.into(),
        returns.credited_amount.into(),
        returns.credited_tax_amount.into(),
    ]
}

fn text(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn insert_credits(tx: &WriteTx<'_>, order_seq: i64, tax: &OrderTax) -> Result<()> {
    let OrderTax { whole, credited, reserved } = tax;
    tx.execute(
        "INSERT INTO order_credits (order_seq, tax_rate, net_amount, tax_amount, credited_net_amount, credited_tax_amount,
           reserved_net_amount, reserved_tax_amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            order_seq,
            rate_number(whole.rate),
            whole.net_amount,
            whole.tax_amount,
            credited.net_amount,
            credited.tax_amount,
            reserved.net_amount,
            reserved.tax_amount,
        ],
    )
    .map(drop)
}

/// Deletes the items and credits of an order.
pub(super) fn delete_parts(tx: &WriteTx<'_>, order_seq: i64) -> Result<()> {
    tx.execute("DELETE FROM order_credits WHERE order_seq = ?1", [order_seq])?;
    tx.execute("DELETE FROM order_items WHERE order_seq = ?1", [order_seq])?;
    Ok(())
}

/// Reads the items of an order, and its taxes with what was credited of them.
pub(super) fn read_parts(tx: &ReadTx<'_>, order: &mut Order) -> Result<()> {
    order.items = tx.rows(
        "SELECT id, sku, name, quantity, returned_quantity, reserved_quantity, unit_amount, discount_amount,
           allocated_discount_amount, tax_rate, tax_amount, total_amount, credited_amount, credited_tax_amount
         FROM order_items WHERE order_seq = ?1 ORDER BY line",
        [order.seq],
        read_item,
    )?;
    let taxes = order.tax_lines().ok_or_else(|| damaged_taxes(order))?;
    order.taxes = taxes.into_iter().map(OrderTax::uncredited).collect();
    let credits = tx.rows(
        "SELECT tax_rate, credited_net_amount, credited_tax_amount, reserved_net_amount, reserved_tax_amount
         FROM order_credits WHERE order_seq = ?1",
        [order.seq],
        read_credits,
    )?;
    for (rate, credited, reserved) in credits {
        let tax = order.taxes.iter_mut().find(|tax| tax.rate() == rate);
        let Some(tax) = tax else { return Err(damaged_taxes(order)) };
        (tax.credited, tax.reserved) = (credited, reserved);
    }
    Ok(())
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let mut columns = Columns::of(row);
    let (id, sku, name, quantity) = (columns.id()?, columns.take()?, columns.take()?, columns.take()?);
    let returned = (columns.take()?, columns.take()?);
    let (unit_amount, discount_amount, allocated_discount_amount) = (columns.take()?, columns.take()?, columns.take()?);
    let rate: Option<i64> = columns.take()?;
    let totals = LineTotals { allocated_discount_amount, tax_amount: columns.take()?, total_amount: columns.take()? };
    let tax = match rate {
        Some(parts) => Tax::Rate(rate_of(parts)?),
        None => Tax::Amount(totals.tax_amount),
    };
    let returns = Returns {
        quantity: returned.0,
        reserved_quantity: returned.1,
        credited_amount: columns.take()?,
        credited_tax_amount: columns.take()?,
    };
    Ok(Item { id, line: Line { sku, name, quantity, unit_amount, discount_amount, tax }, totals, returns })
}

fn read_credits(row: &Row<'_>) -> rusqlite::Result<(Option<TaxRate>, NetAndTax, NetAndTax)> {
    let mut columns = Columns::of(row);
    let number: i64 = columns.take()?;
    let rate = if number == WITHOUT_RATE { None } else { Some(rate_of(number)?) };
    let mut amounts = || -> rusqlite::Result<NetAndTax> {
        Ok(NetAndTax { net_amount: columns.take()?, tax_amount: columns.take()? })
    };
    Ok((rate, amounts()?, amounts()?))
}

/// The items, fees and credits of an order cannot have been written by this program.
fn damaged_taxes(order: &Order) -> Error {
    Error::internal(format!("the taxes of order row {} are damaged", order.seq))
}

/// `order_credits.tax_rate` of items and fees without a rate.
const WITHOUT_RATE: i64 = -1;

/// `order_credits.tax_rate`.
fn rate_number(rate: Option<TaxRate>) -> i64 {
    rate.map_or(WITHOUT_RATE, TaxRate::parts)
}

fn rate_of(parts: i64) -> rusqlite::Result<TaxRate> {
    TaxRate::from_parts(parts).ok_or_else(|| invalid_column(0, &parts.to_string()))
}
