//! The same rows by bare SQLite: those of a real order, copied with fresh numbers, identifiers and keys. Nothing is
//! computed for them, and the summaries are not kept.

use crate::{Outcome, TIME, Tally};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::{path::Path, time::Instant};

/// The tables that an order is written to.
const TABLES: [&str; 4] = ["orders", "order_items", "events", "idempotency_keys"];

/// The rows of one order, as the program writes them.
pub struct Sample(Vec<Row>);

/// A row, and the statement that inserts one like it.
struct Row {
    insert: String,
    columns: Vec<String>,
    values: Vec<Value>,
}

impl Sample {
    /// The rows of the one order in the database at `path`.
    pub fn take(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        let mut rows = vec![];
        for table in TABLES {
            let mut select = connection.prepare(&format!("SELECT * FROM {table}"))?;
            let columns: Vec<String> = select.column_names().into_iter().map(str::to_owned).collect();
            let places = vec!["?"; columns.len()].join(", ");
            let insert = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
            let mut found = select.query([])?;
            while let Some(row) = found.next()? {
                let values = (0..columns.len()).map(|i| row.get(i)).collect::<Result<_, _>>()?;
                rows.push(Row { insert: insert.clone(), columns: columns.clone(), values });
            }
        }
        Ok(Self(rows))
    }

    /// Writes the rows as those of order `number`.
    fn insert(&self, connection: &Connection, number: i64, random: &mut fastrand::Rng) -> rusqlite::Result<()> {
        for Row { insert, columns, values } in &self.0 {
            let fresh = columns.iter().zip(values).map(|(column, value)| match column.as_str() {
                "seq" | "number" | "order_seq" | "event_seq" => Value::Integer(number),
                "id" => Value::Blob([number.to_be_bytes(), random.i64(..).to_be_bytes()].concat()),
                "key" => Value::Text(format!("{:032x}", random.u128(..))),
                _ => value.clone(),
            });
            connection.prepare_cached(insert)?.execute(params_from_iter(fresh))?;
        }
        Ok(())
    }
}

/// Places orders at `path`, `together` of them in each transaction.
pub fn place_orders(path: &Path, sample: &Sample, together: usize) -> Outcome<Tally> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    // As the writer does it: in between, when the log has grown to this many pages.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.execute_batch(include_str!("../../schema.sql"))?;
    let (begun, mut random, mut orders) = (Instant::now(), fastrand::Rng::with_seed(1), 0_u32);
    while begun.elapsed() < TIME {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..together {
            orders += 1;
            sample.insert(&connection, i64::from(orders), &mut random)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(Tally { orders, time: begun.elapsed() })
}
