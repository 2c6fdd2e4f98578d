//! Items sold: adding to their summary, once per transaction and row, and reading it for days in UTC; and the orders
//! themselves for the hours by which a day elsewhere differs. Numbers are given when orders are placed, so orders that
//! were placed in some hours are a run of numbers, found by halving, and no index over times is needed.

use super::{
    ReadTx,
    sql::{damaged, failed},
};
use crate::{
    domain::{
        calendar::{Run, SPANS, bucket},
        figures::{ItemSale, ItemSums},
        money::Currency,
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::{Connection, Row};
use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

/// What was sold of each SKU, in each currency.
pub type Sold = HashMap<String, BTreeMap<Currency, ItemSums>>;

/// Adds what was counted in a transaction to the summary.
pub(super) fn add(connection: &Connection, items: &[(ItemSale, i64)]) -> rusqlite::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let mut sold: BTreeMap<(i64, &str, Currency), ItemSums> = BTreeMap::new();
    for (item, times) in items {
        let key = (bucket(SPANS[0], item.at), item.sku.as_str(), item.currency);
        sold.entry(key).or_default().add(&item.sums, *times);
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO item_sales VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET quantity = quantity + ?4, orders = orders + ?5, total_amount = total_amount + ?6",
    )?;
    for ((day, sku, currency), sums) in sold.into_iter().filter(|(_, sums)| *sums != ItemSums::default()) {
        statement.execute((day, sku, currency.code(), sums.quantity, sums.orders, sums.total))?;
    }
    Ok(())
}

/// Adds to `sold` what was sold on a run of days in UTC.
pub fn add_days(tx: &ReadTx<'_>, days: Run, sold: &mut Sold) -> Result<()> {
    tx.each(
        "SELECT sku, currency, quantity, orders, total_amount FROM item_sales WHERE day BETWEEN ?1 AND ?2",
        (days.first, days.last),
        |row| {
            let (sku, currency) = key(row)?;
            let sums = ItemSums { quantity: row.get(2)?, orders: row.get(3)?, total: row.get(4)? };
            add_to(sold, sku, currency, &sums, days.times);
            Ok(())
        },
    )
}

/// Adds to `sold` what the orders of these numbers hold, `times` of it.
pub fn add_orders(tx: &ReadTx<'_>, numbers: &RangeInclusive<i64>, times: i64, sold: &mut Sold) -> Result<()> {
    tx.each(
        "SELECT i.sku, o.currency, i.quantity, i.total_amount,
           NOT EXISTS (SELECT 1 FROM order_items e WHERE e.order_seq = o.seq AND e.line < i.line AND e.sku = i.sku)
         FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
         WHERE o.number BETWEEN ?1 AND ?2 AND o.status <> 'cancelled'",
        (numbers.start(), numbers.end()),
        |row| {
            let (sku, currency) = key(row)?;
            let sums = ItemSums { quantity: row.get(2)?, total: row.get(3)?, orders: row.get(4)? };
            add_to(sold, sku, currency, &sums, times);
            Ok(())
        },
    )
}

/// The first two columns, without copying the SKU.
fn key<'r>(row: &'r Row<'_>) -> rusqlite::Result<(&'r str, Currency)> {
    let text = |index| row.get_ref(index)?.as_str().map_err(|_| damaged(index, "no text"));
    let currency = text(1)?;
    Ok((text(0)?, Currency::stored(currency).ok_or_else(|| damaged(1, currency))?))
}

fn add_to(sold: &mut Sold, sku: &str, currency: Currency, sums: &ItemSums, times: i64) {
    match sold.get_mut(sku) {
        Some(known) => known.entry(currency).or_default().add(sums, times),
        None => sold.entry(sku.to_owned()).or_default().entry(currency).or_default().add(sums, times),
    }
}

/// The numbers of the orders placed in `from..to`, both in seconds since the epoch.
pub fn numbers(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<RangeInclusive<i64>> {
    let last = "SELECT number FROM orders WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1";
    let end = tx.row(last, [], |row| row.get::<_, i64>(0))?.unwrap_or(0) + 1;
    let first =
        |at: i64| tx.first_since("SELECT placed_at FROM orders WHERE number = ?1", Timestamp::from_seconds(at), end);
    Ok(first(from)?..=first(to)? - 1)
}

/// The name that `sku` has in the newest order that was placed with it, in this currency, among those of these numbers
/// and made before `to` (in seconds since the epoch). The index has SKUs by blocks of orders, which are walked from the
/// newest; what is sold often is found in the first.
pub fn newest_name(
    tx: &ReadTx<'_>,
    (sku, currency): (&str, Currency),
    numbers: &RangeInclusive<i64>,
    newest: i64,
) -> Result<Option<String>> {
    let sql = "SELECT i.name FROM order_items i CROSS JOIN orders o ON o.seq = i.order_seq
         WHERE i.order_seq >> 9 = ?1 AND i.sku = ?2 AND o.currency = ?3 AND o.status <> 'cancelled'
           AND o.number BETWEEN ?4 AND ?5
         ORDER BY i.order_seq DESC, i.line DESC LIMIT 1";
    let mut statement = tx.connection.prepare_cached(sql).map_err(failed)?;
    for block in (0..=newest >> 9).rev() {
        let params = (block, sku, currency.code(), numbers.start(), numbers.end());
        let found = super::sql::optional(statement.query_row(params, |row| row.get(0)))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The last row of orders that were made before `to`, in seconds since the epoch: none that was placed before then comes
/// after it.
pub fn newest_before(tx: &ReadTx<'_>, to: i64) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    let created = "SELECT created_at FROM orders WHERE seq = ?1";
    Ok(tx.first_since(created, Timestamp::from_seconds(to), last + 1)? - 1)
}
