//! Verifying a file: each check recomputes what the rows must agree with and names the first row that does not. SQLite's
//! own check comes first, but it does not see a changed value in a row; chains, sums and the history do. Users, roles,
//! sessions, API keys and idempotency keys have nothing to be held against and are checked by SQLite alone.

mod history;
mod schema;

use super::{ReadTx, audit, events, reconcile};
use crate::error::{Error, Result};

pub use super::reconcile::rebuild::{Rebuilt, rebuild};

/// A check, and what it found.
#[derive(Debug)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// The first fault: where it is, what is stored and what was recomputed.
    pub fault: Option<String>,
}

/// What each order and transaction must agree with: the name of the check, what its rows are called, and a statement that
/// finds the first row which does not agree: the row, what is stored, and what the other rows say.
const RULES: &[(&str, &str, &str)] = &[
    (
        "order_versions",
        "order row",
        "SELECT o.seq, o.version, count(e.seq) FROM orders o LEFT JOIN events e ON e.order_seq = o.seq GROUP BY o.seq
         HAVING o.version <> count(e.seq) LIMIT 1",
    ),
    (
        "order_numbers",
        "order row",
        "SELECT seq, number, place FROM (SELECT seq, number, row_number() OVER (ORDER BY number) AS place FROM orders
           WHERE number IS NOT NULL) WHERE number <> place LIMIT 1",
    ),
    // Orders that were placed in some hours are found by halving numbers.
    (
        "placed_in_order",
        "order number",
        "SELECT number, placed_at, before FROM (
           SELECT number, placed_at, lag(placed_at) OVER (ORDER BY number) AS before FROM orders WHERE number IS NOT NULL)
         WHERE placed_at < before LIMIT 1",
    ),
    (
        "order_statuses",
        "order row",
        "SELECT seq, status || ' and ' || payment_status, told || ' and ' || settled FROM (
           SELECT seq, status, payment_status, confirmed_at, fulfilled_at, cancelled_at,
             CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled' WHEN fulfilled_at IS NOT NULL THEN 'fulfilled'
               WHEN confirmed_at IS NOT NULL THEN 'confirmed' WHEN placed_at IS NOT NULL THEN 'pending'
               ELSE 'draft' END AS told,
             CASE WHEN refunded_amount = paid_amount AND paid_amount > 0 THEN 'refunded'
               WHEN refunded_amount > 0 THEN 'partially_refunded' WHEN paid_amount > total_amount THEN 'overpaid'
               WHEN paid_amount = total_amount THEN 'paid' WHEN paid_amount > 0 THEN 'partially_paid'
               ELSE 'unpaid' END AS settled FROM orders)
         WHERE status <> told OR payment_status <> settled LIMIT 1",
    ),
    (
        "order_times",
        "order row",
        "SELECT seq, concat_ws(' ', created_at, placed_at, confirmed_at, fulfilled_at, cancelled_at, updated_at),
           'one after the other'
         FROM orders WHERE (number IS NULL) <> (placed_at IS NULL) OR (confirmed_at IS NOT NULL AND placed_at IS NULL)
           OR (fulfilled_at IS NOT NULL AND (confirmed_at IS NULL OR cancelled_at IS NOT NULL))
           OR placed_at < created_at OR confirmed_at < placed_at OR fulfilled_at < confirmed_at
           OR cancelled_at < coalesce(confirmed_at, placed_at, created_at)
           OR updated_at < coalesce(cancelled_at, fulfilled_at, confirmed_at, placed_at, created_at) LIMIT 1",
    ),
    (
        "refunds_of_orders",
        "order row",
        "SELECT order_seq, refunds, payments FROM (
           SELECT order_seq, sum(amount) FILTER (WHERE kind = 'refund' AND status IN ('succeeded', 'pending')) AS refunds,
             coalesce(sum(amount) FILTER (WHERE kind = 'payment' AND status = 'succeeded'), 0) AS payments
           FROM transactions GROUP BY order_seq) WHERE refunds > payments LIMIT 1",
    ),
    (
        "refunds_of_payments",
        "transaction row",
        "SELECT seq, refunds, payment FROM (
           SELECT p.seq, iif(p.kind = 'payment' AND p.status = 'succeeded', p.amount, 0) AS payment,
             (SELECT sum(r.amount) FROM transactions r WHERE r.order_seq = p.order_seq AND r.payment_seq = p.seq
               AND r.status IN ('succeeded', 'pending')) AS refunds FROM transactions p)
         WHERE refunds > payment LIMIT 1",
    ),
    (
        "refunds_name_payments",
        "transaction row",
        "SELECT r.seq, r.payment_seq, 'a payment of the same order' FROM transactions r
         LEFT JOIN transactions p ON p.seq = r.payment_seq
         WHERE r.payment_seq IS NOT NULL AND (p.order_seq, p.kind) IS NOT (r.order_seq, 'payment') LIMIT 1",
    ),
    (
        "transaction_rows",
        "transaction row",
        "SELECT seq, seq, place FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM transactions)
         WHERE seq <> place LIMIT 1",
    ),
];

/// Every check, in the order of what they rest on.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = rows(tx)?;
    checks.extend(figures(tx)?);
    Ok(checks)
}

/// The checks that know no table, so that they hold of every schema.
pub(super) fn of_any_schema(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    Ok(vec![check("sqlite", sqlite(tx))?, check("foreign_keys", foreign_keys(tx))?])
}

/// The checks of everything but the figures.
pub(super) fn rows(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = vec![
        check("sqlite", sqlite(tx))?,
        check("schema", schema::difference(tx))?,
        check("foreign_keys", foreign_keys(tx))?,
        check("audit_chain", audit::verify(tx).map(|seq| seq.map(broken_link)))?,
        check("event_chain", events::verify(tx).map(|seq| seq.map(broken_link)))?,
    ];
    checks.extend(history::checks(tx)?);
    for &(name, what, sql) in RULES {
        checks.push(check(name, first(tx, sql, what))?);
    }
    Ok(checks)
}

/// The checks of the figures.
pub(super) fn figures(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = vec![];
    for (names, compare) in reconcile::groups() {
        match compare(tx) {
            Ok(comparisons) => {
                for comparison in comparisons {
                    checks.push(check(comparison.name, comparison.fault(tx))?);
                }
            }
            Err(e) => {
                let fault = unreadable(e)?;
                checks.extend(names.into_iter().map(|name| Check { name, fault: Some(fault.clone()) }));
            }
        }
    }
    Ok(checks)
}

fn check(name: &'static str, found: Result<Option<String>>) -> Result<Check> {
    let fault = found.or_else(|e| unreadable(e).map(Some))?;
    Ok(Check { name, fault })
}

/// What cannot be read is a fault of the file, and no reason to leave out the checks that follow.
fn unreadable(e: Error) -> Result<String> {
    match e.cause() {
        Some(cause) => Ok(format!("cannot be read: {cause}")),
        None => Err(e),
    }
}

fn sqlite(tx: &ReadTx<'_>) -> Result<Option<String>> {
    let found = tx.row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))?;
    // Several lines, for some faults.
    Ok(found.filter(|found| found != "ok").map(|found| found.replace('\n', " ")))
}

fn foreign_keys(tx: &ReadTx<'_>) -> Result<Option<String>> {
    tx.row("PRAGMA foreign_key_check", [], |row| {
        let (table, seq): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(match seq {
            Some(seq) => format!("row {seq} of {table} refers to nothing"),
            None => format!("a row of {table} refers to nothing"),
        })
    })
}

fn broken_link(seq: i64) -> String {
    format!("row {seq} is missing or not as it was written")
}

fn first(tx: &ReadTx<'_>, sql: &str, what: &str) -> Result<Option<String>> {
    tx.row(sql, [], |row| {
        let text = |index| row.get_ref(index).map(text);
        Ok(format!("{what} {}, stored {}, recomputed {}", text(0)?, text(1)?, text(2)?))
    })
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    match value {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        rusqlite::types::ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => "nothing".to_owned(),
    }
}
