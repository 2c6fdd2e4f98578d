//! Orders that move in a list while a client reads it page by page.
//!
//! In a list sorted by a value that changes, an order that moves would appear twice or not at all. So a cursor holds
//! the number of the last event when the first page was read. An order that has changed since is left out where it is
//! now and listed where it was then, according to its events.

use super::{
    super::filter::{of_reference, owner},
    source::{IndexRange, Source, beyond, never_placed},
};
use crate::{
    domain::listing::{Direction, Filter, Position, Sort, SortKey},
    error::Result,
    store::{ReadTx, conditions::Conditions, events::document::document_columns, sql::sql_int},
};
use rusqlite::{params_from_iter, types::Value};
use std::ops::Range;

/// The condition that an order has not changed since the first page.
pub(super) fn unchanged_since(after: Position) -> Conditions {
    Conditions::of(
        "NOT EXISTS (SELECT 1 FROM events e WHERE e.order_seq = o.seq AND e.version = o.version AND e.seq > ?)",
        [Value::Integer(after.began)],
    )
}

/// The document of event `e` of order `o`, whose first event is `f`.
const DOCUMENT: &str = concat!("event_document(", document_columns!(), ")");

/// The orders after `after` that have changed since the first page, with the value that they were sorted by then. There
/// are at most as many as there were changes, and they are sorted here.
pub(super) fn moved(
    tx: &ReadTx<'_>,
    filter: &Filter,
    span: &Range<i64>,
    sort: Sort,
    after: Position,
    limit: usize,
) -> Result<Vec<(i64, i64)>> {
    let value_then = match sort.key {
        SortKey::Total => format!("{DOCUMENT} ->> '$.total_amount'"),
        // The time never changes once there is one.
        SortKey::Placed => {
            format!("iif({DOCUMENT} ->> '$.placed_at' IS NULL, {}, o.placed_at)", never_placed(sort.direction))
        }
        SortKey::Created | SortKey::Updated => "e.occurred_at".to_owned(),
    };
    let has_document = matches!(sort.key, SortKey::Total | SortKey::Placed);
    let of_order = if has_document { "AND e.kind <= 6" } else { "" };
    let was = format!(
        "(SELECT {value_then} FROM events e JOIN events f ON f.order_seq = o.seq AND f.version = 1
          WHERE e.order_seq = o.seq AND e.seq <= ? {of_order}
          ORDER BY e.version DESC LIMIT 1)"
    );
    let from = "(SELECT DISTINCT order_seq FROM events WHERE seq > ?) m CROSS JOIN orders o ON o.seq = m.order_seq";
    let began = || Value::Integer(after.began);
    // The rows come from no index of orders, so every part of the filter is a condition.
    let mut conditions = Source::Everything.residual(filter, &owner(filter));
    if let Some(reference) = &filter.external_ref {
        conditions.join(&of_reference(reference));
    }
    conditions.join(&IndexRange::new(from, Conditions::default()).within(span));
    let direction = if sort.direction == Direction::Ascending { "ASC" } else { "DESC" };
    let beyond = beyond("o.was", sort.direction, after);
    let sql = format!(
        "SELECT o.was, o.seq FROM (SELECT {was} AS was, o.seq AS seq FROM {from} WHERE {}) o
         WHERE o.was IS NOT NULL AND {} ORDER BY o.was {direction}, o.seq {direction} LIMIT ?",
        conditions.text(),
        beyond.text()
    );
    let values = [began(), began()].into_iter().chain(conditions.values).chain(beyond.values);
    let values = values.chain([Value::Integer(sql_int(limit))]);
    tx.rows(&sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
}
