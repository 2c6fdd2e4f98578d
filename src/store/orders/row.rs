//! Conversions between parts of an order and the content of its columns, and the rows of its items.

use crate::{
    domain::{
        money::TaxRate,
        order::{Customer, Item, Order},
        pricing::{Fee, Line, LineTotals, Tax},
    },
    error::Result,
    store::{
        ReadTx, WriteTx,
        sql::{Columns, IdBlob, invalid_column},
    },
};
use rusqlite::{Row, params};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn fees(fees: &[Fee]) -> String {
    let list: Vec<_> = fees.iter().map(|fee| json!({"name": fee.name, "amount": fee.amount})).collect();
    Value::Array(list).to_string()
}

pub(super) fn parse_fees(text: &str) -> Option<Vec<Fee>> {
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

pub(super) fn parse_customer(text: &str) -> Option<Customer> {
    let map: Map<String, Value> = serde_json::from_str(text).ok()?;
    let field = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Customer { name: field("name"), email: field("email"), phone: field("phone"), address: field("address") })
}

pub(super) fn metadata(metadata: &BTreeMap<String, String>) -> String {
    if metadata.is_empty() { "{}".to_owned() } else { json!(metadata).to_string() }
}

pub(super) fn parse_metadata(text: &str) -> Option<BTreeMap<String, String>> {
    if text == "{}" { Some(BTreeMap::new()) } else { serde_json::from_str(text).ok() }
}

pub(super) fn insert_items(tx: &WriteTx<'_>, order: &Order) -> Result<()> {
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
                IdBlob(*id),
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

pub(super) fn items(tx: &ReadTx<'_>, order_seq: i64) -> Result<Vec<Item>> {
    let sql = "SELECT id, sku, name, quantity, unit_amount, discount_amount, tax_rate, tax_amount,
        total_amount FROM order_items WHERE order_seq = ?1 ORDER BY line";
    tx.rows(sql, [order_seq], read_item)
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let mut columns = Columns::of(row);
    let (id, sku, name) = (columns.id()?, columns.take()?, columns.take()?);
    let (quantity, unit_amount, discount_amount) = (columns.take()?, columns.take()?, columns.take()?);
    let rate: Option<String> = columns.take()?;
    let totals = LineTotals { tax_amount: columns.take()?, total_amount: columns.take()? };
    let tax = match rate {
        Some(rate) => Tax::Rate(TaxRate::parse(&rate).ok_or_else(|| invalid_column(6, &rate))?),
        None => Tax::Amount(totals.tax_amount),
    };
    Ok(Item { id, line: Line { sku, name, quantity, unit_amount, discount_amount, tax }, totals })
}
