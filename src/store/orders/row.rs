//! How an order and its items are written in columns.

use crate::{
    domain::{
        money::TaxRate,
        order::{Customer, Item, Order, OrderStatus},
        pricing::{Fee, Line, LineTotals, Tax, Totals},
        transaction::PaymentStatus,
    },
    store::sql::{Columns, damaged},
};
use rusqlite::Row;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Selects the columns that [`read_order`] reads, in its order.
macro_rules! select {
    () => {
        "SELECT seq, id, number, status, payment_status, currency, user_id, external_ref, fees, order_discount_amount,
           subtotal_amount, discount_amount, fee_amount, tax_amount, total_amount, paid_amount, refunded_amount, customer,
           note, metadata, version, created_by, created_at, updated_at, placed_at, confirmed_at, fulfilled_at,
           cancelled_at, cancel_reason FROM orders"
    };
}
pub(super) use select;

/// The items of an order, in the order of its lines.
pub(super) const ITEMS: &str = "SELECT id, sku, name, quantity, unit_amount, discount_amount, tax_rate, tax_amount,
    total_amount FROM order_items WHERE order_seq = ?1 ORDER BY line";

/// An order without its items.
pub(super) fn read_order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let mut columns = Columns::of(row);
    Ok(Order {
        seq: columns.take()?,
        id: columns.id()?,
        number: columns.take()?,
        status: columns.word(OrderStatus::parse)?,
        payment_status: columns.word(PaymentStatus::parse)?,
        currency: columns.currency()?,
        user_id: columns.id_or_none()?,
        external_ref: columns.take()?,
        items: vec![],
        fees: columns.word(read_fees)?,
        order_discount_amount: columns.take()?,
        totals: Totals {
            subtotal: columns.take()?,
            discount: columns.take()?,
            fee: columns.take()?,
            tax: columns.take()?,
            total: columns.take()?,
        },
        paid_amount: columns.take()?,
        refunded_amount: columns.take()?,
        customer: columns.take::<Option<String>>()?.map(|text| read_customer(&text)).transpose()?,
        note: columns.take()?,
        metadata: columns.word(read_metadata)?,
        version: columns.take()?,
        created_by: columns.take()?,
        created_at: columns.instant()?,
        updated_at: columns.instant()?,
        placed_at: columns.instant_or_none()?,
        confirmed_at: columns.instant_or_none()?,
        fulfilled_at: columns.instant_or_none()?,
        cancelled_at: columns.instant_or_none()?,
        cancel_reason: columns.take()?,
    })
}

/// An item of an order.
pub(super) fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let mut columns = Columns::of(row);
    let (id, sku, name) = (columns.id()?, columns.take()?, columns.take()?);
    let (quantity, unit_amount, discount_amount) = (columns.take()?, columns.take()?, columns.take()?);
    let rate: Option<String> = columns.take()?;
    let totals = LineTotals { tax_amount: columns.take()?, total_amount: columns.take()? };
    let tax = match rate {
        Some(rate) => Tax::Rate(TaxRate::parse(&rate).ok_or_else(|| damaged(6, &rate))?),
        None => Tax::Amount(totals.tax_amount),
    };
    Ok(Item { id, line: Line { sku, name, quantity, unit_amount, discount_amount, tax }, totals })
}

pub(super) fn fees(fees: &[Fee]) -> String {
    let list: Vec<_> = fees.iter().map(|fee| json!({"name": fee.name, "amount": fee.amount})).collect();
    Value::Array(list).to_string()
}

fn read_fees(text: &str) -> Option<Vec<Fee>> {
    if text == "[]" {
        return Some(vec![]);
    }
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    list.iter()
        .map(|fee| Some(Fee { name: fee["name"].as_str()?.to_owned(), amount: fee["amount"].as_i64()? }))
        .collect()
}

pub(super) fn customer(customer: Option<&Customer>) -> Option<String> {
    let Customer { name, email, phone, address } = customer?;
    Some(json!({"name": name, "email": email, "phone": phone, "address": address}).to_string())
}

fn read_customer(text: &str) -> rusqlite::Result<Customer> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|_| damaged(17, text))?;
    let field = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Customer { name: field("name"), email: field("email"), phone: field("phone"), address: field("address") })
}

pub(super) fn metadata(metadata: &BTreeMap<String, String>) -> String {
    if metadata.is_empty() { "{}".to_owned() } else { json!(metadata).to_string() }
}

fn read_metadata(text: &str) -> Option<BTreeMap<String, String>> {
    if text == "{}" { Some(BTreeMap::new()) } else { serde_json::from_str(text).ok() }
}
