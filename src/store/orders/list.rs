//! Pages of orders. A page is read from ranges of one index that are in the order of the list, and merged if there are
//! several. Nothing is sorted, and only rows that the index yields are tested against the rest of the filter.
//!
//! Rows of orders are numbered in the order of creation. So the default order is that of the rows, and limits on the
//! time of creation are limits on row numbers.

mod moved;
mod source;

use super::{
    ReadTx, Result,
    filter::{Owner, owner},
};
use crate::{
    domain::{
        listing::{Direction, Filter, Position, Sort, SortKey},
        time::Timestamp,
    },
    store::{conditions::Conditions, events},
};
use moved::{moved, unchanged_since};
use source::Source;
use std::ops::Range;

/// Whether a page may have to read many rows before it is full. Such a list belongs into
/// [`Store::scan`](crate::store::Store::scan).
pub fn is_scan(filter: &Filter, sort: Sort) -> bool {
    let owner = owner(filter);
    let source = Source::of(filter, &owner, sort.key);
    match source {
        Source::Reference(_) => false,
        Source::Everything | Source::User(_) | Source::Statuses => {
            sort.key != SortKey::Created || !source.residual(filter, &owner).is_empty()
        }
        Source::Sku(_) | Source::Update | Source::Total | Source::Placing => true,
    }
}

/// The positions of at most `limit` orders after `after`.
pub fn page(
    tx: &ReadTx<'_>,
    filter: &Filter,
    sort: Sort,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Position>> {
    let owner = owner(filter);
    if matches!(owner, Owner::NoOne) {
        return Ok(vec![]);
    }
    let source = Source::of(filter, &owner, sort.key);
    let (mut filter, mut span) = (filter.clone(), span(tx, filter)?);
    let (mut found, mut unchanged) = (vec![], Conditions::default());
    let began = match after {
        Some(position) => position.began,
        None => last_event(tx, sort.key)?,
    };
    if let Some(after) = after {
        if sort.key != SortKey::Created {
            found = moved(tx, &filter, &span, sort, after, limit)?;
            unchanged = unchanged_since(after);
        }
        narrow(&mut filter, &mut span, sort, after);
    }
    // Of a page that is full, the last order: later ranges are read up to it.
    let mut last = None;
    for range in source.ranges(&filter, &span, sort.direction) {
        let mut conditions = range.within(&span);
        conditions.join(&range.beyond(&filter, sort, after));
        if let Some(last) = last {
            conditions.join(&range.before(sort, last));
        }
        conditions.join(&source.residual(&filter, &owner));
        conditions.join(&unchanged);
        found.extend(range.read(tx, &conditions, sort, limit)?);
        // Blocks come in the order of rows: no later block has an order that belongs before these.
        if matches!(source, Source::Sku(_)) && found.len() >= limit {
            break;
        }
        sort_and_truncate(&mut found, sort.direction, limit);
        if let Some(&(value, seq)) = found.get(limit - 1) {
            let position = Position { value, seq, began };
            narrow(&mut filter, &mut span, Sort { direction: sort.direction.reversed(), ..sort }, position);
            last = Some(position);
        }
    }
    sort_and_truncate(&mut found, sort.direction, limit);
    Ok(found.into_iter().map(|(value, seq)| Position { value, seq, began }).collect())
}

/// Narrows the rows to those of orders after `after`. Drops a bound on totals that `after` makes redundant: SQLite can
/// seek by one bound on each side.
fn narrow(filter: &mut Filter, span: &mut Range<i64>, sort: Sort, after: Position) {
    match (sort.key, sort.direction) {
        (SortKey::Created, Direction::Descending) => span.end = span.end.min(after.seq),
        (SortKey::Created, Direction::Ascending) => span.start = span.start.max(after.seq + 1),
        (SortKey::Total, Direction::Descending) => filter.total_max = filter.total_max.filter(|max| *max < after.value),
        (SortKey::Total, Direction::Ascending) => filter.total_min = filter.total_min.filter(|min| *min > after.value),
        (SortKey::Updated | SortKey::Placed, _) => {}
    }
}

fn sort_and_truncate(found: &mut Vec<(i64, i64)>, direction: Direction, limit: usize) {
    match direction {
        Direction::Ascending => found.sort_unstable(),
        Direction::Descending => found.sort_unstable_by(|a, b| b.cmp(a)),
    }
    found.truncate(limit);
}

/// The number of orders that match the filter.
pub fn count(tx: &ReadTx<'_>, filter: &Filter) -> Result<i64> {
    let owner = owner(filter);
    if matches!(owner, Owner::NoOne) {
        return Ok(0);
    }
    let source = Source::of(filter, &owner, SortKey::Created);
    let (span, residual) = (span(tx, filter)?, source.residual(filter, &owner));
    let mut total = 0;
    for range in source.ranges(filter, &span, Direction::Descending) {
        total += range.count(tx, &span, &residual)?;
    }
    Ok(total)
}

/// The rows of the orders created in the time of the filter.
fn span(tx: &ReadTx<'_>, filter: &Filter) -> Result<Range<i64>> {
    let end = tx.row("SELECT max(seq) FROM orders", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0) + 1;
    let row_at = |at: Option<Timestamp>, default| match at {
        Some(at) => tx.first_since("SELECT created_at FROM orders WHERE seq >= ?1 ORDER BY seq LIMIT 1", at, end),
        None => Ok(default),
    };
    Ok(row_at(filter.created_from, 1)?..row_at(filter.created_to, end)?)
}

/// The last event, which the cursor of a first page holds; 0 for the default order, in which orders never move.
fn last_event(tx: &ReadTx<'_>, key: SortKey) -> Result<i64> {
    match key {
        SortKey::Created => Ok(0),
        SortKey::Updated | SortKey::Total | SortKey::Placed => events::last(tx),
    }
}
