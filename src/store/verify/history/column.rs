//! The value of a column as it is in documents.

use crate::{
    domain::{
        id::{Identifier, ItemId, OrderId, TransactionId, UserId},
        money::TaxRate,
        pricing::TaxLine,
        time::Timestamp,
        transaction::ReturnedItem,
    },
    error::{Error, Result},
    store::transactions::{parse_items, parse_taxes},
};
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

/// Columns with the JSON of documents.
const JSON_COLUMNS: [&str; 3] = ["fees", "customer", "metadata"];

/// A column's value as it is in documents.
pub(super) fn as_json(table: &str, column: &str, value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(millis) if column.ends_with("_at") => Timestamp::from_millis(millis).to_string().into(),
        ValueRef::Integer(flag) if column == "prices_include_tax" => (flag != 0).into(),
        ValueRef::Integer(parts) if column == "tax_rate" => {
            TaxRate::from_parts(parts).map(|rate| rate.to_string()).into()
        }
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(_) => {
            let text = value.as_str().map_err(Error::internal)?;
            let document = match column {
                "credit_taxes" => credit_taxes(text),
                "items" => returned_items(text),
                _ if JSON_COLUMNS.contains(&column) => serde_json::from_str(text).ok(),
                _ => None,
            };
            document.unwrap_or_else(|| text.into())
        }
        ValueRef::Blob(bytes) => match <[u8; 16]>::try_from(bytes) {
            Ok(id) => identifier(table, column, id).into(),
            Err(_) => format!("{} bytes", bytes.len()).into(),
        },
    })
}

/// The credit of a refund by rate.
fn credit_taxes(text: &str) -> Option<Value> {
    let line = |line: TaxLine| {
        let rate = line.rate.map(|rate| rate.to_string());
        json!({"tax_rate": rate, "net_amount": line.net_amount, "tax_amount": line.tax_amount})
    };
    Some(parse_taxes(text)?.into_iter().map(line).collect())
}

/// The goods that came back with a refund.
fn returned_items(text: &str) -> Option<Value> {
    let item = |item: ReturnedItem| {
        json!({"item_id": item.item_id.to_string(), "quantity": item.quantity, "credit_amount": item.credit_amount,
            "credit_tax_amount": item.credit_tax_amount})
    };
    Some(parse_items(text)?.into_iter().map(item).collect())
}

fn identifier(table: &str, column: &str, id: [u8; 16]) -> String {
    match (table, column) {
        (_, "user_id") => UserId::from_bytes(id).to_string(),
        ("orders", _) => OrderId::from_bytes(id).to_string(),
        ("order_items", _) => ItemId::from_bytes(id).to_string(),
        _ => TransactionId::from_bytes(id).to_string(),
    }
}
