//! What was sold before: for each SKU and currency, the line that was placed last.
//!
//! An index from names to lines would cost every order an entry for each of its lines. So the lines are read once, when
//! this is asked for the first time, and kept in memory. After that only orders that changed since are read again.

use super::{
    ReadTx, events,
    orders::{OF_USER_1, SKU_BLOCK_BITS, sku_block_bits},
    sql::{Columns, IdBlob},
};
use crate::{
    domain::{
        id::UserId,
        money::{Currency, TaxRate},
        text::Folded,
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::Row;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

/// The most SKUs that are kept, those sold last. Each takes some 300 bytes.
const MOST: usize = 200_000;
/// After more events than this, all lines are read again.
const MOST_EVENTS: i64 = 50_000;

/// A SKU as it was last sold in a currency.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SoldItem {
    pub sku: String,
    pub name: String,
    pub currency: Currency,
    pub unit_amount: i64,
    pub tax_rate: Option<TaxRate>,
    pub last_sold_at: Timestamp,
}

/// When a line was placed, the row of its order, and its position there. Greater is newer.
type Place = (Timestamp, i64, i64);

/// A line of a placed order.
struct Line {
    place: Place,
    item: SoldItem,
}

struct Known {
    place: Place,
    item: SoldItem,
    /// SKU and name.
    folded: Folded,
}

/// The newest line of each SKU and currency.
#[derive(Default)]
pub struct SoldItems(HashMap<Currency, HashMap<String, Known>>);

impl SoldItems {
    /// The items with this text in the SKU or the name: the newest first, at most `limit`.
    pub fn newest(&self, sought: &Folded, limit: usize) -> Vec<SoldItem> {
        let mut found: Vec<_> = self.all().filter(|known| sought.is_in_folded(&known.folded)).collect();
        found.sort_unstable_by_key(|known| Reverse(known.place));
        found.into_iter().take(limit).map(|known| known.item.clone()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        self.0.values().flat_map(HashMap::values)
    }

    fn offer(&mut self, line: Line) {
        let by_sku = self.0.entry(line.item.currency).or_default();
        if by_sku.get(&line.item.sku).is_some_and(|known| known.place > line.place) {
            return;
        }
        let folded = Folded::of(&format!("{}\n{}", line.item.sku, line.item.name));
        by_sku.insert(line.item.sku.clone(), Known { place: line.place, item: line.item, folded });
    }

    /// Removes the SKUs that were last sold in one of these orders, and returns them with their places.
    fn take_those_of(&mut self, orders: &HashSet<i64>) -> Vec<(Currency, String, Place)> {
        let mut taken = vec![];
        for (currency, by_sku) in &mut self.0 {
            let gone = by_sku.extract_if(|_, known| orders.contains(&known.place.1));
            taken.extend(gone.map(|(sku, known)| (*currency, sku, known.place)));
        }
        taken
    }

    fn truncate(&mut self) {
        let mut places: Vec<_> = self.all().map(|known| known.place).collect();
        if places.len() > MOST {
            places.sort_unstable_by_key(|place| Reverse(*place));
            let last = places[MOST - 1];
            self.0.values_mut().for_each(|by_sku| by_sku.retain(|_, known| known.place >= last));
        }
    }
}

const LINES: &str = "SELECT o.placed_at, o.seq, i.line, i.sku, i.name, o.currency, i.unit_amount, i.tax_rate";

fn read(row: &Row<'_>) -> rusqlite::Result<Line> {
    let mut columns = Columns::of(row);
    let place = (columns.instant()?, columns.take()?, columns.take()?);
    Ok(Line {
        place,
        item: SoldItem {
            sku: columns.take()?,
            name: columns.take()?,
            currency: columns.currency()?,
            unit_amount: columns.take()?,
            tax_rate: columns.take::<Option<i64>>()?.and_then(TaxRate::from_parts),
            last_sold_at: place.0,
        },
    })
}

/// What was sold in the placed orders of a user, who has few.
pub fn of_user(tx: &ReadTx<'_>, user: UserId) -> Result<SoldItems> {
    let mut found = SoldItems::default();
    let sql = format!(
        "{LINES} FROM orders_of_users u CROSS JOIN orders o ON o.seq = u.order_seq
         CROSS JOIN order_items i ON i.order_seq = o.seq WHERE {OF_USER_1} AND o.placed_at IS NOT NULL"
    );
    tx.rows(&sql, [IdBlob(user)], read)?.into_iter().for_each(|line| found.offer(line));
    Ok(found)
}

/// What was sold in all orders, up to an event.
#[derive(Default)]
pub struct Cache(Mutex<Option<(i64, SoldItems)>>);

impl Cache {
    /// Calls `select` with what was sold in the snapshot of `tx`.
    pub fn with<T>(&self, tx: &ReadTx<'_>, select: impl FnOnce(&SoldItems) -> T) -> Result<T> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = events::last(tx)?;
        // It is taken out while it changes: after an error nothing is cached, never something half changed.
        let current = match cached.take() {
            // A snapshot that is older than the cache is read as it is now: the difference is some milliseconds.
            Some((until, items)) if last <= until => (until, items),
            Some((until, items)) if last - until <= MOST_EVENTS => (last, brought_up_to_date(tx, items, until)?),
            _ => (last, read_all(tx)?),
        };
        let selected = select(&current.1);
        *cached = Some(current);
        Ok(selected)
    }
}

fn read_all(tx: &ReadTx<'_>) -> Result<SoldItems> {
    let mut items = SoldItems::default();
    let sql =
        format!("{LINES} FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq WHERE o.placed_at IS NOT NULL");
    tx.each(&sql, [], |row| {
        let (placed_at, order_seq, line) = (Timestamp::from_millis(row.get(0)?), row.get(1)?, row.get(2)?);
        let currency = row.get_ref(5)?.as_str()?;
        let by_sku = Currency::stored(currency).and_then(|currency| items.0.get(&currency));
        let known = by_sku.and_then(|by_sku| by_sku.get(row.get_ref(3).ok()?.as_str().ok()?));
        if known.is_none_or(|known| known.place < (placed_at, order_seq, line)) {
            items.offer(read(row)?);
        }
        Ok(())
    })?;
    items.truncate();
    Ok(items)
}

fn brought_up_to_date(tx: &ReadTx<'_>, mut items: SoldItems, until: i64) -> Result<SoldItems> {
    let changed = tx.rows("SELECT DISTINCT order_seq FROM events WHERE seq > ?1", [until], |row| row.get(0))?;
    let changed: HashSet<i64> = changed.into_iter().collect();
    let taken = items.take_those_of(&changed);
    let sql = format!(
        "{LINES} FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
         WHERE o.seq = ?1 AND o.placed_at IS NOT NULL"
    );
    for order in &changed {
        tx.rows(&sql, [order], read)?.into_iter().for_each(|line| items.offer(line));
    }
    // What was sold last may be sold no more. Then the line before it can be in any order.
    for (currency, sku, place) in taken {
        let offered = items.0.get(&currency).and_then(|by_sku| by_sku.get(&sku));
        if offered.is_none_or(|known| known.place < place)
            && let Some(line) = newest(tx, currency, &sku)?
        {
            items.offer(line);
        }
    }
    items.truncate();
    Ok(items)
}

/// The newest line of a SKU. The index has SKUs by blocks of orders.
fn newest(tx: &ReadTx<'_>, currency: Currency, sku: &str) -> Result<Option<Line>> {
    let last = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    let sql = format!(
        "{LINES} FROM order_items i INDEXED BY order_items_by_sku CROSS JOIN orders o ON o.seq = i.order_seq
         WHERE i.order_seq >> {} = ?1 AND i.sku = ?2 AND o.currency = ?3 AND o.placed_at IS NOT NULL",
        sku_block_bits!()
    );
    let mut newest: Option<Line> = None;
    for block in 0..=last >> SKU_BLOCK_BITS {
        let lines = tx.rows(&sql, (block, sku, currency.code()), read)?;
        newest = lines.into_iter().chain(newest).max_by_key(|line| line.place);
    }
    Ok(newest)
}
