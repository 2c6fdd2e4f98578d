//! The changes of one transaction in all rollups. They are collected while its jobs run and become one row of the log.

use super::{
    Entries, EntryKey, FINEST_SPAN, Rollup, Values, dimension, item_values, padded, sale_values, tax_values,
    user_values,
};
use crate::domain::{
    calendar::bucket,
    rollup::{ItemSale, Sale, StatusEntry, TaxSale},
};
use rusqlite::Connection;

/// Changes, each with how often it counts: 1 adds it to the rollups, −1 takes it out.
#[derive(Default)]
pub(in crate::store) struct Changes {
    sales: Vec<(Sale, i64)>,
    statuses: Vec<(StatusEntry, i64)>,
    items: Vec<(ItemSale, i64)>,
    taxes: Vec<(TaxSale, i64)>,
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

    /// The changes as entries of each rollup, in the order of [`Rollup::ALL`]. New SKUs are given their numbers.
    pub(super) fn entries(&self, connection: &Connection) -> rusqlite::Result<[Entries; Rollup::ALL.len()]> {
        let [mut sales, mut users, mut statuses, mut items, mut taxes] = [const { Entries::new() }; Rollup::ALL.len()];
        for (Sale { at, currency, user_id, sums }, times) in &self.sales {
            let key = |dimension| EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut sales, key(0), sale_values(sums), *times);
            add(&mut users, key(dimension::of_user(connection, *user_id)?), user_values(sums), *times);
        }
        for (StatusEntry { at, currency, status, payment_status, total }, times) in &self.statuses {
            let dimension = dimension::of_statuses(*status, *payment_status);
            let key = EntryKey { bucket: bucket(FINEST_SPAN, *at), currency: *currency, dimension };
            add(&mut statuses, key, padded(&[1, (*total).into()]), *times);
        }
        for (ItemSale { at, sku, currency, sums }, times) in &self.items {
            let dimension = dimension::of_item(connection, sku)?;
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
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * i128::from(times));
}
