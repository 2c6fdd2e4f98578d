//! Dimensions: the numbers by which the rollups know users, SKUs, tax rates and pairs of statuses, and what each number
//! stands for.

use crate::{
    domain::{id::UserId, money::TaxRate, order::OrderStatus, transaction::PaymentStatus, user::User},
    error::Result,
    store::{ReadTx, Recorder, sql::IdBlob, users},
};
use rusqlite::{Connection, OptionalExtension};
use std::{collections::HashMap, hash::Hash};

/// Room for payment statuses within each status.
const PAYMENT_STATUSES: i64 = 16;

/// The users and SKUs whose numbers are kept in memory, at most so many of each.
const MAX_KNOWN: usize = 50_000;

/// Numbers of users and SKUs that were looked up before. They never change, but a rollback takes back those that its
/// transaction gave: then all of them have to be dropped.
#[derive(Default)]
pub(super) struct KnownDimensions {
    users: HashMap<UserId, i64>,
    skus: HashMap<String, i64>,
}

impl KnownDimensions {
    /// `users.seq` of a user; none for an unknown one.
    pub(super) fn user(&mut self, connection: &Connection, user: UserId) -> rusqlite::Result<Option<i64>> {
        if let Some(seq) = self.users.get(&user) {
            return Ok(Some(*seq));
        }
        let mut select = connection.prepare_cached("SELECT seq FROM users WHERE id = ?1")?;
        let seq = select.query_row([IdBlob(user)], |row| row.get(0)).optional()?;
        if let Some(seq) = seq {
            keep(&mut self.users, user, seq);
        }
        Ok(seq)
    }

    /// The number of a user, or 0 for orders without a user.
    pub(super) fn of_user(&mut self, connection: &Connection, user: Option<UserId>) -> rusqlite::Result<i64> {
        let Some(user) = user else { return Ok(0) };
        self.user(connection, user)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// `skus.seq` of a SKU. A SKU that has no number yet is given one.
    pub(super) fn of_item(
        &mut self,
        connection: &Connection,
        sku: &str,
        recorder: Option<&Recorder>,
    ) -> rusqlite::Result<i64> {
        if let Some(dimension) = self.skus.get(sku) {
            return Ok(*dimension);
        }
        let mut stored = connection.prepare_cached("SELECT seq FROM skus WHERE sku = ?1")?;
        let dimension = match stored.query_row([sku], |row| row.get(0)).optional()? {
            Some(dimension) => dimension,
            None => add_sku(connection, sku, recorder)?,
        };
        keep(&mut self.skus, sku.to_owned(), dimension);
        Ok(dimension)
    }
}

/// Gives a SKU the number after the highest.
fn add_sku(connection: &Connection, sku: &str, recorder: Option<&Recorder>) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO skus (sku) VALUES (?1)";
    let mut insert = connection.prepare_cached(sql)?;
    match recorder {
        None => insert.execute([sku])?,
        Some(recorder) => recorder.execute(sql, &mut insert, [sku])?,
    };
    Ok(connection.last_insert_rowid())
}

/// Keeps one number more, and only that if there are too many.
fn keep<K: Hash + Eq>(known: &mut HashMap<K, i64>, key: K, dimension: i64) {
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(key, dimension);
}

/// The number of a pair of statuses. The numbers are stored: a new status gets a new one, and none is used again.
pub(super) fn of_statuses(status: OrderStatus, payment_status: PaymentStatus) -> i64 {
    let status = match status {
        OrderStatus::Draft => 0,
        OrderStatus::Pending => 1,
        OrderStatus::Confirmed => 2,
        OrderStatus::Fulfilled => 3,
        OrderStatus::Cancelled => 4,
    };
    let payment_status = match payment_status {
        PaymentStatus::Unpaid => 0,
        PaymentStatus::PartiallyPaid => 1,
        PaymentStatus::Paid => 2,
        PaymentStatus::Overpaid => 3,
        PaymentStatus::PartiallyRefunded => 4,
        PaymentStatus::Refunded => 5,
    };
    status * PAYMENT_STATUSES + payment_status
}

/// The number of a tax rate: its ten-thousandths of a percent plus one; 0 for items and fees without a rate.
pub(super) fn of_rate(rate: Option<TaxRate>) -> i64 {
    rate.map_or(0, |rate| rate.parts() + 1)
}

/// The tax rate that a dimension of [`Rollup::Taxes`](super::Rollup::Taxes) stands for, if it stands for any.
pub fn rate(dimension: i64) -> Option<Option<TaxRate>> {
    if dimension == 0 { Some(None) } else { TaxRate::from_parts(dimension - 1).map(Some) }
}

/// The pair of statuses that a dimension of [`Rollup::Statuses`](super::Rollup::Statuses) stands for.
pub fn statuses(dimension: i64) -> Option<(OrderStatus, PaymentStatus)> {
    let all =
        OrderStatus::ALL.iter().flat_map(|&status| PaymentStatus::ALL.iter().map(move |&payment| (status, payment)));
    all.into_iter().find(|&(status, payment)| of_statuses(status, payment) == dimension)
}

/// The users that dimensions of [`Rollup::Users`](super::Rollup::Users) stand for. Orders without a user have none.
pub fn users(tx: &ReadTx<'_>, dimensions: impl IntoIterator<Item = i64>) -> Result<HashMap<i64, User>> {
    users::by_rows(tx, dimensions)
}

/// The SKU that a dimension of [`Rollup::Items`](super::Rollup::Items) stands for.
pub fn sku(tx: &ReadTx<'_>, dimension: i64) -> Result<Option<String>> {
    tx.row("SELECT sku FROM skus WHERE seq = ?1", [dimension], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_statuses_has_its_own_dimension() {
        let mut seen = std::collections::BTreeSet::new();
        for &status in OrderStatus::ALL {
            for &payment in PaymentStatus::ALL {
                let dimension = of_statuses(status, payment);
                assert!(seen.insert(dimension));
                assert_eq!(statuses(dimension), Some((status, payment)));
            }
        }
        assert_eq!(statuses(PAYMENT_STATUSES - 1), None);
    }

    #[test]
    fn every_rate_has_its_own_dimension_and_so_has_none() {
        let rates = ["0", "0.0001", "8.875", "19", "100"].map(|text| TaxRate::parse(text).unwrap());
        for known in [None].into_iter().chain(rates.map(Some)) {
            assert_eq!(rate(of_rate(known)), Some(known));
        }
        assert_eq!((rate(-1), rate(of_rate(TaxRate::parse("100")) + 1)), (None, None));
    }
}
