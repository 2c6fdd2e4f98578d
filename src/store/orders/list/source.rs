//! The index that a list is read from, and its runs: the parts of it that are in the order of the list.

use super::super::filter::{Conditions, Whose, of_reference, of_sku, of_standing, of_user, remaining, standings};
use crate::{
    domain::{
        id::UserId,
        listing::{Direction, Filter, Sort, SortKey},
    },
    error::Result,
    store::{ReadTx, sql::rows},
};
use rusqlite::{params_from_iter, types::Value};
use std::ops::Range;

/// Orders of one block of `orders_by_total`, as a power of two.
const TOTAL_BLOCK: u32 = 12;
/// Orders of one block of `order_items_by_sku`, as a power of two.
const SKU_BLOCK: u32 = 9;

/// The index that a list is read from.
pub(super) enum Source {
    /// One order at most.
    Reference(String),
    /// A user's orders; sorted anew for other orders than the default one, since one user's are few.
    User(UserId),
    /// Blocks of lines with an SKU.
    Sku(String),
    /// A run for each wanted pair of statuses.
    Standing,
    /// All orders as they were made.
    Everything,
    /// All orders as they last changed.
    Update,
    /// Blocks of orders by total.
    Total,
}

impl Source {
    pub(super) fn of(filter: &Filter, whose: &Whose, key: SortKey) -> Self {
        match (filter, whose, key) {
            (Filter { external_ref: Some(reference), .. }, ..) => Self::Reference(reference.clone()),
            (_, Whose::Of(user), _) => Self::User(*user),
            (_, _, SortKey::Updated) => Self::Update,
            (_, _, SortKey::Total) => Self::Total,
            (Filter { sku: Some(sku), .. }, ..) => Self::Sku(sku.clone()),
            (Filter { statuses, payment_statuses, .. }, ..)
                if !(statuses.is_empty() && payment_statuses.is_empty()) =>
            {
                Self::Standing
            }
            _ => Self::Everything,
        }
    }

    /// The parts of the filter that this index does not answer.
    pub(super) fn left(&self, filter: &Filter, whose: &Whose) -> Conditions {
        let mut left = remaining(filter);
        if let Whose::Of(user) = whose
            && !matches!(self, Self::User(_))
        {
            left.join(&of_user(*user));
        }
        if let Some(sku) = &filter.sku
            && !matches!(self, Self::Sku(_))
        {
            left.join(&of_sku(sku));
        }
        if !matches!(self, Self::Standing) {
            left.join(&of_standing(filter));
        }
        left
    }

    /// The runs that hold every order with a row in `span`, the first in `direction` first.
    pub(super) fn runs(&self, filter: &Filter, span: &Range<i64>, direction: Direction) -> Vec<Run> {
        match self {
            Self::Reference(reference) => {
                vec![Run::new("orders o INDEXED BY orders_by_external_ref", of_reference(reference))]
            }
            Self::User(user) => vec![Run::new("orders o INDEXED BY orders_by_user", of_user(*user))],
            Self::Everything => vec![Run::new("orders o NOT INDEXED", Conditions::default())],
            Self::Update => vec![Run::new("orders o INDEXED BY orders_by_update", Conditions::default())],
            Self::Standing => standings(filter)
                .map(|(status, payment)| {
                    let names = [status.name(), payment.name()].map(|name| Value::Text(name.to_owned()));
                    let pair = Conditions::of("o.status = ? AND o.payment_status = ?", names);
                    Run::new("orders o INDEXED BY orders_by_status", pair)
                })
                .collect(),
            Self::Sku(sku) => blocks(span, SKU_BLOCK, direction)
                .map(|block| {
                    let values = [Value::Integer(block), Value::Text(sku.clone())];
                    Run {
                        from: "order_items i INDEXED BY order_items_by_sku CROSS JOIN orders o ON o.seq = i.order_seq",
                        seq: "i.order_seq",
                        distinct: "DISTINCT",
                        conditions: Conditions::of(&format!("i.order_seq >> {SKU_BLOCK} = ? AND i.sku = ?"), values),
                    }
                })
                .collect(),
            Self::Total => blocks(span, TOTAL_BLOCK, direction)
                .map(|block| {
                    let block = Conditions::of(&format!("o.seq >> {TOTAL_BLOCK} = ?"), [Value::Integer(block)]);
                    Run::new("orders o INDEXED BY orders_by_total", block)
                })
                .collect(),
        }
    }
}

/// The blocks of 2^`power` rows that `span` touches.
fn blocks(span: &Range<i64>, power: u32, direction: Direction) -> Box<dyn Iterator<Item = i64>> {
    let blocks = span.start.max(0) >> power..((span.end - 1).max(-1) >> power) + 1;
    match direction {
        Direction::Ascending => Box::new(blocks),
        Direction::Descending => Box::new(blocks.rev()),
    }
}

/// A part of an index that is in order.
pub(super) struct Run {
    from: &'static str,
    seq: &'static str,
    distinct: &'static str,
    conditions: Conditions,
}

impl Run {
    pub(super) fn new(from: &'static str, conditions: Conditions) -> Self {
        Self { from, seq: "o.seq", distinct: "", conditions }
    }

    /// At most `limit` rows of the run: what it is ordered by, and the order's row.
    pub(super) fn read(&self, tx: &ReadTx<'_>, more: &Conditions, sort: Sort, limit: usize) -> Result<Vec<(i64, i64)>> {
        let (seq, way) = (self.seq, if sort.1 == Direction::Ascending { "ASC" } else { "DESC" });
        let (value, order) = match sort.0 {
            SortKey::Created => (seq, format!("{seq} {way}")),
            SortKey::Updated => ("o.updated_at", format!("o.updated_at {way}, {seq} {way}")),
            SortKey::Total => ("o.total_amount", format!("o.total_amount {way}, {seq} {way}")),
        };
        let (mut conditions, Self { from, distinct, .. }) = (self.conditions.clone(), self);
        conditions.join(more);
        let sql = format!(
            "SELECT {distinct} {value}, {seq} FROM {from} WHERE {} ORDER BY {order} LIMIT {}",
            conditions.text(),
            rows(limit)
        );
        tx.rows(&sql, params_from_iter(conditions.values), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// How many orders are in the run.
    pub(super) fn count(&self, tx: &ReadTx<'_>, more: &Conditions) -> Result<i64> {
        let (mut conditions, Self { from, seq, distinct, .. }) = (self.conditions.clone(), self);
        conditions.join(more);
        let sql = format!("SELECT count({distinct} {seq}) FROM {from} WHERE {}", conditions.text());
        Ok(tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0))?.unwrap_or(0))
    }

    /// That a row of the run is in `span`.
    pub(super) fn within(&self, span: &Range<i64>) -> Conditions {
        let bounds = [Value::Integer(span.start), Value::Integer(span.end)];
        Conditions::of(&format!("{0} >= ? AND {0} < ?", self.seq), bounds)
    }
}
