//! Making the summaries anew from the rows, by the code that also keeps them, in one transaction. Only from rows that
//! pass every check: figures that agree with damaged orders would hide the damage.

use super::super::{
    Commits, OpenError, ReadTx,
    open::{Taken, take},
    orders, rollups,
    schema::STEPS,
    sql::failed,
    transactions,
    verify::{self, Check},
};
use crate::{
    domain::rollup::{ItemSale, Sale, StatusEntry, of_items, of_order, of_transaction, status_entry},
    error::Result,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// Rows that are counted together: an order may be as large as a request.
const AT_ONCE: usize = 1_000;
/// Empties what is filled again.
const EMPTY: &str = "DELETE FROM rollups; DELETE FROM rollup_log; DELETE FROM skus; UPDATE rollup_folds SET seq = 0";

/// What came of rebuilding.
#[derive(Debug)]
pub struct Rebuilt {
    /// Every check, as things were before.
    pub before: Vec<Check>,
    /// The faults that are left: if there are any, nothing was changed.
    pub left: Vec<Check>,
}

/// Takes the file at `path` for itself and makes its summaries anew.
pub fn rebuild(path: &Path) -> Result<Result<Rebuilt>, OpenError> {
    let Taken { lock: _lock, mut connection } = take(path, Commits::Synced, STEPS)?;
    Ok(in_one_transaction(&mut connection))
}

fn in_one_transaction(connection: &mut Connection) -> Result<Rebuilt> {
    // Dropped without a commit, it is rolled back.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(failed)?;
    let tx = ReadTx { connection: &transaction };
    let mut before = verify::rows(&tx)?;
    let mut left: Vec<_> = before.extract_if(.., |check| check.fault.is_some()).collect();
    if left.is_empty() {
        before.extend(verify::figures(&tx)?);
        refill(&tx)?;
        left = verify::figures(&tx)?;
        left.retain(|check| check.fault.is_some());
    }
    if left.is_empty() {
        transaction.commit().map_err(failed)?;
    }
    Ok(Rebuilt { before, left })
}

fn refill(tx: &ReadTx<'_>) -> Result<()> {
    tx.connection.execute_batch(EMPTY).map_err(failed)?;
    let (mut log, mut last) = (rollups::Log::default(), 0);
    loop {
        let found = orders::after(tx, last, AT_ONCE)?;
        let Some(newest) = found.last() else { break };
        last = newest.seq;
        let sales: Vec<_> = found.iter().flat_map(of_order).map(|sale| (sale, 1)).collect();
        let status_entries: Vec<_> =
            found.iter().filter_map(status_entry).map(|status_entry| (status_entry, 1)).collect();
        let items: Vec<_> = found.iter().flat_map(of_items).map(|item| (item, 1)).collect();
        add(tx, &mut log, &sales, &status_entries, &items)?;
    }
    last = 0;
    loop {
        let found = transactions::after(tx, last, AT_ONCE)?;
        let Some((newest, ..)) = found.last() else { return log.settle(tx.connection) };
        last = *newest;
        let sales: Vec<_> =
            found.iter().filter_map(|(_, user, transaction)| of_transaction(transaction, *user)).collect();
        let sales: Vec<_> = sales.into_iter().map(|sale| (sale, 1)).collect();
        add(tx, &mut log, &sales, &[], &[])?;
    }
}

fn add(
    tx: &ReadTx<'_>,
    log: &mut rollups::Log,
    sales: &[(Sale, i64)],
    status_entries: &[(StatusEntry, i64)],
    items: &[(ItemSale, i64)],
) -> Result<()> {
    rollups::write(tx.connection, log, sales, status_entries, items).map_err(failed)?;
    log.fold(tx.connection)
}
