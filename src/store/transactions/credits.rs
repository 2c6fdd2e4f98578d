//! The credit of a refund in its columns: `credit_taxes` is a JSON array of `[rate, net, tax]`, the rate in
//! ten-thousandths of a percent or null; `items` one of `[item, quantity, credit, tax in the credit]`, the item's
//! identifier in hexadecimal digits, or null without any.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_is_read_as_it_was_written() {
        let line = |parts: Option<i64>, net_amount, tax_amount| TaxLine {
            rate: parts.and_then(TaxRate::from_parts),
            net_amount,
            tax_amount,
        };
        let lines = vec![line(Some(190_000), 100, 19), line(Some(0), 5, 0), line(None, 3, 0)];
        assert_eq!(taxes(&lines), "[[190000,100,19],[0,5,0],[null,3,0]]");
        assert_eq!(parse_taxes(&taxes(&lines)), Some(lines));
        let one = ReturnedItem {
            item_id: ItemId::from_bytes([0x0a; 16]),
            quantity: 2,
            credit_amount: 119,
            credit_tax_amount: 19,
        };
        assert_eq!(items(&[one]).unwrap(), format!("[[\"{}\",2,119,19]]", "0a".repeat(16)));
        assert_eq!(parse_items(&items(&[one]).unwrap()), Some(vec![one]));
        assert_eq!((taxes(&[]), items(&[])), ("[]".to_owned(), None));
        assert_eq!((parse_taxes("[[1]]"), parse_items("[[\"x\",1,1,1]]")), (None, None));
    }
}
