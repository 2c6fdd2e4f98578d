//! The index that a list is read from, and its ranges: the parts of the index that are in the order of the list.

use super::super::{
    blocks::{IN_SKU_BLOCK, IN_TOTAL_BLOCK, SKU_BLOCK_BITS, TOTAL_BLOCK_BITS},
    filter::{Owner, of_reference, of_sku, of_statuses, of_user, status_pairs, unindexed},
};
use crate::{
    domain::{
        id::UserId,
        listing::{Direction, Filter, Sort, SortKey},
    },
    error::Result,
    store::{ReadTx, conditions::Conditions, sql::sql_int},
};
use rusqlite::{params_from_iter, types::Value};
use std::ops::Range;

/// The index that a list is read from.
pub(super) enum Source {
    /// `orders_by_external_ref`: one order at most.
    Reference(String),
    /// `orders_by_user`. One user's orders are few, and SQLite sorts them where another order than that of rows is
    /// asked for.
    User(UserId),
    /// `order_items_by_sku`: a range for each block of orders.
    Sku(String),
    /// `orders_by_status`: a range for each pair of status and payment status.
    Statuses,
    /// The table of orders.
    Everything,
    /// `orders_by_update`.
    Update,
    /// `orders_by_total`: a range for each block of orders.
    Total,
}

impl Source {
    pub(super) fn of(filter: &Filter, owner: &Owner, key: SortKey) -> Self {
        match (filter, owner, key) {
            (Filter { external_ref: Some(reference), .. }, ..) => Self::Reference(reference.clone()),
            (_, Owner::User(user), _) => Self::User(*user),
            (_, _, SortKey::Updated) => Self::Update,
            (_, _, SortKey::Total) => Self::Total,
            (Filter { sku: Some(sku), .. }, ..) => Self::Sku(sku.clone()),
            (Filter { statuses, payment_statuses, .. }, ..)
                if !(statuses.is_empty() && payment_statuses.is_empty()) =>
            {
                Self::Statuses
            }
            _ => Self::Everything,
        }
    }

    /// The conditions that this index does not answer.
    pub(super) fn residual(&self, filter: &Filter, owner: &Owner) -> Conditions {
        let mut residual = unindexed(filter);
        if let Owner::User(user) = owner
            && !matches!(self, Self::User(_))
        {
            residual.join(&of_user(*user));
        }
        if let Some(sku) = &filter.sku
            && !matches!(self, Self::Sku(_))
        {
            residual.join(&of_sku(sku));
        }
        if !matches!(self, Self::Statuses) {
            residual.join(&of_statuses(filter));
        }
        residual
    }

    /// The ranges that hold every order with a row in `span`, the first in `direction` first.
    pub(super) fn ranges(&self, filter: &Filter, span: &Range<i64>, direction: Direction) -> Vec<IndexRange> {
        match self {
            Self::Reference(reference) => {
                vec![IndexRange::new("orders o INDEXED BY orders_by_external_ref", of_reference(reference))]
            }
            Self::User(user) => vec![IndexRange::new("orders o INDEXED BY orders_by_user", of_user(*user))],
            Self::Everything => vec![IndexRange::new("orders o NOT INDEXED", Conditions::default())],
            Self::Update => vec![IndexRange::new("orders o INDEXED BY orders_by_update", Conditions::default())],
            Self::Statuses => status_pairs(filter)
                .map(|(status, payment)| {
                    let names = [status.name(), payment.name()].map(|name| Value::Text(name.to_owned()));
                    let pair = Conditions::of("o.status = ? AND o.payment_status = ?", names);
                    IndexRange::new("orders o INDEXED BY orders_by_status", pair)
                })
                .collect(),
            Self::Sku(sku) => blocks(span, SKU_BLOCK_BITS, direction)
                .map(|block| {
                    let values = [Value::Integer(block), Value::Text(sku.clone())];
                    IndexRange {
                        from: "order_items i INDEXED BY order_items_by_sku CROSS JOIN orders o ON o.seq = i.order_seq",
                        rows: Rows::Lines,
                        conditions: Conditions::of(IN_SKU_BLOCK, values),
                    }
                })
                .collect(),
            Self::Total => blocks(span, TOTAL_BLOCK_BITS, direction)
                .map(|block| {
                    let block = Conditions::of(IN_TOTAL_BLOCK, [Value::Integer(block)]);
                    IndexRange::new("orders o INDEXED BY orders_by_total", block)
                })
                .collect(),
        }
    }
}

/// The blocks of 2^`bits` rows that `span` touches.
fn blocks(span: &Range<i64>, bits: u32, direction: Direction) -> Box<dyn Iterator<Item = i64>> {
    let blocks = span.start.max(0) >> bits..((span.end - 1).max(-1) >> bits) + 1;
    match direction {
        Direction::Ascending => Box::new(blocks),
        Direction::Descending => Box::new(blocks.rev()),
    }
}

/// The rows in an index range.
enum Rows {
    Orders,
    /// Lines of orders: an order may have several.
    Lines,
}

impl Rows {
    const fn seq(&self) -> &'static str {
        match self {
            Self::Orders => "o.seq",
            Self::Lines => "i.order_seq",
        }
    }

    const fn group(&self) -> &'static str {
        match self {
            Self::Orders => "",
            Self::Lines => "GROUP BY i.order_seq",
        }
    }

    const fn count(&self) -> &'static str {
        match self {
            Self::Orders => "count(*)",
            Self::Lines => "count(DISTINCT i.order_seq)",
        }
    }
}

/// A part of an index in the order of the list.
pub(super) struct IndexRange {
    from: &'static str,
    rows: Rows,
    conditions: Conditions,
}

impl IndexRange {
    pub(super) fn new(from: &'static str, conditions: Conditions) -> Self {
        Self { from, rows: Rows::Orders, conditions }
    }

    /// At most `limit` orders of the range: the value that each is sorted by, and its row.
    pub(super) fn read(&self, tx: &ReadTx<'_>, more: &Conditions, sort: Sort, limit: usize) -> Result<Vec<(i64, i64)>> {
        let (sql, values) = self.statement(more, sort, limit);
        tx.rows(&sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn statement(&self, more: &Conditions, sort: Sort, limit: usize) -> (String, Vec<Value>) {
        let (seq, direction) = (self.rows.seq(), if sort.direction == Direction::Ascending { "ASC" } else { "DESC" });
        let (value, order) = match sort.key {
            SortKey::Created => (seq, format!("{seq} {direction}")),
            SortKey::Updated => ("o.updated_at", format!("o.updated_at {direction}, {seq} {direction}")),
            SortKey::Total => ("o.total_amount", format!("o.total_amount {direction}, {seq} {direction}")),
        };
        let (mut conditions, from, group) = (self.conditions.clone(), self.from, self.rows.group());
        conditions.join(more);
        let sql =
            format!("SELECT {value}, {seq} FROM {from} WHERE {} {group} ORDER BY {order} LIMIT ?", conditions.text());
        conditions.values.push(Value::Integer(sql_int(limit)));
        (sql, conditions.values)
    }

    /// The number of orders in the range.
    pub(super) fn count(&self, tx: &ReadTx<'_>, more: &Conditions) -> Result<i64> {
        let (mut conditions, from, count) = (self.conditions.clone(), self.from, self.rows.count());
        conditions.join(more);
        let sql = format!("SELECT {count} FROM {from} WHERE {}", conditions.text());
        Ok(tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0))?.unwrap_or(0))
    }

    /// The condition that a row of the range is in `span`.
    pub(super) fn within(&self, span: &Range<i64>) -> Conditions {
        let bounds = [Value::Integer(span.start), Value::Integer(span.end)];
        Conditions::of(&format!("{0} >= ? AND {0} < ?", self.rows.seq()), bounds)
    }
}

#[cfg(test)]
mod tests;
