//! Orders, items and transactions compared with the history: an order's events determine every column of its rows.
//!
//! The events themselves are protected by their hash chain. Every column of a table is compared, so none can be
//! forgotten. A column that is missing in an event was added to the schema later, and is compared from the order's next
//! event on.

use super::{Check, unreadable};
use crate::{
    domain::{
        id::{Identifier, ItemId, OrderId, TransactionId, UserId},
        money::TaxRate,
        pricing::TaxLine,
        time::Timestamp,
        transaction::ReturnedItem,
    },
    error::{Error, Result},
    store::{
        ReadTx,
        events::document::{document, document_columns},
        sql::store_error,
        transactions::credits,
    },
};
use rusqlite::{Row, types::ValueRef};
use serde_json::{Map, Value, json};

const ORDERS: &str = "SELECT * FROM orders ORDER BY seq";
const EVENTS: &str = concat!(
    "SELECT e.type, e.occurred_at, e.personal_seq, ",
    document_columns!(),
    " FROM events e JOIN orders o ON o.seq = e.order_seq
     JOIN events f ON f.order_seq = e.order_seq AND f.version = 1 WHERE e.order_seq = ?1 ORDER BY e.version"
);
/// The first column of the document in it.
const DOCUMENT: usize = 3;
const ITEMS: RowsOfOrder =
    RowsOfOrder { name: "order_items", sql: "SELECT * FROM order_items WHERE order_seq = ?1 ORDER BY line" };
const TRANSACTIONS: RowsOfOrder = RowsOfOrder {
    name: "transactions",
    sql: "SELECT t.*, (SELECT p.id FROM transactions p WHERE p.seq = t.payment_seq) AS payment_id
          FROM transactions t WHERE t.order_seq = ?1 ORDER BY t.seq",
};

/// The column that refers to personal data.
const PERSONAL: &str = "personal_seq";

/// A table, and the statement that selects the rows of an order from it.
struct RowsOfOrder {
    name: &'static str,
    sql: &'static str,
}

/// Columns that locate a row and are not in documents.
const KEY_COLUMNS: [&str; 4] = ["seq", "order_seq", "line", "payment_seq"];
/// Columns with JSON text.
const JSON_COLUMNS: [&str; 2] = ["fees", "metadata"];

/// The first fault in each table.
#[derive(Default)]
struct Faults {
    orders: Option<String>,
    items: Option<String>,
    transactions: Option<String>,
}

/// A check for each table.
pub(super) fn checks(tx: &ReadTx<'_>) -> Result<[Check; 3]> {
    let mut faults = Faults::default();
    if let Err(e) = compare_all(tx, &mut faults) {
        faults.orders = Some(unreadable(e)?);
    }
    Ok([
        Check { name: "orders", fault: faults.orders },
        Check { name: "order_items", fault: faults.items },
        Check { name: "transactions", fault: faults.transactions },
    ])
}

fn compare_all(tx: &ReadTx<'_>, faults: &mut Faults) -> Result<()> {
    let mut orders = tx.connection.prepare(ORDERS).map_err(store_error)?;
    let mut rows = orders.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let seq: i64 = row.get("seq").map_err(store_error)?;
        match Expected::from_events(tx, seq) {
            Ok(expected) => expected.compare(tx, row, seq, faults)?,
            Err(e) => record_first(&mut faults.orders, &format!("row {seq}"), || Err(e))?,
        }
    }
    Ok(())
}

/// Records the fault that `find` finds, with its place, unless there is one already.
fn record_first(fault: &mut Option<String>, place: &str, find: impl FnOnce() -> Result<Option<String>>) -> Result<()> {
    if fault.is_none() {
        *fault = find().or_else(|e| unreadable(e).map(Some))?.map(|found| format!("{place}, {found}"));
    }
    Ok(())
}

type Document = Map<String, Value>;

/// The content of an order's rows according to its events.
struct Expected {
    /// The order's document; empty without events.
    order: Document,
    /// The documents of its transactions, in the order of recording.
    transactions: Vec<Document>,
}

impl Expected {
    fn from_events(tx: &ReadTx<'_>, seq: i64) -> Result<Self> {
        let mut statement = tx.connection.prepare_cached(EVENTS).map_err(store_error)?;
        let mut found = statement.query([seq]).map_err(store_error)?;
        // Only the last document of the order is parsed.
        let (mut last_document, mut last_transaction, mut transactions) = ("{}".to_owned(), None, vec![]);
        let mut personal = Value::Null;
        while let Some(event) = found.next().map_err(store_error)? {
            let text = |column| event.get_ref(column).map_err(store_error)?.as_str().map_err(Error::internal);
            let kind = text(0)?;
            let data = document(event, DOCUMENT).map_err(store_error)?;
            if kind.starts_with("order.") {
                last_document = data;
                personal = personal_row(event)?;
                last_transaction = None;
                if kind == "order.cancelled" {
                    drop_pending_credits(&mut transactions);
                }
            } else {
                let mut transaction = parse(&data)?;
                transaction.insert(PERSONAL.to_owned(), personal_row(event)?);
                let at: i64 = event.get(1).map_err(store_error)?;
                let order = transaction.remove("order").unwrap_or_default();
                last_transaction = Some((order, Timestamp::from_millis(at)));
                apply(&mut transactions, kind, transaction);
            }
        }
        let mut order = parse(&last_document)?;
        if !order.is_empty() {
            order.insert(PERSONAL.to_owned(), personal);
        }
        if let Some((changed, at)) = last_transaction {
            for column in ["version", "payment_status", "paid_amount", "refunded_amount", "credited_amount"] {
                order.insert(column.to_owned(), changed[column].clone());
            }
            order.insert("updated_at".to_owned(), at.to_string().into());
            count_returns(&mut order, &transactions);
        }
        Ok(Self { order, transactions })
    }

    /// Compares the rows of the order in row `seq` and records the first fault in each table.
    fn compare(&self, tx: &ReadTx<'_>, row: &Row<'_>, seq: i64, faults: &mut Faults) -> Result<()> {
        let items = self.order.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let items = items.iter().filter_map(Value::as_object);
        let place = format!("order row {seq}");
        record_first(&mut faults.orders, &format!("row {seq}"), || row_fault("orders", row, &self.order))?;
        record_first(&mut faults.items, &place, || rows_fault(tx, &ITEMS, seq, items))?;
        record_first(&mut faults.transactions, &place, || rows_fault(tx, &TRANSACTIONS, seq, self.transactions.iter()))
    }
}

/// The row of an event's personal data. The rows of an order and its transactions refer to the same.
fn personal_row(event: &Row<'_>) -> Result<Value> {
    event.get::<_, Option<i64>>(PERSONAL).map(Value::from).map_err(store_error)
}

fn parse(document: &str) -> Result<Document> {
    serde_json::from_str(document).map_err(Error::internal)
}

/// Adds a transaction, or replaces it after it was resolved.
fn apply(transactions: &mut Vec<Document>, kind: &str, transaction: Document) {
    let resolved = kind.ends_with(".updated");
    let mut earlier = transactions.iter_mut().rev().take_while(|_| resolved);
    match earlier.find(|earlier| earlier.get("id") == transaction.get("id")) {
        Some(earlier) => *earlier = transaction,
        None => transactions.push(transaction),
    }
}

/// A cancelled order owes nothing, so its pending refunds credit nothing. They have no event of their own for that.
fn drop_pending_credits(transactions: &mut [Document]) {
    for transaction in transactions {
        if is_refund(transaction, "pending") {
            for column in ["credit_amount", "credit_tax_amount"] {
                transaction.insert(column.to_owned(), 0.into());
            }
            transaction.insert("credit_taxes".to_owned(), Value::Array(vec![]));
        }
    }
}

/// Sets what the order shows of its succeeded refunds, since events of refunds do not repeat all of it.
fn count_returns(order: &mut Document, transactions: &[Document]) {
    let refunds = || transactions.iter().filter(|transaction| is_refund(transaction, "succeeded"));
    let tax: i64 = refunds().filter_map(|refund| refund.get("credit_tax_amount")?.as_i64()).sum();
    order.insert("credited_tax_amount".to_owned(), tax.into());
    for item in order.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        let returned = refunds().filter_map(|refund| refund.get("items")?.as_array()).flatten();
        let of_item = returned.filter(|part| part["item_id"] == item["id"]);
        item["returned_quantity"] = of_item.filter_map(|part| part["quantity"].as_i64()).sum::<i64>().into();
    }
}

fn is_refund(transaction: &Document, status: &str) -> bool {
    transaction.get("kind").is_some_and(|kind| kind == "refund")
        && transaction.get("status").is_some_and(|found| found == status)
}

/// The first fault in an order's rows of a table.
fn rows_fault<'e>(
    tx: &ReadTx<'_>,
    table: &RowsOfOrder,
    seq: i64,
    expected: impl Iterator<Item = &'e Document>,
) -> Result<Option<String>> {
    let mut statement = tx.connection.prepare_cached(table.sql).map_err(store_error)?;
    let mut rows = statement.query([seq]).map_err(store_error)?;
    let mut expected = (0_i64..).zip(expected);
    loop {
        match (rows.next().map_err(store_error)?, expected.next()) {
            (None, None) => return Ok(None),
            (Some(row), Some((place, expected))) => {
                let line = if table.name == "order_items" { row.get("line").map_err(store_error)? } else { place };
                if line != place {
                    return Ok(Some(format!("line {line}, stored {line}, recomputed {place}")));
                }
                if let Some(found) = row_fault(table.name, row, expected)? {
                    return Ok(Some(format!("line {place}, {found}")));
                }
            }
            (Some(_), None) => return Ok(Some("stored one more, recomputed nothing".to_owned())),
            (None, Some((place, _))) => return Ok(Some(format!("line {place}, stored nothing, recomputed one"))),
        }
    }
}

/// The first column of a row that differs from its document.
fn row_fault(table: &str, row: &Row<'_>, document: &Document) -> Result<Option<String>> {
    if document.is_empty() {
        return Ok(Some("stored one, recomputed nothing".to_owned()));
    }
    let statement = row.as_ref();
    for index in 0..statement.column_count() {
        let column = statement.column_name(index).map_err(store_error)?;
        let Some(expected) = document.get(column).filter(|_| !KEY_COLUMNS.contains(&column)) else { continue };
        let stored = as_json(table, column, row.get_ref(index).map_err(store_error)?)?;
        if *expected != stored {
            return Ok(Some(format!("column {column}, stored {stored}, recomputed {expected}")));
        }
    }
    Ok(None)
}

/// A column's value as it is in documents.
fn as_json(table: &str, column: &str, value: ValueRef<'_>) -> Result<Value> {
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
            match (table, column) {
                ("transactions", "credit_taxes") => {
                    return Ok(credits::parse_taxes(text).map_or_else(|| text.into(), taxes));
                }
                ("transactions", "items") => return Ok(credits::parse_items(text).map_or_else(|| text.into(), returns)),
                _ => {}
            }
            let document = if JSON_COLUMNS.contains(&column) { serde_json::from_str(text).ok() } else { None };
            document.unwrap_or_else(|| text.into())
        }
        ValueRef::Blob(bytes) => match <[u8; 16]>::try_from(bytes) {
            Ok(id) => identifier(table, column, id).into(),
            Err(_) => format!("{} bytes", bytes.len()).into(),
        },
    })
}

fn taxes(lines: Vec<TaxLine>) -> Value {
    let line = |line: TaxLine| {
        json!({"tax_rate": line.rate.map(|rate| rate.to_string()), "net_amount": line.net_amount,
            "tax_amount": line.tax_amount})
    };
    lines.into_iter().map(line).collect()
}

fn returns(items: Vec<ReturnedItem>) -> Value {
    let item = |item: ReturnedItem| json!({"item_id": item.item_id.to_string(), "quantity": item.quantity});
    items.into_iter().map(item).collect()
}

fn identifier(table: &str, column: &str, id: [u8; 16]) -> String {
    match (table, column) {
        (_, "user_id") => UserId::from_bytes(id).to_string(),
        ("orders", _) => OrderId::from_bytes(id).to_string(),
        ("order_items", _) => ItemId::from_bytes(id).to_string(),
        _ => TransactionId::from_bytes(id).to_string(),
    }
}
