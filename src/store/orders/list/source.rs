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
                        rows: Rows::Lines,
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

/// What the rows of a run are.
enum Rows {
    Orders,
    /// Lines, of which an order may have several.
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

/// A part of an index that is in order.
pub(super) struct Run {
    from: &'static str,
    rows: Rows,
    conditions: Conditions,
}

impl Run {
    pub(super) fn new(from: &'static str, conditions: Conditions) -> Self {
        Self { from, rows: Rows::Orders, conditions }
    }

    /// At most `limit` rows of the run: what it is ordered by, and the order's row.
    pub(super) fn read(&self, tx: &ReadTx<'_>, more: &Conditions, sort: Sort, limit: usize) -> Result<Vec<(i64, i64)>> {
        let (sql, values) = self.statement(more, sort, limit);
        tx.rows(&sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn statement(&self, more: &Conditions, sort: Sort, limit: usize) -> (String, Vec<Value>) {
        let (seq, way) = (self.rows.seq(), if sort.direction == Direction::Ascending { "ASC" } else { "DESC" });
        let (value, order) = match sort.key {
            SortKey::Created => (seq, format!("{seq} {way}")),
            SortKey::Updated => ("o.updated_at", format!("o.updated_at {way}, {seq} {way}")),
            SortKey::Total => ("o.total_amount", format!("o.total_amount {way}, {seq} {way}")),
        };
        let (mut conditions, from, group) = (self.conditions.clone(), self.from, self.rows.group());
        conditions.join(more);
        let sql =
            format!("SELECT {value}, {seq} FROM {from} WHERE {} {group} ORDER BY {order} LIMIT ?", conditions.text());
        conditions.values.push(Value::Integer(rows(limit)));
        (sql, conditions.values)
    }

    /// How many orders are in the run.
    pub(super) fn count(&self, tx: &ReadTx<'_>, more: &Conditions) -> Result<i64> {
        let (mut conditions, from, count) = (self.conditions.clone(), self.from, self.rows.count());
        conditions.join(more);
        let sql = format!("SELECT {count} FROM {from} WHERE {}", conditions.text());
        Ok(tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0))?.unwrap_or(0))
    }

    /// That a row of the run is in `span`.
    pub(super) fn within(&self, span: &Range<i64>) -> Conditions {
        let bounds = [Value::Integer(span.start), Value::Integer(span.end)];
        Conditions::of(&format!("{0} >= ? AND {0} < ?", self.rows.seq()), bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{id::Identifier, order::OrderStatus, transaction::PaymentStatus},
        store::sql::add_functions,
    };
    use rusqlite::Connection;

    /// How SQLite reads the first run of a list, step by step.
    fn plan(filter: &Filter, key: SortKey) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../../schema.sql")).unwrap();
        add_functions(&connection).unwrap();
        let whose = super::super::whose(filter);
        let source = Source::of(filter, &whose, key);
        let (span, direction) = (1..1_000_000, Direction::Descending);
        let run = source.runs(filter, &span, direction).remove(0);
        let mut more = run.within(&span);
        more.join(&source.left(filter, &whose));
        let (sql, values) = run.statement(&more, Sort { key, direction }, 51);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
        steps.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn lists_are_read_from_an_index_in_its_own_order() {
        let user = UserId::from_bytes([1; 16]);
        let standing = Filter { statuses: vec![OrderStatus::Pending], ..Filter::default() };
        let paid = Filter { payment_statuses: vec![PaymentStatus::Paid], ..Filter::default() };
        let of_user = Filter { user_id: Some(user), statuses: vec![OrderStatus::Draft], ..Filter::default() };
        let sku = Filter { sku: Some("tea".to_owned()), total_min: Some(1), ..Filter::default() };
        let reference = Filter { external_ref: Some("r".to_owned()), ..Filter::default() };
        let text = Filter { text: Some("x".to_owned()), ..Filter::default() };
        for (filter, key, index) in [
            (Filter::default(), SortKey::Created, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (text, SortKey::Created, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (
                standing.clone(),
                SortKey::Created,
                "orders_by_status (status=? AND payment_status=? AND seq>? AND seq<?)",
            ),
            (paid, SortKey::Created, "orders_by_status (status=? AND payment_status=? AND seq>? AND seq<?)"),
            (of_user, SortKey::Created, "orders_by_user (user_id=? AND seq>? AND seq<?)"),
            (sku, SortKey::Created, "order_items_by_sku (<expr>=? AND sku=? AND order_seq>? AND order_seq<?)"),
            (reference, SortKey::Updated, "orders_by_external_ref (external_ref=?"),
            (Filter::default(), SortKey::Updated, "orders_by_update"),
            (standing.clone(), SortKey::Updated, "orders_by_update"),
            (standing, SortKey::Total, "orders_by_total (<expr>=?)"),
        ] {
            let steps = plan(&filter, key);
            assert!(steps[0].contains(index), "{filter:?}: {steps:?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {steps:?}");
        }
    }

    #[test]
    fn blocks_cover_the_span_and_no_more() {
        let all = |span, direction| blocks(&span, 9, direction).collect::<Vec<_>>();
        assert_eq!(all(1..1, Direction::Ascending), [0]);
        assert_eq!(all(1..512, Direction::Ascending), [0]);
        assert_eq!(all(1..513, Direction::Descending), [1, 0]);
        assert_eq!(all(511..514, Direction::Descending), [1, 0]);
        assert_eq!(all(512..1025, Direction::Ascending), [1, 2]);
    }
}
