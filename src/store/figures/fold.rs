//! Adding the log to the sums. Some hundred changes at once touch each bucket once, where each of them alone would touch
//! a dozen. Orders do not depend on it: where sums are damaged, the log goes on.

use super::{
    Entries, FINEST, Ledger,
    ledger::{self, Damaged},
};
use crate::{
    domain::calendar::SPANS,
    error::{Result, problem},
    store::sql::{damaged, failed},
};
use rusqlite::{Connection, OptionalExtension};

/// Bytes in the log.
pub fn log_bytes(connection: &Connection) -> rusqlite::Result<i64> {
    let sql =
        "SELECT coalesce(sum(length(sales) + length(users) + length(statuses) + length(items)), 0) FROM figure_log";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Adds the log to the sums and empties it. If one of them cannot be read, all stays as it was: what is in the log counts
/// as well, and the order that it grew too long with is none the worse for it.
pub fn fold(connection: &Connection) -> Result<()> {
    let execute = |sql: &str| connection.execute_batch(sql).map_err(failed);
    execute("SAVEPOINT fold")?;
    match add_all(connection).map_err(failed) {
        Err(e) if !e.is(&problem::STORAGE_FULL) && !e.is(&problem::OUTCOME_UNKNOWN) => {
            tracing::error!(
                error.cause = %e,
                "figures are damaged, and changes stay in their log: stop the server and run `orderd verify --rebuild`"
            );
            execute("ROLLBACK TO fold; RELEASE fold")
        }
        outcome => outcome.and_then(|()| execute("RELEASE fold")),
    }
}

fn add_all(connection: &Connection) -> rusqlite::Result<()> {
    for ledger in Ledger::ALL {
        let changes = logged(connection, ledger)?;
        for span in SPANS {
            add(connection, ledger, span, &changes)?;
        }
    }
    connection.execute("DELETE FROM figure_log", []).map(drop)
}

fn logged(connection: &Connection, ledger: Ledger) -> rusqlite::Result<Entries> {
    let mut changes = Entries::new();
    let mut select = connection.prepare_cached(&format!("SELECT {} FROM figure_log", ledger.name()))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let read = ledger::each(ledger, row.get_ref(0)?.as_blob()?, |place, part| {
            ledger::add(changes.entry(*place).or_default(), part);
        });
        read.map_err(|Damaged| damaged(0, "no sums"))?;
    }
    Ok(changes)
}

/// Adds `changes` to the buckets of one width.
fn add(connection: &Connection, ledger: Ledger, span: i64, changes: &Entries) -> rusqlite::Result<()> {
    let mut coarser = Entries::new();
    for (place, values) in changes {
        let place = ledger::Place { bucket: (place.bucket * FINEST).div_euclid(span), ..*place };
        coarser.entry(place).or_default().iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let mut left = coarser.iter().peekable();
    while let Some((first, _)) = left.peek() {
        let bucket = first.bucket;
        let of_bucket = std::iter::from_fn(|| left.next_if(|(place, _)| place.bucket == bucket));
        merge(connection, (ledger, span, bucket), of_bucket)?;
    }
    Ok(())
}

fn merge<'e>(
    connection: &Connection,
    (ledger, span, bucket): (Ledger, i64, i64),
    changes: impl Iterator<Item = (&'e ledger::Place, &'e ledger::Values)>,
) -> rusqlite::Result<()> {
    let key = (ledger.name(), span, bucket);
    let sums = connection
        .prepare_cached("SELECT sums FROM figures WHERE ledger = ?1 AND span = ?2 AND bucket = ?3")?
        .query_row(key, |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .unwrap_or_default();
    let sums = ledger::merge(ledger, &sums, changes).map_err(|Damaged| damaged(0, "no sums"))?;
    connection
        .prepare_cached(
            "INSERT INTO figures (ledger, span, bucket, sums) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET sums = excluded.sums",
        )?
        .execute((ledger.name(), span, bucket, sums))
        .map(drop)
}
