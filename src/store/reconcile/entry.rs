//! Entries of a comparison, and reading them from the rollups and from statements.

use super::definitions::StoredSums;
use crate::{
    domain::{calendar::BucketRange, money::Currency},
    error::Result,
    store::{
        ReadTx,
        rollups::{self, EntryKey},
        sql::{invalid_column, store_error},
    },
};
use rusqlite::Row;

/// The dimension of an entry whose user or SKU is unknown. No rollup has it.
const UNKNOWN: i64 = -1;

/// Values that count at one position.
#[derive(Clone, Copy)]
pub(super) struct Entry<'r> {
    pub(super) position: i64,
    pub(super) currency: &'r str,
    pub(super) dimension: i64,
    pub(super) values: &'r [i128],
}

impl<'r> Entry<'r> {
    fn of(key: &'r EntryKey, values: &'r [i128]) -> Self {
        Self { position: key.bucket, currency: key.currency.code(), dimension: key.dimension, values }
    }

    /// The same entry at the bucket of width `span` that contains its position.
    pub(super) fn in_bucket(self, span: i64) -> Self {
        Self { position: self.position.div_euclid(span), ..self }
    }
}

impl StoredSums {
    /// Calls `visit` with each stored entry of the buckets of width `span`.
    pub(super) fn each(self, tx: &ReadTx<'_>, span: i64, mut visit: impl FnMut(&Entry<'_>)) -> Result<()> {
        let rollup = match self {
            Self::Rows(sql) => return each_row(tx, sql, visit),
            Self::Rollup(rollup) => rollup,
        };
        let all = BucketRange { span, first: i64::MIN, last: i64::MAX, sign: 1 };
        rollups::each_in_buckets(tx, rollup, all, |key, part| {
            visit(&Entry::of(key, &part.map(i128::from)[..rollup.width()]));
        })?;
        rollups::each_in_log(tx, rollup, |key, part| {
            let values = part.map(i128::from);
            let entry = Entry::of(key, &values[..rollup.width()]);
            let position = key.bucket.wrapping_mul(rollups::FINEST_SPAN);
            visit(&Entry { position, ..entry }.in_bucket(span));
        })
    }
}

/// Calls `visit` with the entry in each row of a statement.
pub(super) fn each_row(tx: &ReadTx<'_>, sql: &str, mut visit: impl FnMut(&Entry<'_>)) -> Result<()> {
    let mut statement = tx.connection.prepare_cached(sql).map_err(store_error)?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut values = vec![];
    while let Some(row) = rows.next().map_err(store_error)? {
        values.clear();
        for column in 3..columns {
            values.push(row.get::<_, i64>(column).map_err(store_error)?.into());
        }
        visit(&read(row, &values).map_err(store_error)?);
    }
    Ok(())
}

fn read<'r>(row: &'r Row<'_>, values: &'r [i128]) -> rusqlite::Result<Entry<'r>> {
    let currency = row.get_ref(1)?.as_str()?;
    Currency::stored(currency).ok_or_else(|| invalid_column(1, currency))?;
    let dimension = row.get::<_, Option<i64>>(2)?.unwrap_or(UNKNOWN);
    Ok(Entry { position: row.get(0)?, currency, dimension, values })
}
