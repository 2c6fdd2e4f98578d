//! The same rows by bare SQLite: those of a real order, copied with fresh numbers, identifiers and keys. Nothing is
//! computed for them. The summaries can be kept too, as the program keeps them: each of their rows once a transaction.

use crate::{
    TIME,
    shop::{Outcome, Tally},
};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::{collections::BTreeSet, path::Path, time::Instant};

/// The tables that an order is written to.
const TABLES: [&str; 4] = ["orders", "order_items", "events", "idempotency_keys"];
/// The tables that it is counted in, and what their rows are found by.
const SUMMARIES: [&str; 4] = ["sales", "status_sales", "user_sales", "item_sales"];
const KEYS: [&str; 8] = ["span", "bucket", "day", "currency", "user_id", "sku", "status", "payment_status"];
/// How many customers the orders are of: each has rows of their own in the summary by user.
const CUSTOMERS: u64 = 1_000;

/// Whether orders are counted when they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Summaries {
    Left,
    Kept,
}

/// The rows of one order, as the program writes them, and those that it is counted in.
pub struct Sample {
    order: Vec<Row>,
    summaries: Vec<Row>,
}

/// A row, and the statement that writes one like it.
struct Row {
    write: String,
    columns: Vec<String>,
    values: Vec<Value>,
}

impl Row {
    fn execute(&self, connection: &Connection, fresh: impl FnMut((&String, &Value)) -> Value) -> rusqlite::Result<()> {
        let values = self.columns.iter().zip(&self.values).map(fresh);
        connection.prepare_cached(&self.write)?.execute(params_from_iter(values)).map(drop)
    }
}

impl Sample {
    /// The rows of the one order in the database at `path`.
    pub fn take(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        let rows = |tables: &[&str]| -> Outcome<Vec<Row>> {
            let found: Vec<_> = tables.iter().map(|table| rows(&connection, table)).collect::<Result<_, _>>()?;
            Ok(found.into_iter().flatten().collect())
        };
        let (order, mut summaries) = (rows(&TABLES)?, rows(&SUMMARIES)?);
        for row in &mut summaries {
            let counts = row.columns.iter().filter(|column| !KEYS.contains(&column.as_str()));
            let additions: Vec<_> = counts.map(|column| format!("{column} = {column} + excluded.{column}")).collect();
            row.write = format!("{} ON CONFLICT DO UPDATE SET {}", row.write, additions.join(", "));
        }
        Ok(Self { order, summaries })
    }

    /// Writes the rows as those of order `number`.
    fn insert(&self, connection: &Connection, number: i64, random: &mut fastrand::Rng) -> rusqlite::Result<()> {
        self.order.iter().try_for_each(|row| {
            row.execute(connection, |(column, value)| match column.as_str() {
                "seq" | "number" | "order_seq" | "event_seq" => Value::Integer(number),
                "id" => Value::Blob([number.to_be_bytes(), random.i64(..).to_be_bytes()].concat()),
                "key" => Value::Text(format!("{:032x}", random.u128(..))),
                _ => value.clone(),
            })
        })
    }

    /// Counts the orders of these customers.
    fn count(&self, connection: &Connection, customers: &BTreeSet<u64>) -> rusqlite::Result<()> {
        self.summaries.iter().try_for_each(|row| {
            if !row.columns.iter().any(|column| column == "user_id") {
                return row.execute(connection, |(_, value)| value.clone());
            }
            customers.iter().try_for_each(|customer| {
                row.execute(connection, |(column, value)| match column.as_str() {
                    "user_id" => Value::Blob([[0; 8], customer.to_be_bytes()].concat()),
                    _ => value.clone(),
                })
            })
        })
    }
}

/// The rows of `table`, and how to insert them.
fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Row>> {
    let mut select = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns: Vec<String> = select.column_names().into_iter().map(str::to_owned).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let write = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
    let read = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|i| row.get(i)).collect::<Result<Vec<_>, _>>();
    let found: Vec<Vec<Value>> = select.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(found.into_iter().map(|values| Row { write: write.clone(), columns: columns.clone(), values }).collect())
}

/// Places orders at `path`, `together` of them in each transaction.
pub fn place_orders(path: &Path, sample: &Sample, together: usize, summaries: Summaries) -> Outcome<Tally> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    // As the writer does it: in between, when the log has grown to this many pages.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.execute_batch(include_str!("../../schema.sql"))?;
    let (begun, mut random, mut done) = (Instant::now(), fastrand::Rng::with_seed(1), 0_u32);
    while begun.elapsed() < TIME {
        let mut customers = BTreeSet::new();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..together {
            done += 1;
            customers.insert(random.u64(0..CUSTOMERS));
            sample.insert(&connection, i64::from(done), &mut random)?;
        }
        if summaries == Summaries::Kept {
            sample.count(&connection, &customers)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(Tally { done, time: begun.elapsed() })
}
