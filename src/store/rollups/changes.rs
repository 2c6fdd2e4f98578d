//! The changes of one transaction in all rollups. They are collected while its jobs run and become one row of the log.

use super::{
    COLUMNS, Entries, EntryKey, FINEST_SPAN, Values,
    dimension::{self, KnownDimensions},
    item_values, padded, sale_values, tax_values, user_values,
};
use crate::{
    domain::{
        calendar::bucket,
        id::UserId,
        rollup::{ItemSale, Sale, StatusEntry, TaxSale},
    },
    store::Recorder,
};
use rusqlite::Connection;

/// Changes, each with how often it counts: 1 adds it to the rollups, −1 takes it out.
#[derive(Default)]
pub(in crate::store) struct Changes {
    sales: Vec<(Sale, i64)>,
    statuses: Vec<(StatusEntry, i64)>,
    items: Vec<(ItemSale, i64)>,
    taxes: Vec<(TaxSale, i64)>,
    known: KnownDimensions,
}

/// How many changes of each kind there are.
#[derive(Clone, Copy, Default)]
pub(in crate::store) struct Length {
    sales: usize,
    statuses: usize,
    items: usize,
    taxes: usize,
}

impl Changes {
    pub(in crate::store) fn count_sale(&mut self, sale: Sale, times: i64) {
        self.sales.push((sale, times));
    }

    pub(in crate::store) fn count_status(&mut self, entry: StatusEntry, times: i64) {
        self.statuses.push((entry, times));
    }

    pub(in crate::store) fn count_item(&mut self, sale: ItemSale, times: i64) {
        self.items.push((sale, times));
    }

    pub(in crate::store) fn count_tax(&mut self, sale: TaxSale, times: i64) {
        self.taxes.push((sale, times));
    }

    pub(in crate::store) fn length(&self) -> Length {
        Length {
            sales: self.sales.len(),
            statuses: self.statuses.len(),
            items: self.items.len(),
            taxes: self.taxes.len(),
        }
    }

    /// Drops every change after the first `length`.
    pub(in crate::store) fn truncate(&mut self, length: Length) {
        self.sales.truncate(length.sales);
        self.statuses.truncate(length.statuses);
        self.items.truncate(length.items);
        self.taxes.truncate(length.taxes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sales.is_empty() && self.statuses.is_empty() && self.items.is_empty() && self.taxes.is_empty()
    }

    /// The transaction was rolled back: numbers that it gave to SKUs are not theirs.
    pub(in crate::store) fn forget_dimensions(&mut self) {
        self.known = KnownDimensions::default();
    }

    /// `users.seq` of a user; none for an unknown one.
    pub(in crate::store) fn user_seq(
        &mut self,
        connection: &Connection,
        user: UserId,
    ) -> rusqlite::Result<Option<i64>> {
        self.known.user(connection, user)
    }

    /// The changes as entries of each rollup, in the order of [`Rollup::ALL`]. New SKUs are given their numbers.
    pub(super) fn entries(
        &mut self,
        connection: &Connection,
        recorder: Option<&Recorder>,
    ) -> rusqlite::Result<[Entries; COLUMNS]> {
        let [mut sales, mut users, mut statuses, mut items, mut taxes] = [const { Entries::new() }; COLUMNS];
        for (Sale { at, currency, user_id, sums }, times) in &self.sales {
            let key = |dimension| EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut sales, key(0), sale_values(sums), *times);
            add(&mut users, key(self.known.of_user(connection, *user_id)?), user_values(sums), *times);
        }
        for (StatusEntry { at, currency, status, payment_status, total }, times) in &self.statuses {
            let dimension = dimension::of_statuses(*status, *payment_status);
            let key = EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut statuses, key, padded(&[1, (*total).into()]), *times);
        }
        for (ItemSale { at, sku, currency, sums }, times) in &self.items {
            let dimension = self.known.of_item(connection, sku, recorder)?;
            let key = EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut items, key, item_values(sums), *times);
        }
        for (TaxSale { at, currency, rate, sums }, times) in &self.taxes {
            let dimension = dimension::of_rate(*rate);
            let key = EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut taxes, key, tax_values(sums), *times);
        }
        Ok([sales, users, statuses, items, taxes])
    }
}

fn add(entries: &mut Entries, key: EntryKey, values: Values, times: i64) {
    let sums = entries.entry(key).or_default();
    // Most values are 0, and to multiply 128 bits takes longer than to see that.
    let changed = sums.iter_mut().zip(values).filter(|(_, value)| *value != 0);
    changed.for_each(|(sum, value)| *sum += value * i128::from(times));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{money::Currency, rollup::ItemSums, time::Timestamp},
        store::schema::SCHEMA,
    };

    /// Sells one unit in a transaction of its own, and returns the number of the SKU.
    fn sell(changes: &mut Changes, connection: &Connection, sku: &str) -> i64 {
        let (at, currency) = (Timestamp::from_millis(0), Currency::parse("EUR").unwrap());
        let sums = ItemSums { quantity: 1, orders: 1, total: 1 };
        changes.truncate(Length::default());
        changes.count_item(ItemSale { at, sku: sku.to_owned(), currency, sums }, 1);
        let [_, _, _, items, _] = changes.entries(connection, None).unwrap();
        items.keys().next().unwrap().dimension
    }

    #[test]
    fn a_number_that_was_rolled_back_is_not_used_again() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut changes = Changes::default();
        connection.execute_batch("BEGIN").unwrap();
        let lost = sell(&mut changes, &connection, "lost");
        connection.execute_batch("ROLLBACK").unwrap();
        changes.forget_dimensions();
        let numbers = ["other", "lost", "other"].map(|sku| sell(&mut changes, &connection, sku));
        assert_eq!(numbers, [lost, lost + 1, lost]);
    }
}
