//! Orders that change their places while a walk through a list goes on.
//!
//! A walk through a list that is ordered by something that changes would meet an order twice, or miss it, when the order
//! moves. Such a walk therefore remembers the event that it began at: an order that has changed since is taken out of the
//! run that it is in now, and put in where it was then, which the events tell.

use super::{
    super::filter::{Conditions, of_reference, whose},
    source::{Run, Source},
};
use crate::{
    domain::listing::{Direction, Filter, Position, Sort, SortKey},
    error::Result,
    store::{ReadTx, sql::rows},
};
use rusqlite::{params_from_iter, types::Value};
use std::ops::Range;

/// That an order comes after `after` and has not changed since the walk began.
pub(super) fn unmoved_after(sort: Sort, after: Position) -> Conditions {
    let column = if sort.key == SortKey::Total { "o.total_amount" } else { "o.updated_at" };
    let mut conditions = beyond(column, sort.direction, after);
    conditions.and(
        "NOT EXISTS (SELECT 1 FROM events e WHERE e.order_seq = o.seq AND e.version = o.version AND e.seq > ?)",
        [Value::Integer(after.began)],
    );
    conditions
}

fn beyond(column: &str, direction: Direction, after: Position) -> Conditions {
    let sign = if direction == Direction::Ascending { '>' } else { '<' };
    let values = [Value::Integer(after.value), Value::Integer(after.seq)];
    Conditions::of(&format!("({column}, o.seq) {sign} (?, ?)"), values)
}

/// Orders that have changed since the walk began, by what they were ordered by then. They are as many as there were
/// changes, and sorted anew.
pub(super) fn moved(
    tx: &ReadTx<'_>,
    filter: &Filter,
    span: &Range<i64>,
    (sort, after): (Sort, Position),
    limit: usize,
) -> Result<Vec<(i64, i64)>> {
    let then = match sort.key {
        SortKey::Total => "e.data ->> '$.total_amount'",
        SortKey::Created | SortKey::Updated => "e.occurred_at",
    };
    let of_order = if sort.key == SortKey::Total { "AND e.type GLOB 'order.*'" } else { "" };
    let was = format!(
        "(SELECT {then} FROM events e WHERE e.order_seq = o.seq AND e.seq <= ? {of_order}
          ORDER BY e.version DESC LIMIT 1)"
    );
    let from = "(SELECT DISTINCT order_seq FROM events WHERE seq > ?) m CROSS JOIN orders o ON o.seq = m.order_seq";
    let began = || Value::Integer(after.began);
    let mut conditions = wanted(filter);
    if let Some(reference) = &filter.external_ref {
        conditions.join(&of_reference(reference));
    }
    conditions.join(&Run::new(from, Conditions::default()).within(span));
    let way = if sort.direction == Direction::Ascending { "ASC" } else { "DESC" };
    let beyond = beyond("o.was", sort.direction, after);
    let sql = format!(
        "SELECT o.was, o.seq FROM (SELECT {was} AS was, o.seq AS seq FROM {from} WHERE {}) o
         WHERE o.was IS NOT NULL AND {} ORDER BY o.was {way}, o.seq {way} LIMIT ?",
        conditions.text(),
        beyond.text()
    );
    let values = [began(), began()].into_iter().chain(conditions.values).chain(beyond.values);
    let values = values.chain([Value::Integer(rows(limit))]);
    tx.rows(&sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The whole filter but the reference, for rows that come from no index of orders.
fn wanted(filter: &Filter) -> Conditions {
    Source::Everything.left(filter, &whose(filter))
}
