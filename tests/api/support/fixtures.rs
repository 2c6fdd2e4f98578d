//! Request bodies that many tests send.

use serde_json::{Value, json};

/// An order in EUR with these items, each `(sku, quantity, unit amount)`.
pub fn order_of(items: &[(&str, u64, u64)]) -> Value {
    let items = items.iter().map(|(sku, quantity, unit_amount)| {
        json!({"sku": sku, "name": sku, "quantity": quantity, "unit_amount": unit_amount})
    });
    json!({"currency": "EUR", "items": items.collect::<Vec<_>>()})
}

/// `body` with this member set to `value`.
pub fn with(mut body: Value, member: &str, value: impl Into<Value>) -> Value {
    body[member] = value.into();
    body
}
