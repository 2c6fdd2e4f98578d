//! Payments and refunds, and sums of their amounts.

pub(super) mod credits;
mod list;

pub use list::{count, is_scan, page};

use super::{
    ReadTx, WriteTx, personal,
    sql::{Columns, IdBlob, sql_int},
};
use crate::{
    domain::{
        id::TransactionId,
        order::Order,
        rollup::{self, OrderContext},
        time::Timestamp,
        transaction::{Held, Kind, Transaction, TransactionStatus},
    },
    error::Result,
};
use rusqlite::{Row, named_params};

/// The columns that [`read_from`] reads, of a transaction `t` and its order `o`.
const FIELDS: &str =
    "t.id, o.id, o.number, t.kind, t.status, t.amount, t.credit_taxes, t.items, o.currency, t.provider,
    t.provider_ref, (SELECT p.id FROM transactions p WHERE p.seq = t.payment_seq), t.occurred_at, t.recorded_at,
    t.reversed_at, t.personal_seq, (SELECT digest FROM personal WHERE seq = t.personal_seq),
    (SELECT content FROM personal WHERE seq = t.personal_seq)";
const TABLES: &str = "FROM transactions t JOIN orders o ON o.seq = t.order_seq";

fn read(row: &Row<'_>) -> rusqlite::Result<Transaction> {
    read_from(row, &mut Columns::of(row))
}

fn read_from(row: &Row<'_>, columns: &mut Columns<'_, '_>) -> rusqlite::Result<Transaction> {
    let mut transaction = Transaction {
        id: columns.id()?,
        order_id: columns.id()?,
        order_number: columns.take()?,
        kind: columns.parsed(Kind::parse)?,
        status: columns.parsed(TransactionStatus::parse)?,
        amount: columns.take()?,
        credit_taxes: columns.parsed(credits::parse_taxes)?,
        items: columns.parsed_or_none(credits::parse_items)?.unwrap_or_default(),
        currency: columns.currency()?,
        provider: columns.take()?,
        provider_ref: columns.take()?,
        payment_id: columns.id_or_none()?,
        occurred_at: columns.instant()?,
        recorded_at: columns.instant()?,
        reversed_at: columns.instant_or_none()?,
        reason: None,
        personal: None,
    };
    personal::read_into_transaction(&mut transaction, row, columns.position())?;
    Ok(transaction)
}

/// The transaction of this kind with this reference of this provider that is pending or succeeded.
pub fn by_provider_ref(tx: &ReadTx<'_>, kind: Kind, provider: &str, provider_ref: &str) -> Result<Option<Transaction>> {
    let sql = format!(
        "SELECT {FIELDS} {TABLES} WHERE t.provider_ref = ?1 AND t.provider = ?2 AND t.kind = ?3
           AND (t.status = 'pending' OR t.status = 'succeeded')"
    );
    tx.row(&sql, (provider_ref, provider, kind.name()), read)
}

/// Inserts a transaction of `order` and adds it to the rollups. The caller has checked that the provider's reference is
/// not recorded yet.
pub fn insert(tx: &WriteTx<'_>, order: &Order, transaction: &mut Transaction) -> Result<()> {
    personal::keep_of_transaction(tx, transaction, None)?;
    let seq = tx.with_counters(|counters| {
        counters.transaction += 1;
        counters.transaction
    });
    tx.execute(
        "INSERT INTO transactions (seq, id, order_seq, kind, status, amount, credit_amount, credit_tax_amount, credit_taxes,
           items, provider, provider_ref, payment_seq, personal_seq, occurred_at, recorded_at, reversed_at)
         VALUES (:seq, :id, :order_seq, :kind, :status, :amount, :credit_amount, :credit_tax_amount, :credit_taxes,
           :items, :provider, :provider_ref, (SELECT seq FROM transactions WHERE id = :payment_id), :personal_seq, :occurred_at,
           :recorded_at, :reversed_at)",
        named_params! {
            ":seq": seq, ":id": IdBlob(transaction.id), ":order_seq": order.seq, ":kind": transaction.kind.name(),
            ":status": transaction.status.name(), ":amount": transaction.amount,
            ":credit_amount": transaction.credit_amount(), ":credit_tax_amount": transaction.credit_tax_amount(),
            ":credit_taxes": credits::taxes(&transaction.credit_taxes), ":items": credits::items(&transaction.items),
            ":provider": transaction.provider, ":provider_ref": transaction.provider_ref,
            ":payment_id": transaction.payment_id.map(IdBlob), ":personal_seq": transaction.personal.map(|row| row.seq),
            ":occurred_at": transaction.occurred_at.millis(), ":recorded_at": transaction.recorded_at.millis(),
            ":reversed_at": transaction.reversed_at.map(Timestamp::millis),
        },
    )?;
    count_sums(tx, order, transaction, 1);
    Ok(())
}

/// Replaces a transaction of `order` by its new state, in the rollups too.
pub fn update(tx: &WriteTx<'_>, order: &Order, before: &Transaction, after: &mut Transaction) -> Result<()> {
    personal::keep_of_transaction(tx, after, Some(before))?;
    tx.execute(
        "UPDATE transactions SET status = :status, amount = :amount, credit_amount = :credit_amount,
           credit_tax_amount = :credit_tax_amount, credit_taxes = :credit_taxes, items = :items,
           personal_seq = :personal_seq,
           occurred_at = :occurred_at, reversed_at = :reversed_at WHERE id = :id",
        named_params! {
            ":id": IdBlob(after.id), ":status": after.status.name(), ":amount": after.amount,
            ":credit_amount": after.credit_amount(), ":credit_tax_amount": after.credit_tax_amount(),
            ":credit_taxes": credits::taxes(&after.credit_taxes), ":items": credits::items(&after.items),
            ":personal_seq": after.personal.map(|row| row.seq), ":occurred_at": after.occurred_at.millis(),
            ":reversed_at": after.reversed_at.map(Timestamp::millis),
        },
    )?;
    count_sums(tx, order, before, -1);
    count_sums(tx, order, after, 1);
    Ok(())
}

/// Moves the transactions of an order in the rollups from its former user to the present one.
pub fn move_to_user(tx: &WriteTx<'_>, before: &Order, after: &Order) -> Result<()> {
    for (_, transaction) in of_order(tx, after.seq, i64::MAX, usize::MAX)? {
        recount(tx, &transaction, before, after);
    }
    Ok(())
}

/// Counts the reversed refunds of a cancelled order again: the time of the cancellation decides where their credits
/// count.
pub fn recount_after_cancellation(tx: &WriteTx<'_>, before: &Order, after: &Order) -> Result<()> {
    let sql =
        format!("SELECT {FIELDS} {TABLES} WHERE t.order_seq = ?1 AND t.status = 'reversed' AND t.credit_amount > 0");
    for transaction in tx.rows(&sql, [after.seq], read)? {
        recount(tx, &transaction, before, after);
    }
    Ok(())
}

fn recount(tx: &WriteTx<'_>, transaction: &Transaction, before: &Order, after: &Order) {
    count_sums(tx, before, transaction, -1);
    count_sums(tx, after, transaction, 1);
}

fn count_sums(tx: &WriteTx<'_>, order: &Order, transaction: &Transaction, times: i64) {
    rollup::of_transaction(transaction, order.into()).for_each(|sale| tx.count_sale(sale, times));
    rollup::taxes_of_transaction(transaction, order.into()).for_each(|sale| tx.count_tax(sale, times));
}

/// The transaction with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: TransactionId) -> Result<Option<Transaction>> {
    tx.row(&format!("SELECT {FIELDS} {TABLES} WHERE t.id = ?1"), [IdBlob(id)], read)
}

/// An order's transactions before row `before`, newest first, each with its row number.
pub fn of_order(tx: &ReadTx<'_>, order_seq: i64, before: i64, limit: usize) -> Result<Vec<(i64, Transaction)>> {
    let sql =
        format!("SELECT t.seq, {FIELDS} {TABLES} WHERE t.order_seq = ?1 AND t.seq < ?2 ORDER BY t.seq DESC LIMIT ?3");
    tx.rows(&sql, (order_seq, before, sql_int(limit)), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, read_from(row, &mut columns)?))
    })
}

/// A transaction with its row number and what its sums depend on of its order.
pub(super) struct TransactionRow {
    pub(super) seq: i64,
    pub(super) order: OrderContext,
    pub(super) transaction: Transaction,
}

/// The transactions after row `seq`, in the order of their rows.
pub(super) fn after(tx: &ReadTx<'_>, seq: i64, limit: usize) -> Result<Vec<TransactionRow>> {
    let sql =
        format!("SELECT t.seq, o.user_id, o.cancelled_at, {FIELDS} {TABLES} WHERE t.seq > ?1 ORDER BY t.seq LIMIT ?2");
    tx.rows(&sql, (seq, sql_int(limit)), |row| {
        let mut columns = Columns::of(row);
        let seq = columns.take()?;
        let order = OrderContext { user_id: columns.id_or_none()?, cancelled_at: columns.instant_or_none()? };
        Ok(TransactionRow { seq, order, transaction: read_from(row, &mut columns)? })
    })
}

/// The pending refunds of an order.
pub fn pending_refunds(tx: &ReadTx<'_>, order_seq: i64) -> Result<Vec<Transaction>> {
    let sql = format!(
        "SELECT {FIELDS} {TABLES} WHERE t.order_seq = ?1 AND t.kind = 'refund' AND t.status = 'pending' ORDER BY t.seq"
    );
    tx.rows(&sql, [order_seq], read)
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
