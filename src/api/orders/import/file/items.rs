//! Rows of items, as an export of orders with `rows=items` writes them: one row for each item and each fee. They have
//! no payments, and of the times only that of placing.

use super::row::{Row, RowFault};
use crate::api::output::{export::Row as _, item_rows::ItemRow};
use serde_json::{Map, Value, json};

pub(super) const REQUIRED: &[&str] = &["number", "external_ref", "currency", "sku", "name", "quantity", "unit_amount"];

/// The columns that are the same in all rows of an order.
const OF_ORDER: &[&str] = ItemRow::COLUMNS.split_at(8).0;

pub(super) fn continues(first: Row<'_>, row: Row<'_>) -> bool {
    OF_ORDER.iter().all(|column| first.get(column) == row.get(column))
}

pub(super) fn order(rows: &[Row<'_>]) -> Result<Value, Vec<RowFault>> {
    let (mut faults, mut parts) = (vec![], Parts::default());
    for row in rows {
        let mut cells = Cells { row: *row, faults: &mut faults };
        if row.some("sku").is_none() && row.some("id").is_none() {
            parts.add_fee(&mut cells);
        } else {
            parts.add_item(&mut cells);
        }
    }
    let Some(first) = rows.first() else { return Err(faults) };
    let order = parts.order(&mut Cells { row: *first, faults: &mut faults });
    if faults.is_empty() { Ok(order) } else { Err(faults) }
}

/// The cells of a row. What cannot be read is noted.
struct Cells<'t, 'f> {
    row: Row<'t>,
    faults: &'f mut Vec<RowFault>,
}

impl<'t> Cells<'t, '_> {
    /// The text of a cell. The export puts an apostrophe before what a spreadsheet would run.
    fn text(&self, column: &str) -> Option<&'t str> {
        let text = self.row.some(column)?;
        let escaped = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
        Some(escaped.unwrap_or(text))
    }

    fn number(&mut self, column: &'static str) -> Option<i64> {
        let number = self.row.some(column)?.parse().ok();
        if number.is_none() {
            let detail = "must be a whole number, as in an export without style=excel".to_owned();
            self.faults.push(RowFault { column, detail });
        }
        number
    }

    fn amount(&mut self, column: &'static str) -> i64 {
        self.number(column).unwrap_or_default()
    }
}

/// The items and fees of an order, and the sums of their rows.
#[derive(Default)]
struct Parts {
    items: Vec<Value>,
    fees: Vec<FeeRow>,
    order_discount: i64,
    tax: i64,
    total: i64,
}

struct FeeRow {
    name: String,
    rate: Option<String>,
    tax: i64,
    total: i64,
}

impl Parts {
    fn add_sums(&mut self, cells: &mut Cells<'_, '_>) -> (i64, i64) {
        let (tax, total) = (cells.amount("tax_amount"), cells.amount("total_amount"));
        self.tax = self.tax.saturating_add(tax);
        self.total = self.total.saturating_add(total);
        (tax, total)
    }

    fn add_item(&mut self, cells: &mut Cells<'_, '_>) {
        let (tax, _) = self.add_sums(cells);
        let allocated = cells.amount("allocated_discount_amount");
        self.order_discount = self.order_discount.saturating_add(allocated);
        self.items.push(json!({
            "sku": cells.text("sku"), "name": cells.text("name"), "quantity": cells.number("quantity"),
            "unit_amount": cells.number("unit_amount"), "discount_amount": cells.amount("discount_amount"),
            "tax_rate": cells.text("tax_rate"), "tax_amount": tax,
        }));
    }

    fn add_fee(&mut self, cells: &mut Cells<'_, '_>) {
        let (tax, total) = self.add_sums(cells);
        let (name, rate) = (cells.text("name").unwrap_or("Fee").to_owned(), cells.text("tax_rate").map(str::to_owned));
        self.fees.push(FeeRow { name, rate, tax, total });
    }

    fn order(self, cells: &mut Cells<'_, '_>) -> Value {
        let prices_include_tax = cells.row.get("prices_include_tax") == "true";
        let fee = |FeeRow { name, rate, tax, total }: FeeRow| {
            let amount = if prices_include_tax { total } else { total.saturating_sub(tax) };
            json!({"name": name, "amount": amount, "tax_rate": rate, "tax_amount": tax})
        };
        let mut order = Map::new();
        let mut set = |name: &str, value: Value| drop(order.insert(name.to_owned(), value));
        set("external_ref", cells.text("external_ref").into());
        set("number", cells.number("number").into());
        set("currency", cells.text("currency").into());
        set("prices_include_tax", prices_include_tax.into());
        set("status", cells.row.some("status").unwrap_or("pending").into());
        set("placed_at", cells.row.some("placed_at").into());
        set("user_id", Value::Null);
        let (name, email) = (cells.text("customer_name"), cells.text("customer_email"));
        if name.is_some() || email.is_some() {
            set("customer", json!({"name": name, "email": email}));
        }
        set("items", self.items.into());
        set("fees", self.fees.into_iter().map(fee).collect());
        set("order_discount_amount", self.order_discount.into());
        set("total_amount", self.total.into());
        set("tax_amount", self.tax.into());
        Value::Object(order)
    }
}
