//! The summaries: adding to them, once per transaction and row, and reading a range of them.

use super::{
    ReadTx,
    sql::{Columns, Key},
};
use crate::{
    domain::{
        calendar::{Run, SPANS, bucket},
        figures::{Sale, Standing, Sums},
        id::{Identifier, UserId},
        money::Currency,
        order::OrderStatus,
        transaction::PaymentStatus,
    },
    error::Result,
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What status counts are kept by.
pub type StatusKey = (OrderStatus, PaymentStatus, Currency);

/// Whose sales: a user's 16 bytes, or none for orders of nobody.
type Whose = Vec<u8>;

/// Adds what was counted in a transaction to every summary.
pub(super) fn add(
    connection: &Connection,
    sales: &[(Sale, i64)],
    standings: &[(Standing, i64)],
) -> rusqlite::Result<()> {
    if sales.is_empty() && standings.is_empty() {
        return Ok(());
    }
    let mut by_bucket: BTreeMap<(i64, i64, Currency), Sums> = BTreeMap::new();
    let mut by_user: BTreeMap<(i64, i64, Whose, Currency), Sums> = BTreeMap::new();
    for (sale, times) in sales {
        let whose = sale.user_id.map_or_else(Vec::new, |user| user.bytes().to_vec());
        for span in SPANS {
            let bucket = bucket(span, sale.at);
            by_bucket.entry((span, bucket, sale.currency)).or_default().add(&sale.sums, *times);
            by_user.entry((span, bucket, whose.clone(), sale.currency)).or_default().add(&sale.sums, *times);
        }
    }
    add_sales(connection, by_bucket)?;
    add_user_sales(connection, by_user)?;
    add_standings(connection, standings)
}

fn add_sales(connection: &Connection, sums: BTreeMap<(i64, i64, Currency), Sums>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO sales VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET orders_placed = orders_placed + ?4, orders_cancelled = orders_cancelled + ?5,
           booked_amount = booked_amount + ?6, tax_amount = tax_amount + ?7, cancelled_amount = cancelled_amount + ?8,
           paid_amount = paid_amount + ?9, refunded_amount = refunded_amount + ?10",
    )?;
    for ((span, bucket, currency), s) in sums.into_iter().filter(|(_, sums)| *sums != Sums::default()) {
        statement.execute((
            span,
            bucket,
            currency.code(),
            s.orders_placed,
            s.orders_cancelled,
            s.booked,
            s.tax,
            s.cancelled,
            s.paid,
            s.refunded,
        ))?;
    }
    Ok(())
}

fn add_user_sales(connection: &Connection, sums: BTreeMap<(i64, i64, Whose, Currency), Sums>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO user_sales VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET orders_placed = orders_placed + ?5, booked_amount = booked_amount + ?6,
           cancelled_amount = cancelled_amount + ?7, paid_amount = paid_amount + ?8,
           refunded_amount = refunded_amount + ?9",
    )?;
    for ((span, bucket, whose, currency), s) in sums.into_iter().filter(|(_, sums)| *sums != Sums::default()) {
        let row = (span, bucket, whose, currency.code(), s.orders_placed, s.booked, s.cancelled, s.paid, s.refunded);
        statement.execute(row)?;
    }
    Ok(())
}

fn add_standings(connection: &Connection, standings: &[(Standing, i64)]) -> rusqlite::Result<()> {
    let mut sums: BTreeMap<(i64, i64, StatusKey), (i64, i64)> = BTreeMap::new();
    for (standing, times) in standings {
        for span in SPANS {
            let status = (standing.status, standing.payment_status, standing.currency);
            let key = (span, bucket(span, standing.at), status);
            let (orders, total) = sums.entry(key).or_default();
            *orders += times;
            *total += standing.total * times;
        }
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO status_sales VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET orders = orders + ?6, total_amount = total_amount + ?7",
    )?;
    for ((span, bucket, (status, payment_status, currency)), (orders, total)) in sums {
        if (orders, total) != (0, 0) {
            let row = (span, bucket, currency.code(), status.name(), payment_status.name(), orders, total);
            statement.execute(row)?;
        }
    }
    Ok(())
}

fn read_sums(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Sums> {
    Ok(Sums {
        orders_placed: columns.take()?,
        orders_cancelled: columns.take()?,
        booked: columns.take()?,
        tax: columns.take()?,
        cancelled: columns.take()?,
        paid: columns.take()?,
        refunded: columns.take()?,
    })
}

/// Shows `visit` each bucket of a run: which it is, and its sums in a currency.
pub fn sales(tx: &ReadTx<'_>, run: Run, mut visit: impl FnMut(i64, Currency, Sums)) -> Result<()> {
    tx.each(
        "SELECT bucket, currency, orders_placed, orders_cancelled, booked_amount, tax_amount, cancelled_amount,
           paid_amount, refunded_amount FROM sales WHERE span = ?1 AND bucket BETWEEN ?2 AND ?3",
        (run.span, run.first, run.last),
        |row| {
            let mut columns = Columns::of(row);
            visit(columns.take()?, columns.currency()?, read_sums(&mut columns)?);
            Ok(())
        },
    )
}

/// Shows `visit` the sums of each user and currency in each bucket of a run; no user for orders of nobody.
pub fn user_sales(tx: &ReadTx<'_>, run: Run, mut visit: impl FnMut(Option<UserId>, Currency, Sums)) -> Result<()> {
    tx.each(
        "SELECT user_id, currency, orders_placed, booked_amount, cancelled_amount, paid_amount, refunded_amount
         FROM user_sales WHERE span = ?1 AND bucket BETWEEN ?2 AND ?3",
        (run.span, run.first, run.last),
        |row| {
            let user = row.get_ref(0)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
            let mut columns = Columns::after(row, 1);
            let currency = columns.currency()?;
            let sums = Sums {
                orders_placed: columns.take()?,
                booked: columns.take()?,
                cancelled: columns.take()?,
                paid: columns.take()?,
                refunded: columns.take()?,
                ..Sums::default()
            };
            visit(user.map(UserId::from_bytes), currency, sums);
            Ok(())
        },
    )
}

/// Shows `visit` orders and their total in each bucket of a run, by status, payment status and currency.
pub fn standings(tx: &ReadTx<'_>, run: Run, mut visit: impl FnMut(StatusKey, i64, i64)) -> Result<()> {
    tx.each(
        "SELECT status, payment_status, currency, orders, total_amount FROM status_sales
         WHERE span = ?1 AND bucket BETWEEN ?2 AND ?3",
        (run.span, run.first, run.last),
        |row| {
            let mut columns = Columns::of(row);
            let (status, payment) = (columns.word(OrderStatus::parse)?, columns.word(PaymentStatus::parse)?);
            visit((status, payment, columns.currency()?), columns.take()?, columns.take()?);
            Ok(())
        },
    )
}

/// The address and name of a user, for a report.
pub fn user_label(tx: &ReadTx<'_>, id: UserId) -> Result<Option<(String, String)>> {
    tx.row("SELECT email, name FROM users WHERE id = ?1", [Key(id)], |row| Ok((row.get(0)?, row.get(1)?)))
}
