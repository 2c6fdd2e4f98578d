//! Rebuilding the rollups from the rows, in one transaction, by the code that also maintains them. Rows that fail a
//! check are never counted: rollups that agree with damaged orders would hide the damage.

use super::super::{
    Commits, OpenError, ReadTx, mark, orders,
    owned_file::{OwnedFile, open_exclusively},
    rollups::{Changes, RollupLog},
    schema::MIGRATIONS,
    sql::store_error,
    transactions::{self, TransactionRow},
    verify::{self, Check},
};
use crate::{
    domain::rollup::{of_items, of_order, of_transaction, status_entry, taxes_of_order, taxes_of_transaction},
    error::Result,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// Rows counted together. An order may be as large as a request, so the memory for many of them is limited.
const BATCH_SIZE: usize = 1_000;
const EMPTY: &str = "DELETE FROM rollups; DELETE FROM rollup_log; DELETE FROM skus; UPDATE rollup_folds SET seq = 0";

/// The result of a rebuild.
#[derive(Debug)]
pub struct Rebuilt {
    /// The checks before the rebuild. If a check of rows failed, only those that passed: the others are in `left`.
    pub before: Vec<Check>,
    /// The checks that still fail. If there are any, nothing was changed.
    pub left: Vec<Check>,
}

/// Takes the file at `path` for this process alone and rebuilds its rollups.
pub fn rebuild(path: &Path) -> Result<Result<Rebuilt>, OpenError> {
    let OwnedFile { lock: _lock, file: _file, mut connection } = open_exclusively(path, Commits::Synced, MIGRATIONS)?;
    Ok(in_one_transaction(&mut connection))
}

fn in_one_transaction(connection: &mut Connection) -> Result<Rebuilt> {
    // Without a commit, dropping the transaction rolls it back.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(store_error)?;
    let tx = ReadTx { connection: &transaction };
    let mut before = verify::rows(&tx)?;
    let mut left: Vec<_> = before.extract_if(.., |check| check.fault.is_some()).collect();
    if left.is_empty() {
        before.extend(verify::rollups(&tx)?);
        count_everything(&tx)?;
        left = verify::rollups(&tx)?;
        left.retain(|check| check.fault.is_some());
    }
    if left.is_empty() {
        mark::renew(&transaction).map_err(store_error)?;
        transaction.commit().map_err(store_error)?;
    }
    Ok(Rebuilt { before, left })
}

fn count_everything(tx: &ReadTx<'_>) -> Result<()> {
    tx.connection.execute_batch(EMPTY).map_err(store_error)?;
    let mut log = RollupLog::default();
    count_orders(tx, &mut log)?;
    count_transactions(tx, &mut log)?;
    log.fold_all(tx.connection)
}

fn count_orders(tx: &ReadTx<'_>, log: &mut RollupLog) -> Result<()> {
    let mut last = 0;
    loop {
        let found = orders::after(tx, last, BATCH_SIZE)?;
        let Some(newest) = found.last() else { return Ok(()) };
        last = newest.seq;
        let mut changes = Changes::default();
        for order in &found {
            of_order(order).for_each(|sale| changes.count_sale(sale, 1));
            if let Some(entry) = status_entry(order) {
                changes.count_status(entry, 1);
            }
            of_items(order).for_each(|item| changes.count_item(item, 1));
            taxes_of_order(order).for_each(|sale| changes.count_tax(sale, 1));
        }
        append(tx, log, &mut changes)?;
    }
}

fn count_transactions(tx: &ReadTx<'_>, log: &mut RollupLog) -> Result<()> {
    let mut last = 0;
    loop {
        let found = transactions::after(tx, last, BATCH_SIZE)?;
        let Some(newest) = found.last() else { return Ok(()) };
        last = newest.seq;
        let mut changes = Changes::default();
        for TransactionRow { order, transaction, .. } in &found {
            of_transaction(transaction, *order).for_each(|sale| changes.count_sale(sale, 1));
            taxes_of_transaction(transaction, *order).for_each(|sale| changes.count_tax(sale, 1));
        }
        append(tx, log, &mut changes)?;
    }
}

fn append(tx: &ReadTx<'_>, log: &mut RollupLog, changes: &mut Changes) -> Result<()> {
    log.append(tx.connection, changes, None).map_err(store_error)?;
    log.fold_due(tx.connection)
}
