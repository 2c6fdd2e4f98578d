//! The log of changes, and adding it to the sums. Some hundred changes at once touch each bucket once, where each of them
//! alone would touch a dozen. Orders do not depend on it: where sums are damaged, the log goes on.

use super::{
    Entries, FINEST, Rollup, key_of, logged,
    rollup_codec::{self, Damaged},
};
use crate::{
    domain::calendar::SPANS,
    error::{Result, problem},
    store::{
        ReadTx,
        sql::{damaged, failed},
    },
};
use rusqlite::{Connection, OptionalExtension};

/// A log shorter than this is not worth adding: some hundreds of orders. A report reads it in well under a millisecond.
const SHORT: i64 = 64 * 1024;
/// A log longer than this is added whatever that writes: a report on users reads it in some milliseconds.
const LONG: i64 = 4 * 1024 * 1024;

/// The number of the newest row there ever was.
pub(super) const NEWEST: &str =
    "SELECT max(coalesce((SELECT max(seq) FROM rollup_log), 0), (SELECT max(seq) FROM rollup_folds))";

/// Where the log stands. There is one writer, which keeps it in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    /// The number of its newest row.
    newest: i64,
    /// What waits to be added to the sums of each rollup.
    waiting: [Waiting; Rollup::ALL.len()],
}

/// What waits for a rollup, in bytes of the log.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// What there is.
    bytes: i64,
    /// Up to how much waits at least: half of what was written for it the last time, so that a rollup of many dimensions does
    /// not write its sums again for every few of them.
    least: i64,
}

impl Waiting {
    fn is_enough(&self) -> bool {
        self.bytes > self.least.clamp(SHORT, LONG)
    }
}

impl Log {
    /// Where the log of this file stands.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut log = Self { newest: connection.query_row(NEWEST, [], |row| row.get(0))?, ..Self::default() };
        for (rollup, waiting) in Rollup::ALL.iter().zip(&mut log.waiting) {
            let bytes = "SELECT coalesce(sum(length(sales) + length(users) + length(statuses) + length(items)), 0)
                         FROM rollup_log WHERE seq > (SELECT seq FROM rollup_folds WHERE rollup = ?1)";
            waiting.bytes = connection.query_row(bytes, [rollup.name()], |row| row.get(0))?;
        }
        Ok(log)
    }

    /// Whether every change is in the sums of every rollup.
    pub fn is_settled(&self) -> bool {
        self.waiting.iter().all(|waiting| waiting.bytes == 0)
    }

    /// Writes a row: the changes of one transaction in each rollup, in the order of the rollups.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        changes: &[Entries; Rollup::ALL.len()],
    ) -> rusqlite::Result<()> {
        let [sales, users, statuses, items] =
            std::array::from_fn(|i| rollup_codec::encode(Rollup::ALL[i], &changes[i]));
        let bytes = [&sales, &users, &statuses, &items].map(|column| length(column)).iter().sum::<i64>();
        connection
            .prepare_cached("INSERT INTO rollup_log (seq, sales, users, statuses, items) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute((self.newest + 1, sales, users, statuses, items))?;
        self.newest += 1;
        self.waiting.iter_mut().for_each(|waiting| waiting.bytes += bytes);
        Ok(())
    }

    /// Adds what waits to the sums of each rollup for which enough does.
    pub fn fold(&mut self, connection: &Connection) -> Result<()> {
        self.fold_where(connection, Waiting::is_enough)
    }

    /// Adds what waits to the sums of every rollup.
    pub fn settle(&mut self, connection: &Connection) -> Result<()> {
        self.fold_where(connection, |waiting| waiting.bytes > 0)
    }

    fn fold_where(&mut self, connection: &Connection, due: impl Fn(&Waiting) -> bool) -> Result<()> {
        let mut folded = false;
        for (rollup, waiting) in Rollup::ALL.into_iter().zip(&mut self.waiting) {
            if due(waiting) {
                folded = true;
                *waiting = Waiting { bytes: 0, least: fold(connection, rollup, self.newest)? / 2 };
            }
        }
        if folded {
            let delete = "DELETE FROM rollup_log WHERE seq <= (SELECT min(seq) FROM rollup_folds)";
            connection.execute(delete, []).map_err(failed)?;
        }
        Ok(())
    }
}

/// Adds the log up to `newest` to the sums of a rollup; how many bytes of them were written. If one of them cannot be read,
/// all stays as it was: what is in the log counts as well, and the order that it grew too long with is none the worse for
/// it.
fn fold(connection: &Connection, rollup: Rollup, newest: i64) -> Result<i64> {
    let execute = |sql: &str| connection.execute_batch(sql).map_err(failed);
    execute("SAVEPOINT fold")?;
    let written = match add_all(connection, rollup, newest) {
        Err(e) if !e.is(&problem::STORAGE_FULL) && !e.is(&problem::OUTCOME_UNKNOWN) => {
            tracing::error!(
                error.cause = %e,
                "figures are damaged, and changes stay in their log: stop the server and run `orderd verify --rebuild`"
            );
            execute("ROLLBACK TO fold")?;
            0
        }
        outcome => outcome?,
    };
    execute("RELEASE fold").map(|()| written)
}

fn add_all(connection: &Connection, rollup: Rollup, newest: i64) -> Result<i64> {
    let mut changes = Entries::new();
    logged(&ReadTx { connection }, rollup, |key, part| rollup_codec::add(changes.entry(*key).or_default(), part))?;
    let mut written = 0;
    for span in SPANS {
        written += add(connection, rollup, span, &changes).map_err(failed)?;
    }
    let update = "UPDATE rollup_folds SET seq = ?2 WHERE rollup = ?1";
    connection.execute(update, (rollup.name(), newest)).map_err(failed)?;
    Ok(written)
}

/// Adds `changes` to the buckets of one width; how many bytes they have now.
fn add(connection: &Connection, rollup: Rollup, span: i64, changes: &Entries) -> rusqlite::Result<i64> {
    let mut coarser = Entries::new();
    for (key, values) in changes {
        let key = rollup_codec::EntryKey { bucket: (key.bucket * FINEST).div_euclid(span), ..*key };
        coarser.entry(key).or_default().iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let mut left = coarser.iter().peekable();
    let mut written = 0;
    while let Some((first, _)) = left.peek() {
        let bucket = first.bucket;
        let of_bucket = std::iter::from_fn(|| left.next_if(|(key, _)| key.bucket == bucket));
        written += merge(connection, (rollup, span, bucket), of_bucket)?;
    }
    Ok(written)
}

fn merge<'e>(
    connection: &Connection,
    (rollup, span, bucket): (Rollup, i64, i64),
    changes: impl Iterator<Item = (&'e rollup_codec::EntryKey, &'e rollup_codec::Values)>,
) -> rusqlite::Result<i64> {
    let key = key_of(rollup, span, bucket);
    let sums = connection
        .prepare_cached("SELECT sums FROM rollups WHERE key = ?1")?
        .query_row([key], |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .unwrap_or_default();
    let sums = rollup_codec::merge(rollup, &sums, changes).map_err(|Damaged| damaged(0, "no sums"))?;
    connection.prepare_cached("INSERT OR REPLACE INTO rollups (key, sums) VALUES (?1, ?2)")?.execute((key, &sums))?;
    Ok(length(&sums))
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_writes_much_waits_for_longer_but_not_for_ever() {
        let is_enough = |bytes, least| Waiting { bytes, least }.is_enough();
        assert!(!is_enough(SHORT, 0) && is_enough(SHORT + 1, 0));
        assert!(!is_enough(1 << 20, 1 << 20) && is_enough((1 << 20) + 1, 1 << 20));
        assert!(!is_enough(LONG, 1 << 40) && is_enough(LONG + 1, 1 << 40));
    }
}
