//! Pages of orders. A page is read from runs of one index in the order that is asked for, merged where there are several,
//! so that nothing is sorted and nothing is scanned but what the filter leaves to be looked at row by row.
//!
//! Rows of orders are numbered in the order in which orders were made, so that the default order is that of the rows and
//! the time at which an order was made is a bound on them.

mod moved;
mod source;

use super::{
    ReadTx, Result,
    filter::{Whose, whose},
};
use crate::{
    domain::{
        listing::{Direction, Filter, Position, Sort, SortKey},
        time::Timestamp,
    },
    error::Error,
    store::events,
};
use moved::{moved, unmoved_after};
use source::Source;
use std::ops::Range;

/// Whether a page may have to look at many rows before it is full, so that it belongs in the lane of long queries.
pub fn looks_far(filter: &Filter, sort: Sort) -> bool {
    let whose = whose(filter);
    let source = Source::of(filter, &whose, sort.key);
    match source {
        Source::Reference(_) => false,
        Source::Everything | Source::User(_) | Source::Standing => {
            sort.key != SortKey::Created || !source.left(filter, &whose).is_empty()
        }
        Source::Sku(_) | Source::Update | Source::Total => true,
    }
}

/// At most `limit` orders after `after`, each with its place and as `read` reads it from its row.
pub fn page<T>(
    tx: &ReadTx<'_>,
    filter: &Filter,
    sort: Sort,
    after: Option<Position>,
    limit: usize,
    read: impl Fn(&ReadTx<'_>, i64) -> Result<Option<T>>,
) -> Result<Vec<(Position, T)>> {
    let whose = whose(filter);
    if matches!(whose, Whose::Nobody) {
        return Ok(vec![]);
    }
    let source = Source::of(filter, &whose, sort.key);
    let mut span = span(tx, filter)?;
    let mut left = source.left(filter, &whose);
    let mut found = vec![];
    let began = match after {
        Some(position) => position.began,
        None => last_event(tx, sort.key)?,
    };
    match (sort, after) {
        (_, None) => {}
        (Sort { key: SortKey::Created, direction: Direction::Descending }, Some(after)) => {
            span.end = span.end.min(after.seq)
        }
        (Sort { key: SortKey::Created, direction: Direction::Ascending }, Some(after)) => {
            span.start = span.start.max(after.seq + 1)
        }
        (_, Some(after)) => {
            found = moved(tx, filter, &span, (sort, after), limit)?;
            left.join(&unmoved_after(sort, after));
        }
    }
    for run in source.runs(filter, &span, sort.direction) {
        let mut more = run.within(&span);
        more.join(&left);
        found.extend(run.read(tx, &more, sort, limit)?);
        // Blocks come in the order of rows, so that in that order no later one has earlier orders.
        if matches!(source, Source::Sku(_)) && found.len() >= limit {
            break;
        }
        shorten(&mut found, sort.direction, limit);
    }
    shorten(&mut found, sort.direction, limit);
    let placed = |(value, seq)| match read(tx, seq)? {
        Some(order) => Ok((Position { value, seq, began }, order)),
        None => Err(Error::internal(format!("order row {seq} vanished within a snapshot"))),
    };
    found.into_iter().map(placed).collect()
}

fn shorten(found: &mut Vec<(i64, i64)>, direction: Direction, limit: usize) {
    match direction {
        Direction::Ascending => found.sort_unstable(),
        Direction::Descending => found.sort_unstable_by(|a, b| b.cmp(a)),
    }
    found.truncate(limit);
}

/// How many orders the filter lets through.
pub fn count(tx: &ReadTx<'_>, filter: &Filter) -> Result<i64> {
    let whose = whose(filter);
    if matches!(whose, Whose::Nobody) {
        return Ok(0);
    }
    let source = Source::of(filter, &whose, SortKey::Created);
    let (span, left) = (span(tx, filter)?, source.left(filter, &whose));
    let mut total = 0;
    for run in source.runs(filter, &span, Direction::Descending) {
        let mut more = run.within(&span);
        more.join(&left);
        total += run.count(tx, &more)?;
    }
    Ok(total)
}

/// The rows that orders of the wanted time have, the end not included.
fn span(tx: &ReadTx<'_>, filter: &Filter) -> Result<Range<i64>> {
    let end = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0) + 1;
    let row_at = |instant: Option<Timestamp>, otherwise| match instant {
        Some(instant) => {
            tx.first_since("SELECT created_at FROM orders WHERE seq >= ?1 ORDER BY seq LIMIT 1", instant, end)
        }
        None => Ok(otherwise),
    };
    Ok(row_at(filter.created_from, 1)?..row_at(filter.created_to, end)?)
}

/// The event that a walk begins at; orders never change their places in the default order.
fn last_event(tx: &ReadTx<'_>, key: SortKey) -> Result<i64> {
    match key {
        SortKey::Created => Ok(0),
        SortKey::Updated | SortKey::Total => events::last(tx),
    }
}
