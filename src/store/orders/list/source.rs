//! The index that a list is read from, and its ranges: the parts of the index that are in the order of the list.

use super::super::{
    blocks::{IN_SKU_BLOCK, IN_TOTAL_BLOCK, SKU_BLOCK_BITS, TOTAL_BLOCK_BITS},
    filter::{Owner, of_placing, of_reference, of_sku, of_statuses, of_user, status_pairs, unindexed},
    of_users::{NEW_OF_USER, SORTED_OF_USER},
};
use crate::{
    domain::{
        id::{Identifier, UserId},
        listing::{Direction, Filter, Position, Sort, SortKey},
    },
    error::Result,
    store::{ReadTx, conditions::Conditions, sql::sql_int},
};
use rusqlite::{params_from_iter, types::Value};
use std::{borrow::Cow, cmp::Ordering, ops::Range};

/// The index that a list is read from.
pub(super) enum Source {
    /// `orders_by_external_ref`: one order at most.
    Reference(String),
    /// `orders_of_users`: a range of sorted entries and one of new ones. A user has few orders, so SQLite sorts them if
    /// the list has another order.
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
    /// `orders_by_placing`: a range for placed orders, and one for the others.
    Placing,
}

/// What an order that was never placed is sorted by, so that it comes last.
pub(super) const fn never_placed(direction: Direction) -> i64 {
    match direction {
        Direction::Ascending => i64::MAX,
        Direction::Descending => -i64::MAX,
    }
}

/// The condition that an order, sorted by `column`, comes after `after`.
pub(super) fn beyond(column: &str, direction: Direction, after: Position) -> Conditions {
    let sign = if direction == Direction::Ascending { '>' } else { '<' };
    let values = [Value::Integer(after.value), Value::Integer(after.seq)];
    Conditions::of(&format!("({column}, o.seq) {sign} (?, ?)"), values)
}

impl Source {
    pub(super) fn of(filter: &Filter, owner: &Owner, key: SortKey) -> Self {
        match (filter, owner, key) {
            (Filter { external_ref: Some(reference), .. }, ..) => Self::Reference(reference.clone()),
            (_, Owner::User(user), _) => Self::User(*user),
            (_, _, SortKey::Updated) => Self::Update,
            (_, _, SortKey::Total) => Self::Total,
            (_, _, SortKey::Placed) => Self::Placing,
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
        if !matches!(self, Self::Placing) {
            residual.join(&of_placing(filter));
        }
        residual
    }

    /// The ranges that hold every order with a row in `span`, the first in `direction` first.
    pub(super) fn ranges(&self, filter: &Filter, span: &Range<i64>, direction: Direction) -> Vec<IndexRange> {
        match self {
            Self::Reference(reference) => {
                vec![IndexRange::new("orders o INDEXED BY orders_by_external_ref", of_reference(reference))]
            }
            Self::User(user) => [SORTED_OF_USER, NEW_OF_USER]
                .map(|entries| IndexRange {
                    // SQLite leaves out the order itself if no condition is on it.
                    from: "orders_of_users u LEFT JOIN orders o NOT INDEXED ON o.seq = u.order_seq",
                    rows: Rows::OfUser,
                    conditions: Conditions::of(entries, [Value::Blob(user.bytes().to_vec())]),
                })
                .into(),
            Self::Everything => vec![IndexRange::new("orders o NOT INDEXED", Conditions::default())],
            Self::Placing => {
                let from = "orders o INDEXED BY orders_by_placing";
                let range = |rows, condition| IndexRange { from, rows, conditions: Conditions::of(condition, []) };
                let placed = range(Rows::Placed, "o.placed_at IS NOT NULL");
                if filter.placed_from.is_some() || filter.placed_to.is_some() {
                    vec![placed]
                } else {
                    vec![placed, range(Rows::NeverPlaced, "o.placed_at IS NULL")]
                }
            }
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
                .map(|block| IndexRange {
                    from: "orders o INDEXED BY orders_by_total",
                    rows: Rows::TotalBlock(block),
                    conditions: Conditions::of(IN_TOTAL_BLOCK, [Value::Integer(block)]),
                })
                .collect(),
        }
    }
}

/// The condition that an order of this block of totals comes after `after`. SQLite seeks by the total only, so where
/// the row of `after` is in another block, the rows of the block are not compared with it one by one: many orders may
/// have the same total.
fn beyond_in_block(block: i64, direction: Direction, after: Position) -> Conditions {
    let others = match (after.seq >> TOTAL_BLOCK_BITS).cmp(&block) {
        Ordering::Equal => return beyond("o.total_amount", direction, after),
        Ordering::Less => Direction::Ascending,
        Ordering::Greater => Direction::Descending,
    };
    let sign = match (direction, others == direction) {
        (Direction::Ascending, true) => ">=",
        (Direction::Ascending, false) => ">",
        (Direction::Descending, true) => "<=",
        (Direction::Descending, false) => "<",
    };
    Conditions::of(&format!("o.total_amount {sign} ?"), [Value::Integer(after.value)])
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
    /// Entries of the orders of a user.
    OfUser,
    /// Lines of orders: an order may have several.
    Lines,
    /// Orders with a time of placing, in its order.
    Placed,
    /// Orders without one.
    NeverPlaced,
    /// A block of orders, in the order of their totals.
    TotalBlock(i64),
}

impl Rows {
    const fn seq(&self) -> &'static str {
        match self {
            Self::Orders | Self::Placed | Self::NeverPlaced | Self::TotalBlock(_) => "o.seq",
            Self::OfUser => "u.order_seq",
            Self::Lines => "i.order_seq",
        }
    }

    const fn group(&self) -> &'static str {
        match self {
            Self::Orders | Self::OfUser | Self::Placed | Self::NeverPlaced | Self::TotalBlock(_) => "",
            Self::Lines => "GROUP BY i.order_seq",
        }
    }

    const fn count(&self) -> &'static str {
        match self {
            Self::Orders | Self::OfUser | Self::Placed | Self::NeverPlaced | Self::TotalBlock(_) => "count(*)",
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
        let value = self.value(sort);
        let order = match (sort.key, &self.rows) {
            (SortKey::Created, _) | (_, Rows::NeverPlaced) => format!("{seq} {direction}"),
            _ => format!("{value} {direction}, {seq} {direction}"),
        };
        let (mut conditions, from, group) = (self.conditions.clone(), self.from, self.rows.group());
        conditions.join(more);
        let sql =
            format!("SELECT {value}, {seq} FROM {from} WHERE {} {group} ORDER BY {order} LIMIT ?", conditions.text());
        conditions.values.push(Value::Integer(sql_int(limit)));
        (sql, conditions.values)
    }

    /// What the orders of the range are sorted by.
    fn value(&self, sort: Sort) -> Cow<'static, str> {
        match (sort.key, &self.rows) {
            (SortKey::Created, rows) => rows.seq().into(),
            (SortKey::Updated, _) => "o.updated_at".into(),
            (SortKey::Total, _) => "o.total_amount".into(),
            (SortKey::Placed, Rows::Placed) => "o.placed_at".into(),
            (SortKey::Placed, Rows::NeverPlaced) => never_placed(sort.direction).to_string().into(),
            (SortKey::Placed, _) => format!("ifnull(o.placed_at, {})", never_placed(sort.direction)).into(),
        }
    }

    /// The condition that an order of the range comes after `after`, and for placed ones that it was placed in the time
    /// of the filter. `after` is within that time, so the bound that it makes superfluous is left out: SQLite seeks by
    /// one bound only.
    pub(super) fn beyond(&self, filter: &Filter, sort: Sort, after: Option<Position>) -> Conditions {
        let mut conditions = Conditions::default();
        let is_placed = after.is_some_and(|after| after.value != never_placed(sort.direction));
        match (&self.rows, sort.key, after) {
            (Rows::Placed, _, Some(_)) if !is_placed => conditions.and("false", []),
            (Rows::Placed, _, Some(after)) => {
                let implied = match sort.direction {
                    Direction::Ascending => Filter { placed_from: None, ..filter.clone() },
                    Direction::Descending => Filter { placed_to: None, ..filter.clone() },
                };
                conditions.join(&of_placing(&implied));
                conditions.join(&beyond("o.placed_at", sort.direction, after));
            }
            (Rows::Placed, _, None) => conditions.join(&of_placing(filter)),
            (Rows::NeverPlaced, _, Some(after)) if !is_placed => {
                let sign = if sort.direction == Direction::Ascending { '>' } else { '<' };
                conditions.and(format!("o.seq {sign} ?"), [Value::Integer(after.seq)]);
            }
            (Rows::TotalBlock(block), _, Some(after)) => {
                conditions.join(&beyond_in_block(*block, sort.direction, after));
            }
            (_, SortKey::Created, _) | (_, _, None) | (Rows::NeverPlaced, ..) => {}
            (_, _, Some(after)) => conditions.join(&beyond(&self.value(sort), sort.direction, after)),
        }
        conditions
    }

    /// The condition that an order of the range comes before `last`, where the range is one of several that are merged.
    /// Those of rows are narrowed by their rows.
    pub(super) fn before(&self, sort: Sort, last: Position) -> Conditions {
        match self.rows {
            Rows::TotalBlock(block) => beyond_in_block(block, sort.direction.reversed(), last),
            _ => Conditions::default(),
        }
    }

    /// The number of orders in the range with a row in `span` that match `residual`.
    pub(super) fn count(&self, tx: &ReadTx<'_>, span: &Range<i64>, residual: &Conditions) -> Result<i64> {
        let (sql, values) = self.count_statement(span, residual);
        Ok(tx.row(&sql, params_from_iter(values), |row| row.get(0))?.unwrap_or(0))
    }

    fn count_statement(&self, span: &Range<i64>, residual: &Conditions) -> (String, Vec<Value>) {
        let from = match self.rows {
            // When it counts, SQLite does not leave out by itself what has no condition.
            Rows::OfUser if residual.is_empty() => "orders_of_users u",
            _ => self.from,
        };
        let mut conditions = self.conditions.clone();
        conditions.join(&self.within(span));
        conditions.join(residual);
        (format!("SELECT {} FROM {from} WHERE {}", self.rows.count(), conditions.text()), conditions.values)
    }

    /// The condition that a row of the range is in `span`.
    pub(super) fn within(&self, span: &Range<i64>) -> Conditions {
        let bounds = [Value::Integer(span.start), Value::Integer(span.end)];
        Conditions::of(&format!("{0} >= ? AND {0} < ?", self.rows.seq()), bounds)
    }
}

#[cfg(test)]
mod tests;
