//! The credit of a refund in its columns: `credit_taxes` is a JSON array of `[rate, net, tax]`, the rate in ten-thousandths
//! of a percent or null; `items` one of `[item, quantity, credit, tax in the credit]`, the item's identifier in hexadecimal
//! digits, or null without any.

use crate::domain::{
    id::{Identifier, ItemId},
    money::TaxRate,
    pricing::TaxLine,
    transaction::ReturnedItem,
};

type TaxRow = (Option<i64>, i64, i64);
type ItemRow = (String, i64, i64, i64);

pub(super) fn taxes(lines: &[TaxLine]) -> String {
    let rows = lines.iter().map(|line| (line.rate.map(TaxRate::parts), line.net_amount, line.tax_amount));
    json(&rows.collect::<Vec<TaxRow>>())
}

pub(in crate::store) fn parse_taxes(text: &str) -> Option<Vec<TaxLine>> {
    let rows: Vec<TaxRow> = serde_json::from_str(text).ok()?;
    let line = |(parts, net_amount, tax_amount): TaxRow| {
        let rate = match parts {
            Some(parts) => Some(TaxRate::from_parts(parts)?),
            None => None,
        };
        Some(TaxLine { rate, net_amount, tax_amount })
    };
    rows.into_iter().map(line).collect()
}

pub(super) fn items(items: &[ReturnedItem]) -> Option<String> {
    let row = |item: &ReturnedItem| (hex(item.item_id), item.quantity, item.credit_amount, item.credit_tax_amount);
    (!items.is_empty()).then(|| json(&items.iter().map(row).collect::<Vec<ItemRow>>()))
}

pub(in crate::store) fn parse_items(text: &str) -> Option<Vec<ReturnedItem>> {
    let rows: Vec<ItemRow> = serde_json::from_str(text).ok()?;
    let item = |(id, quantity, credit_amount, credit_tax_amount): ItemRow| {
        Some(ReturnedItem { item_id: parse_hex(&id)?, quantity, credit_amount, credit_tax_amount })
    };
    rows.into_iter().map(item).collect()
}

fn hex(id: ItemId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.bytes()))
}

fn parse_hex(text: &str) -> Option<ItemId> {
    u128::from_str_radix(text, 16).ok().map(|id| ItemId::from_bytes(id.to_be_bytes()))
}

fn json(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("numbers and text are JSON")
}
