//! Orders, items and transactions against the history: an order's events say what every column of its rows has to be now.
//! The events themselves are covered by their chain. Columns are taken as they come, so that none is forgotten; one that
//! an event does not know was added after it, and is looked at from the order's next event on.

use super::{Check, unreadable};
use crate::{
    domain::{
        id::{Identifier, ItemId, OrderId, TransactionId, UserId},
        time::Timestamp,
    },
    error::{Error, Result},
    store::{ReadTx, sql::failed},
};
use rusqlite::{Row, types::ValueRef};
use serde_json::{Map, Value};

const ORDERS: &str = "SELECT * FROM orders ORDER BY seq";
const EVENTS: &str = "SELECT type, occurred_at, data FROM events WHERE order_seq = ?1 ORDER BY version";
const ITEMS: &str = "SELECT * FROM order_items WHERE order_seq = ?1 ORDER BY line";
const TRANSACTIONS: &str = "SELECT t.*, (SELECT p.id FROM transactions p WHERE p.seq = t.payment_seq) AS payment_id
    FROM transactions t WHERE t.order_seq = ?1 ORDER BY t.seq";
/// Columns that say where a row is and not what it says.
const PLACES: [&str; 4] = ["seq", "order_seq", "line", "payment_seq"];
/// Columns of JSON text.
const DOCUMENTS: [&str; 3] = ["fees", "customer", "metadata"];

/// The first fault of each kind of row.
#[derive(Default)]
struct Faults {
    orders: Option<String>,
    items: Option<String>,
    transactions: Option<String>,
}

/// A check for each kind of row.
pub(super) fn checks(tx: &ReadTx<'_>) -> Result<[Check; 3]> {
    let mut faults = Faults::default();
    if let Err(e) = look_at_all(tx, &mut faults) {
        faults.orders = Some(unreadable(e)?);
    }
    Ok([
        Check { name: "orders", fault: faults.orders },
        Check { name: "order_items", fault: faults.items },
        Check { name: "transactions", fault: faults.transactions },
    ])
}

fn look_at_all(tx: &ReadTx<'_>, faults: &mut Faults) -> Result<()> {
    let mut orders = tx.connection.prepare(ORDERS).map_err(failed)?;
    let mut rows = orders.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let seq: i64 = row.get("seq").map_err(failed)?;
        match Told::of(tx, seq) {
            Ok(told) => told.compare(tx, (row, seq), faults)?,
            Err(e) => keep(&mut faults.orders, &format!("row {seq}"), || Err(e))?,
        }
    }
    Ok(())
}

/// Keeps the first fault of a kind, with its place; looks no further once there is one.
fn keep(fault: &mut Option<String>, place: &str, look: impl FnOnce() -> Result<Option<String>>) -> Result<()> {
    if fault.is_none() {
        *fault = look().or_else(|e| unreadable(e).map(Some))?.map(|found| format!("{place}, {found}"));
    }
    Ok(())
}

type Document = Map<String, Value>;

/// What the events of an order say.
struct Told {
    /// The order, as it has to be now; empty without events.
    order: Document,
    /// Its transactions, in the order in which they were recorded.
    transactions: Vec<Document>,
}

impl Told {
    fn of(tx: &ReadTx<'_>, seq: i64) -> Result<Self> {
        let mut statement = tx.connection.prepare_cached(EVENTS).map_err(failed)?;
        let mut events = statement.query([seq]).map_err(failed)?;
        // Only the last document of the order is worth parsing.
        let (mut document, mut later, mut transactions) = ("{}".to_owned(), None, vec![]);
        while let Some(event) = events.next().map_err(failed)? {
            let text = |column| event.get_ref(column).map_err(failed)?.as_str().map_err(Error::internal);
            let (kind, data) = (text(0)?, text(2)?);
            if kind.starts_with("order.") {
                data.clone_into(&mut document);
                later = None;
            } else {
                let mut told = parse(data)?;
                let at: i64 = event.get(1).map_err(failed)?;
                later = Some((told.remove("order").unwrap_or_default(), Timestamp::from_millis(at)));
                remember(&mut transactions, kind, told);
            }
        }
        let mut order = parse(&document)?;
        if let Some((money, at)) = later {
            for column in ["version", "payment_status", "paid_amount", "refunded_amount"] {
                order.insert(column.to_owned(), money[column].clone());
            }
            order.insert("updated_at".to_owned(), at.to_string().into());
        }
        Ok(Self { order, transactions })
    }

    /// Looks for the first fault of each kind in the rows of the order in row `seq`.
    fn compare(&self, tx: &ReadTx<'_>, (row, seq): (&Row<'_>, i64), faults: &mut Faults) -> Result<()> {
        let items = self.order.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let items = items.iter().filter_map(Value::as_object);
        let place = format!("order row {seq}");
        keep(&mut faults.orders, &format!("row {seq}"), || differing("orders", row, &self.order))?;
        keep(&mut faults.items, &place, || list_differs(tx, (ITEMS, "order_items"), seq, items))?;
        let transactions = self.transactions.iter();
        keep(&mut faults.transactions, &place, || list_differs(tx, (TRANSACTIONS, "transactions"), seq, transactions))
    }
}

fn parse(document: &str) -> Result<Document> {
    serde_json::from_str(document).map_err(Error::internal)
}

/// A transaction that was resolved takes the place of what was known of it.
fn remember(transactions: &mut Vec<Document>, kind: &str, told: Document) {
    let resolved = kind.ends_with(".updated");
    let mut known = transactions.iter_mut().rev().take_while(|_| resolved);
    match known.find(|known| known.get("id") == told.get("id")) {
        Some(known) => *known = told,
        None => transactions.push(told),
    }
}

/// The first of an order's rows in a table that is not as `told`.
fn list_differs<'t>(
    tx: &ReadTx<'_>,
    (sql, table): (&str, &str),
    seq: i64,
    told: impl Iterator<Item = &'t Document>,
) -> Result<Option<String>> {
    let mut statement = tx.connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([seq]).map_err(failed)?;
    let mut told = (0_i64..).zip(told);
    loop {
        match (rows.next().map_err(failed)?, told.next()) {
            (None, None) => return Ok(None),
            (Some(row), Some((place, told))) => {
                let line = if table == "order_items" { row.get("line").map_err(failed)? } else { place };
                if line != place {
                    return Ok(Some(format!("line {line}, stored {line}, recomputed {place}")));
                }
                if let Some(found) = differing(table, row, told)? {
                    return Ok(Some(format!("line {place}, {found}")));
                }
            }
            (Some(_), None) => return Ok(Some("stored one more, recomputed nothing".to_owned())),
            (None, Some((place, _))) => return Ok(Some(format!("line {place}, stored nothing, recomputed one"))),
        }
    }
}

/// The first column of a row that is not as `told`.
fn differing(table: &str, row: &Row<'_>, told: &Document) -> Result<Option<String>> {
    if told.is_empty() {
        return Ok(Some("stored one, recomputed nothing".to_owned()));
    }
    let statement = row.as_ref();
    for index in 0..statement.column_count() {
        let column = statement.column_name(index).map_err(failed)?;
        let Some(told) = told.get(column).filter(|_| !PLACES.contains(&column)) else { continue };
        let stored = shown(table, column, row.get_ref(index).map_err(failed)?)?;
        if *told != stored {
            return Ok(Some(format!("column {column}, stored {stored}, recomputed {told}")));
        }
    }
    Ok(None)
}

/// A column's value as documents show it.
fn shown(table: &str, column: &str, value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(millis) if column.ends_with("_at") => Timestamp::from_millis(millis).to_string().into(),
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(_) => {
            let text = value.as_str().map_err(Error::internal)?;
            let document = if DOCUMENTS.contains(&column) { serde_json::from_str(text).ok() } else { None };
            document.unwrap_or_else(|| text.into())
        }
        ValueRef::Blob(bytes) => match <[u8; 16]>::try_from(bytes) {
            Ok(id) => identifier(table, column, id).into(),
            Err(_) => format!("{} bytes", bytes.len()).into(),
        },
    })
}

fn identifier(table: &str, column: &str, id: [u8; 16]) -> String {
    match (table, column) {
        (_, "user_id") => UserId::from_bytes(id).to_string(),
        ("orders", _) => OrderId::from_bytes(id).to_string(),
        ("order_items", _) => ItemId::from_bytes(id).to_string(),
        _ => TransactionId::from_bytes(id).to_string(),
    }
}
