//! Payments and refunds, and sums of their amounts.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob, sql_int},
};
use crate::{
    domain::{
        id::{TransactionId, UserId},
        rollup::of_transaction,
        transaction::{Held, Kind, Transaction, TransactionStatus},
    },
    error::Result,
};
use rusqlite::{Row, named_params};

const COLUMNS: &str = "t.id, o.id, t.kind, t.status, t.amount, o.currency, t.provider, t.provider_ref,
    (SELECT p.id FROM transactions p WHERE p.seq = t.payment_seq), t.reason, t.occurred_at, t.recorded_at
    FROM transactions t JOIN orders o ON o.seq = t.order_seq";

fn read(row: &Row<'_>) -> rusqlite::Result<Transaction> {
    read_from(&mut Columns::of(row))
}

fn read_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Transaction> {
    Ok(Transaction {
        id: columns.id()?,
        order_id: columns.id()?,
        kind: columns.parsed(Kind::parse)?,
        status: columns.parsed(TransactionStatus::parse)?,
        amount: columns.take()?,
        currency: columns.currency()?,
        provider: columns.take()?,
        provider_ref: columns.take()?,
        payment_id: columns.id_or_none()?,
        reason: columns.take()?,
        occurred_at: columns.instant()?,
        recorded_at: columns.instant()?,
    })
}

/// Whether a transaction of this kind with this reference of this provider is recorded.
pub fn is_recorded(tx: &ReadTx<'_>, kind: Kind, provider: Option<&str>, provider_ref: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM transactions WHERE provider_ref = ?1 AND coalesce(provider, '') = ?2 AND kind = ?3";
    let found = tx.row(sql, (provider_ref, provider.unwrap_or_default(), kind.name()), |_| Ok(()))?;
    Ok(found.is_some())
}

/// Inserts a transaction of the order in row `order_seq`, which belongs to `user_id`, and adds it to the rollups. The
/// caller has checked that the provider's reference is not recorded yet.
pub fn insert(tx: &WriteTx<'_>, order_seq: i64, user_id: Option<UserId>, transaction: &Transaction) -> Result<()> {
    let seq = tx.with_counters(|counters| {
        counters.transaction += 1;
        counters.transaction
    });
    tx.execute(
        "INSERT INTO transactions (seq, id, order_seq, kind, status, amount, provider, provider_ref, payment_seq,
           reason, occurred_at, recorded_at)
         VALUES (:seq, :id, :order_seq, :kind, :status, :amount, :provider, :provider_ref,
           (SELECT seq FROM transactions WHERE id = :payment_id), :reason, :occurred_at, :recorded_at)",
        named_params! {
            ":seq": seq, ":id": IdBlob(transaction.id), ":order_seq": order_seq, ":kind": transaction.kind.name(),
            ":status": transaction.status.name(), ":amount": transaction.amount, ":provider": transaction.provider,
            ":provider_ref": transaction.provider_ref, ":payment_id": transaction.payment_id.map(IdBlob),
            ":reason": transaction.reason, ":occurred_at": transaction.occurred_at.millis(),
            ":recorded_at": transaction.recorded_at.millis(),
        },
    )?;
    count(tx, transaction, user_id);
    Ok(())
}

/// Updates a pending transaction that was resolved, and adds it to the rollups.
pub fn resolve(tx: &WriteTx<'_>, user_id: Option<UserId>, transaction: &Transaction) -> Result<()> {
    tx.execute(
        "UPDATE transactions SET status = ?2, occurred_at = ?3 WHERE id = ?1",
        (IdBlob(transaction.id), transaction.status.name(), transaction.occurred_at.millis()),
    )?;
    count(tx, transaction, user_id);
    Ok(())
}

fn count(tx: &WriteTx<'_>, transaction: &Transaction, user_id: Option<UserId>) {
    if let Some(sale) = of_transaction(transaction, user_id) {
        tx.count_sale(sale, 1);
    }
}

/// The transaction with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: TransactionId) -> Result<Option<Transaction>> {
    tx.row(&format!("SELECT {COLUMNS} WHERE t.id = ?1"), [IdBlob(id)], read)
}

/// An order's transactions before row `before`, newest first, each with its row number.
pub fn of_order(tx: &ReadTx<'_>, order_seq: i64, before: i64, limit: usize) -> Result<Vec<(i64, Transaction)>> {
    let sql = format!("SELECT t.seq, {COLUMNS} WHERE t.order_seq = ?1 AND t.seq < ?2 ORDER BY t.seq DESC LIMIT ?3");
    tx.rows(&sql, (order_seq, before, sql_int(limit)), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, read_from(&mut columns)?))
    })
}

/// A transaction with its row number and the user whose order it belongs to.
pub(super) struct TransactionRow {
    pub(super) seq: i64,
    pub(super) user_id: Option<UserId>,
    pub(super) transaction: Transaction,
}

/// The transactions after row `seq`, in the order of their rows.
pub(super) fn after(tx: &ReadTx<'_>, seq: i64, limit: usize) -> Result<Vec<TransactionRow>> {
    let sql = format!("SELECT t.seq, o.user_id, {COLUMNS} WHERE t.seq > ?1 ORDER BY t.seq LIMIT ?2");
    tx.rows(&sql, (seq, sql_int(limit)), |row| {
        let mut columns = Columns::of(row);
        let (seq, user_id) = (columns.take()?, columns.id_or_none()?);
        Ok(TransactionRow { seq, user_id, transaction: read_from(&mut columns)? })
    })
}

/// The number of transactions of an order.
pub fn count_of_order(tx: &ReadTx<'_>, order_seq: i64) -> Result<i64> {
    let sql = "SELECT count(*) FROM transactions WHERE order_seq = ?1";
    Ok(tx.row(sql, [order_seq], |row| row.get(0))?.unwrap_or(0))
}

/// The sums over an order's payments and refunds.
pub fn held_by_order(tx: &ReadTx<'_>, order_seq: i64) -> Result<Held> {
    held(tx, "order_seq = ?1", order_seq)
}

/// The sums over a payment and the refunds that name it.
pub fn held_by_payment(tx: &ReadTx<'_>, payment: &Transaction) -> Result<Held> {
    let sql = "SELECT seq FROM transactions WHERE id = ?1";
    let seq = tx.row(sql, [IdBlob(payment.id)], |row| row.get(0))?.unwrap_or(0);
    held(tx, "order_seq = (SELECT order_seq FROM transactions WHERE seq = ?1) AND ?1 IN (seq, payment_seq)", seq)
}

fn held(tx: &ReadTx<'_>, which: &str, key: i64) -> Result<Held> {
    let sql = format!("SELECT kind, status, sum(amount) FROM transactions WHERE {which} GROUP BY kind, status");
    let sums = tx.rows(&sql, [key], |row| {
        let mut columns = Columns::of(row);
        Ok((columns.parsed(Kind::parse)?, columns.parsed(TransactionStatus::parse)?, columns.take::<i64>()?))
    })?;
    let mut held = Held::default();
    for (kind, status, amount) in sums {
        match (kind, status) {
            (Kind::Payment, TransactionStatus::Succeeded) => held.paid = amount,
            (Kind::Refund, TransactionStatus::Succeeded) => held.refunded = amount,
            (Kind::Refund, TransactionStatus::Pending) => held.pending_refunds = amount,
            _ => {}
        }
    }
    Ok(held)
}
