//! The same rows written by bare SQLite: those of real orders, copied with new numbers, identifiers and keys. Nothing
//! is computed. They are written to the program's tables, or as they would be without its ways to save pages. Rollups
//! can be maintained as the program does it: a row of the log for each transaction, and the sums of every bucket
//! rewritten each time the log is long.

use crate::{
    TIME,
    shop::{Outcome, Throughput},
};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::{path::Path, time::Instant};

/// The tables to which an order is written.
const TABLES: [&str; 4] = ["orders", "order_items", "events", "idempotency_keys"];
/// Customers with sums in the rollup of users.
const CUSTOMERS: usize = 1_000;
/// Bytes of the log above which it is folded into the sums.
const FOLD_BYTES: usize = 64 * 1024;
/// Approximate bytes of the sums of one customer.
const SUM_BYTES: usize = 10;

/// Whether the rollups are maintained when orders are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rollups {
    Skipped,
    Maintained,
}

/// How the rows of an order are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As the program stores them: documents in short, and indexes in blocks of new orders.
    Compact,
    /// As tables usually are: documents in full, and indexes over all orders.
    Usual,
}

/// What turns the program's tables into the usual ones.
const USUAL_INDEXES: &str = "
    DROP INDEX orders_by_total; CREATE INDEX orders_by_total ON orders (total_amount, seq);
    DROP INDEX order_items_by_sku; CREATE INDEX order_items_by_sku ON order_items (sku, order_seq);
    DROP INDEX idempotency_keys_by_digest;
    CREATE UNIQUE INDEX idempotency_keys_by_digest ON idempotency_keys (digest)";

/// The rows of some orders, and what the first one is in the rollups.
pub struct Sample {
    layout: Layout,
    orders: Vec<Vec<Row>>,
    buckets: Vec<Bucket>,
}

/// A row of `rollups` with the sums of the order.
struct Bucket {
    rollup: String,
    span: i64,
    key: i64,
    sums: Vec<u8>,
}

/// A row, and the statement that inserts it.
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
    /// The rows of `orders` orders in the database at `path`, and the buckets of one order in that at `path_of_one`.
    pub fn take(path: &Path, path_of_one: &Path, orders: i64, layout: Layout) -> Outcome<Self> {
        let one = Connection::open(path_of_one)?;
        let mut select = one.prepare("SELECT rollup, span, key, sums FROM rollups")?;
        let buckets = select.query_map([], |row| {
            Ok(Bucket { rollup: row.get(0)?, span: row.get(1)?, key: row.get(2)?, sums: row.get(3)? })
        })?;
        let buckets = buckets.collect::<Result<_, _>>()?;
        let connection = Connection::open(path)?;
        let order = |number| {
            let rows = TABLES.iter().map(|table| rows(&connection, table, number, layout));
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        Ok(Self { layout, orders: (1..=orders).map(order).collect::<rusqlite::Result<_>>()?, buckets })
    }

    /// Inserts the rows of one of the orders as those of order `number`.
    fn insert(&self, connection: &Connection, number: i64, random: &mut fastrand::Rng) -> rusqlite::Result<()> {
        self.orders[random.usize(..self.orders.len())].iter().try_for_each(|row| {
            row.execute(connection, |(column, value)| match column.as_str() {
                "seq" | "number" | "order_seq" | "event_seq" => Value::Integer(number),
                "id" => Value::Blob([number.to_be_bytes(), random.i64(..).to_be_bytes()].concat()),
                "digest" => Value::Blob(random.u128(..).to_be_bytes().into()),
                _ => value.clone(),
            })
        })
    }

    /// Appends the changes of `orders` orders to the log, which has `logged` bytes, and folds it when it is long.
    fn append_changes(&self, connection: &Connection, orders: usize, logged: &mut usize) -> rusqlite::Result<()> {
        let of_rollup = |name| {
            let bucket = self.buckets.iter().find(|bucket| bucket.rollup == name && bucket.span == 900);
            bucket.map_or_else(Vec::new, |bucket| bucket.sums.repeat(orders))
        };
        let parts = ["sales", "users", "statuses", "items", "taxes"].map(of_rollup);
        *logged += parts.iter().map(Vec::len).sum::<usize>();
        connection
            .prepare_cached("INSERT INTO rollup_log (sales, users, statuses, items, taxes) VALUES (?, ?, ?, ?, ?)")?
            .execute(parts)?;
        if *logged > FOLD_BYTES {
            *logged = 0;
            for Bucket { rollup, key, sums, .. } in &self.buckets {
                let sums = if rollup == "users" { &vec![1; CUSTOMERS * SUM_BYTES] } else { sums };
                connection
                    .prepare_cached("INSERT OR REPLACE INTO rollups (key, sums) VALUES (?, ?)")?
                    .execute((key, sums))?;
            }
            connection.execute_batch(
                "UPDATE rollup_folds SET seq = (SELECT max(seq) FROM rollup_log); DELETE FROM rollup_log",
            )?;
        }
        Ok(())
    }
}

/// The rows of order `number` in `table`, and the statements that insert them.
fn rows(connection: &Connection, table: &str, number: i64, layout: Layout) -> rusqlite::Result<Vec<Row>> {
    // Orders, events and keys were written one for one. The lines of an order are written from the last to the first.
    let of_order = if table == "order_items" { "order_seq = ? ORDER BY line DESC" } else { "seq = ?" };
    // Without the columns that SQLite computes.
    let mut names = connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    let columns: Vec<String> = names.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let selected = columns.iter().map(|column| match (table, column.as_str(), layout) {
        ("events", "data", Layout::Usual) => "(SELECT v.data FROM v_events v WHERE v.seq = events.seq)",
        (_, column, _) => column,
    });
    let selected = selected.collect::<Vec<_>>().join(", ");
    let mut select = connection.prepare(&format!("SELECT {selected} FROM {table} WHERE {of_order}"))?;
    let placeholders = vec!["?"; columns.len()].join(", ");
    let write = format!("INSERT INTO {table} ({}) VALUES ({placeholders})", columns.join(", "));
    let read = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|i| row.get(i)).collect::<Result<Vec<_>, _>>();
    let found: Vec<Vec<Value>> = select.query_map([number], read)?.collect::<Result<_, _>>()?;
    Ok(found.into_iter().map(|values| Row { write: write.clone(), columns: columns.clone(), values }).collect())
}

/// Places orders in a new file at `path`, `together` of them in each transaction.
pub fn place_orders(path: &Path, sample: &Sample, together: usize, rollups: Rollups) -> Outcome<Throughput> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    // The writer checkpoints at this length, too.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.execute_batch(include_str!("../../schema.sql"))?;
    if sample.layout == Layout::Usual {
        connection.execute_batch(USUAL_INDEXES)?;
    }
    let (started, mut random, mut done, mut logged) = (Instant::now(), fastrand::Rng::with_seed(1), 0_u32, 0);
    while started.elapsed() < TIME {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..together {
            done += 1;
            sample.insert(&connection, i64::from(done), &mut random)?;
        }
        if rollups == Rollups::Maintained {
            sample.append_changes(&connection, together, &mut logged)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(Throughput { done, time: started.elapsed() })
}
