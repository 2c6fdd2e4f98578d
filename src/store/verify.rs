//! Verifying a file: each check recomputes what the rows must agree with and names the first row that does not. SQLite's
//! own check comes first, but it does not see a changed value in a row; the chains and sums do.

use super::{ReadTx, audit, events};
use crate::error::Result;

/// A check, and what it found.
#[derive(Debug)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// The first fault: where it is, what is stored and what was recomputed.
    pub fault: Option<String>,
}

/// Sums and counts that each order must agree with: the name of the check, and a statement that finds the first order
/// which does not, as its row, what is stored and what the other rows say.
const SUMS: &[(&str, &str)] = &[
    (
        "order_totals",
        "SELECT o.seq, o.subtotal_amount || ' and ' || o.tax_amount,
           sum(i.quantity * i.unit_amount) || ' and ' || sum(i.tax_amount)
         FROM orders o JOIN order_items i ON i.order_seq = o.seq GROUP BY o.seq
         HAVING o.subtotal_amount <> sum(i.quantity * i.unit_amount) OR o.tax_amount <> sum(i.tax_amount) LIMIT 1",
    ),
    (
        "order_payments",
        "SELECT o.seq, o.paid_amount || ' and ' || o.refunded_amount,
           coalesce(sum(t.amount) FILTER (WHERE t.kind = 'payment'), 0) || ' and '
             || coalesce(sum(t.amount) FILTER (WHERE t.kind = 'refund'), 0)
         FROM orders o LEFT JOIN transactions t ON t.order_seq = o.seq AND t.status = 'succeeded' GROUP BY o.seq
         HAVING o.paid_amount <> coalesce(sum(t.amount) FILTER (WHERE t.kind = 'payment'), 0)
           OR o.refunded_amount <> coalesce(sum(t.amount) FILTER (WHERE t.kind = 'refund'), 0) LIMIT 1",
    ),
    (
        "order_versions",
        "SELECT o.seq, o.version, count(e.seq) FROM orders o LEFT JOIN events e ON e.order_seq = o.seq GROUP BY o.seq
         HAVING o.version <> count(e.seq) LIMIT 1",
    ),
    (
        "order_numbers",
        "SELECT max(number), max(number), count(*) FROM orders WHERE number IS NOT NULL HAVING max(number) <> count(*)",
    ),
];

/// The same for each currency: what the summary of days has, and what the orders and transactions say.
const FIGURES: &str = "
    WITH stored AS (
      SELECT currency, sum(orders_placed) AS placed, sum(booked_amount) AS booked, sum(cancelled_amount) AS cancelled,
        sum(paid_amount) AS paid, sum(refunded_amount) AS refunded
      FROM sales WHERE span = 86400 GROUP BY currency),
    recomputed AS (
      SELECT o.currency, count(*) AS placed, sum(o.total_amount) AS booked,
        coalesce(sum(o.total_amount) FILTER (WHERE o.cancelled_at IS NOT NULL), 0) AS cancelled,
        sum(o.paid_amount) AS paid, sum(o.refunded_amount) AS refunded
      FROM orders o WHERE o.placed_at IS NOT NULL GROUP BY o.currency)
    SELECT coalesce(r.currency, s.currency),
      concat_ws(', ', s.placed, s.booked, s.cancelled, s.paid, s.refunded),
      concat_ws(', ', r.placed, r.booked, r.cancelled, r.paid, r.refunded)
    FROM recomputed r FULL JOIN stored s ON s.currency = r.currency
    WHERE (s.placed, s.booked, s.cancelled, s.paid, s.refunded)
      IS NOT (r.placed, r.booked, r.cancelled, r.paid, r.refunded) LIMIT 1";

/// What was sold of each item on each day: what the summary has, and what the orders and their items say.
const ITEM_SALES: &str = "
    WITH recomputed AS (
      SELECT o.placed_at / 86400000 AS day, i.sku, o.currency, sum(i.quantity) AS quantity,
        count(DISTINCT o.seq) AS orders, sum(i.total_amount) AS total
      FROM orders o JOIN order_items i ON i.order_seq = o.seq
      WHERE o.placed_at IS NOT NULL AND o.status <> 'cancelled' GROUP BY 1, 2, 3)
    SELECT concat_ws(' ', coalesce(r.day, s.day), coalesce(r.sku, s.sku), coalesce(r.currency, s.currency)),
      concat_ws(', ', s.quantity, s.orders, s.total_amount), concat_ws(', ', r.quantity, r.orders, r.total)
    FROM recomputed r FULL JOIN item_sales s ON s.day = r.day AND s.sku = r.sku AND s.currency = r.currency
    WHERE (coalesce(s.quantity, 0), coalesce(s.orders, 0), coalesce(s.total_amount, 0))
      IS NOT (coalesce(r.quantity, 0), coalesce(r.orders, 0), coalesce(r.total, 0)) LIMIT 1";

/// That no order was placed before one with a lower number: those of some hours are found by halving numbers.
const PLACED_IN_ORDER: &str = "
    SELECT number, placed_at, before FROM (
      SELECT number, placed_at, lag(placed_at) OVER (ORDER BY number) AS before FROM orders WHERE number IS NOT NULL)
    WHERE placed_at < before LIMIT 1";

/// Every check, in the order of what they rest on.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = vec![
        Check { name: "sqlite", fault: sqlite(tx)? },
        Check { name: "foreign_keys", fault: foreign_keys(tx)? },
        Check { name: "audit_chain", fault: audit::verify(tx)?.map(broken_link) },
        Check { name: "event_chain", fault: events::verify(tx)?.map(broken_link) },
    ];
    for &(name, sql) in SUMS {
        checks.push(Check { name, fault: first(tx, sql, "order row")? });
    }
    checks.push(Check { name: "placed_in_order", fault: first(tx, PLACED_IN_ORDER, "order number")? });
    checks.push(Check { name: "figures", fault: first(tx, FIGURES, "currency")? });
    checks.push(Check { name: "item_sales", fault: first(tx, ITEM_SALES, "day, SKU and currency")? });
    Ok(checks)
}

fn sqlite(tx: &ReadTx<'_>) -> Result<Option<String>> {
    let found = tx.row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))?;
    Ok(found.filter(|found| found != "ok"))
}

fn foreign_keys(tx: &ReadTx<'_>) -> Result<Option<String>> {
    tx.row("PRAGMA foreign_key_check", [], |row| {
        let (table, seq): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(format!("row {} of {table} refers to nothing", seq.unwrap_or(0)))
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
