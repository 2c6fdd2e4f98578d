//! The log of the rollups, and folding it into the sums. Some hundred changes folded together write each bucket once,
//! where each change alone would write a dozen. Orders do not depend on folding: damaged sums leave the log as it is.

use super::{
    COLUMNS, Changes, Entries, EntryKey, FINEST_SPAN, Rollup, Values, bucket_key,
    codec::{self, Damaged},
    each_in_log,
};
use crate::{
    domain::calendar::SPANS,
    error::{Result, problem},
    store::{
        ReadTx, Recorder,
        sql::{invalid_column, store_error},
    },
};
use rusqlite::{Connection, OptionalExtension};

/// Bytes below which the log is not folded: some hundreds of orders. A report reads them in well under a millisecond.
const MIN_FOLD_BYTES: i64 = 64 * 1024;
/// Bytes above which the log is always folded: a report on users reads that much in some milliseconds.
const MAX_LOG_BYTES: i64 = 4 * 1024 * 1024;

/// Selects the number of the newest row that the log ever had.
pub(super) const LAST_SEQ: &str =
    "SELECT max(coalesce((SELECT max(seq) FROM rollup_log), 0), (SELECT max(seq) FROM rollup_folds))";

/// The state of the log. The single writer keeps it in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct RollupLog {
    /// The number of the newest row.
    last_seq: i64,
    backlogs: [Backlog; Rollup::ALL.len()],
}

/// The part of the log that is not folded into the sums of one rollup yet.
#[derive(Clone, Copy, Debug, Default)]
struct Backlog {
    bytes: i64,
    /// Bytes from which on it is folded: half of what the last fold wrote, so that a rollup of many dimensions does not
    /// write all its sums again for a few changes. Kept within [`MIN_FOLD_BYTES`] and [`MAX_LOG_BYTES`].
    threshold: i64,
}

impl Backlog {
    fn is_due(&self) -> bool {
        self.bytes > self.threshold.clamp(MIN_FOLD_BYTES, MAX_LOG_BYTES)
    }
}

impl RollupLog {
    /// Reads the state of the log from the file.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut log = Self { last_seq: connection.query_row(LAST_SEQ, [], |row| row.get(0))?, ..Self::default() };
        for (rollup, backlog) in Rollup::ALL.iter().zip(&mut log.backlogs) {
            let bytes = "SELECT coalesce(sum(length(sales) + length(users) + length(statuses) + length(items)
                           + length(taxes)), 0)
                         FROM rollup_log WHERE seq > (SELECT seq FROM rollup_folds WHERE rollup = ?1)";
            backlog.bytes = connection.query_row(bytes, [rollup.name()], |row| row.get(0))?;
        }
        Ok(log)
    }

    /// Whether every change is folded into the sums of every rollup.
    pub fn is_folded(&self) -> bool {
        self.backlogs.iter().all(|backlog| backlog.bytes == 0)
    }

    /// Appends the changes of one transaction as one row, and returns it. No changes append nothing.
    pub fn append(
        &mut self,
        connection: &Connection,
        changes: &mut Changes,
        recorder: Option<&Recorder>,
    ) -> rusqlite::Result<Option<[Vec<u8>; COLUMNS]>> {
        if changes.is_empty() {
            return Ok(None);
        }
        let entries = changes.entries(connection, recorder)?;
        let row = std::array::from_fn(|i| codec::encode(Rollup::ALL[i], &entries[i]));
        self.append_row(connection, &row).map(|()| Some(row))
    }

    /// Appends a row that this or another process has made.
    pub fn append_row(&mut self, connection: &Connection, row: &[Vec<u8>; COLUMNS]) -> rusqlite::Result<()> {
        let bytes: i64 = row.iter().map(|column| length(column)).sum();
        let [sales, users, statuses, items, taxes] = row;
        let sql = "INSERT INTO rollup_log (seq, sales, users, statuses, items, taxes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        connection.prepare_cached(sql)?.execute((self.last_seq + 1, sales, users, statuses, items, taxes))?;
        self.last_seq += 1;
        self.backlogs.iter_mut().for_each(|backlog| backlog.bytes += bytes);
        Ok(())
    }

    /// Folds the log into each rollup whose backlog is due.
    pub fn fold_due(&mut self, connection: &Connection) -> Result<()> {
        self.fold_where(connection, Backlog::is_due)
    }

    /// Folds the whole log into every rollup.
    pub fn fold_all(&mut self, connection: &Connection) -> Result<()> {
        self.fold_where(connection, |backlog| backlog.bytes > 0)
    }

    fn fold_where(&mut self, connection: &Connection, due: impl Fn(&Backlog) -> bool) -> Result<()> {
        let mut folded = false;
        for (rollup, backlog) in Rollup::ALL.into_iter().zip(&mut self.backlogs) {
            if due(backlog) {
                folded = true;
                *backlog = Backlog { bytes: 0, threshold: fold(connection, rollup, self.last_seq)? / 2 };
            }
        }
        if folded {
            let delete = "DELETE FROM rollup_log WHERE seq <= (SELECT min(seq) FROM rollup_folds)";
            connection.execute(delete, []).map_err(store_error)?;
        }
        Ok(())
    }
}

/// Folds the log up to `last_seq` into the sums of `rollup` and returns the bytes written. On damage nothing changes:
/// the triggering order still commits, and reports still read the log.
fn fold(connection: &Connection, rollup: Rollup, last_seq: i64) -> Result<i64> {
    let execute = |sql: &str| connection.execute_batch(sql).map_err(store_error);
    execute("SAVEPOINT fold")?;
    let written = match fold_all_spans(connection, rollup, last_seq) {
        Err(e) if !e.is(&problem::STORAGE_FULL) && !e.is(&problem::OUTCOME_UNKNOWN) => {
            tracing::error!(
                rollup.name = rollup.name(),
                error.cause = %e,
                "the rollup {} is damaged, its log is not folded: stop the server and run `orderd verify --rebuild`",
                rollup.name(),
            );
            execute("ROLLBACK TO fold")?;
            0
        }
        outcome => outcome?,
    };
    execute("RELEASE fold").map(|()| written)
}

fn fold_all_spans(connection: &Connection, rollup: Rollup, last_seq: i64) -> Result<i64> {
    let mut changes = Entries::new();
    each_in_log(&ReadTx { connection }, rollup, |key, part| codec::add(changes.entry(*key).or_default(), part))?;
    let mut written = 0;
    for span in SPANS {
        written += fold_span(connection, rollup, span, &changes).map_err(store_error)?;
    }
    let update = "UPDATE rollup_folds SET seq = ?2 WHERE rollup = ?1";
    connection.execute(update, (rollup.name(), last_seq)).map_err(store_error)?;
    Ok(written)
}

/// Adds `changes` to the buckets of one span and returns the bytes written.
fn fold_span(connection: &Connection, rollup: Rollup, span: i64, changes: &Entries) -> rusqlite::Result<i64> {
    let mut coarser = Entries::new();
    for (key, values) in changes {
        let key = EntryKey { bucket: (key.bucket * FINEST_SPAN).div_euclid(span), ..*key };
        coarser.entry(key).or_default().iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let mut left = coarser.iter().peekable();
    let mut written = 0;
    while let Some((first, _)) = left.peek() {
        let bucket = first.bucket;
        let of_bucket = std::iter::from_fn(|| left.next_if(|(key, _)| key.bucket == bucket));
        written += merge(connection, rollup, bucket_key(rollup, span, bucket), of_bucket)?;
    }
    Ok(written)
}

fn merge<'e>(
    connection: &Connection,
    rollup: Rollup,
    bucket_key: i64,
    changes: impl Iterator<Item = (&'e EntryKey, &'e Values)>,
) -> rusqlite::Result<i64> {
    let sums = connection
        .prepare_cached("SELECT sums FROM rollups WHERE key = ?1")?
        .query_row([bucket_key], |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .unwrap_or_default();
    let sums = codec::merge(rollup, &sums, changes).map_err(|Damaged| invalid_column(0, "no sums"))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO rollups (key, sums) VALUES (?1, ?2)")?
        .execute((bucket_key, &sums))?;
    Ok(length(&sums))
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_with_large_folds_is_folded_more_rarely_within_bounds() {
        let is_due = |bytes, threshold| Backlog { bytes, threshold }.is_due();
        assert!(!is_due(MIN_FOLD_BYTES, 0) && is_due(MIN_FOLD_BYTES + 1, 0));
        assert!(!is_due(1 << 20, 1 << 20) && is_due((1 << 20) + 1, 1 << 20));
        assert!(!is_due(MAX_LOG_BYTES, 1 << 40) && is_due(MAX_LOG_BYTES + 1, 1 << 40));
    }
}
