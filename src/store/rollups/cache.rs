//! The cache of figures that were read from the rollups. What was asked for last is kept in memory. When it is asked
//! for again, it costs what was logged since.

use super::log::LAST_SEQ;
use crate::{error::Result, store::ReadTx};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most figures of one kind that are cached.
const MAX_CACHED: usize = 64;

/// What is computed from the rollups for a query, and can be brought up to date.
pub trait Figures: Clone {
    #[allow(missing_docs, reason = "the name says it")]
    type Query: Clone + PartialEq;

    /// The most memory that cached figures of this kind take together, in bytes.
    const MAX_CACHED_BYTES: usize;

    /// Computes them: from the sums, and all of the log.
    fn read(tx: &ReadTx<'_>, query: &Self::Query) -> Result<Self>;

    /// Adds what was logged after row `seq`.
    fn add_logged_after(&mut self, tx: &ReadTx<'_>, query: &Self::Query, seq: i64) -> Result<()>;

    /// An estimate of the memory that they take, in bytes.
    fn bytes(&self) -> usize;
}

/// Figures, and the newest row of the log that they include.
struct Current<F> {
    figures: Arc<F>,
    last_seq: i64,
}

/// Cached figures; none while they have not been read. The lock is held while they are brought up to date and used.
type Slot<F> = Arc<Mutex<Option<Current<F>>>>;

struct Cached<F: Figures> {
    query: F::Query,
    bytes: usize,
    slot: Slot<F>,
}

/// The cache of the figures that were used last.
pub struct Cache<F: Figures> {
    /// The most recently used first.
    cached: Mutex<Vec<Cached<F>>>,
}

impl<F: Figures> Default for Cache<F> {
    fn default() -> Self {
        Self { cached: Mutex::default() }
    }
}

impl<F: Figures> Cache<F> {
    /// Calls `select` with the figures as they are in the snapshot of `tx`. What `select` keeps of them never changes.
    pub fn with<T>(&self, tx: &ReadTx<'_>, query: F::Query, select: impl FnOnce(&mut Arc<F>) -> T) -> Result<T> {
        let last_seq = tx.row(LAST_SEQ, [], |row| row.get(0))?.unwrap_or(0);
        let slot = self.slot(&query);
        let mut current = lock(&slot);
        // The figures are taken out while they change: after an error the slot is empty, never half changed.
        let figures = match current.take() {
            Some(current) => brought_up_to(tx, &query, current, last_seq)?,
            None => None,
        };
        let mut figures = figures.map_or_else(|| F::read(tx, &query).map(Arc::new), Ok)?;
        let (selected, bytes) = (select(&mut figures), figures.bytes());
        *current = Some(Current { figures, last_seq });
        drop(current);
        self.mark_used(Cached { query, bytes, slot });
        Ok(selected)
    }

    fn slot(&self, query: &F::Query) -> Slot<F> {
        let mut cached = lock(&self.cached);
        if let Some(Cached { slot, .. }) = cached.iter().find(|cached| cached.query == *query) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        cached.insert(0, Cached { query: query.clone(), bytes: 0, slot: Arc::clone(&slot) });
        slot
    }

    /// Puts figures first and evicts the least recently used ones beyond the limits.
    fn mark_used(&self, used: Cached<F>) {
        let mut cached = lock(&self.cached);
        cached.retain(|other| other.query != used.query);
        cached.insert(0, used);
        let mut left = F::MAX_CACHED_BYTES;
        cached.retain(|cached| left.checked_sub(cached.bytes).inspect(|rest| left = *rest).is_some());
        cached.truncate(MAX_CACHED);
    }
}

/// Adds the log up to row `last_seq`; none if a part of that was folded and deleted. Figures that are also used
/// elsewhere stay as they are there: a copy is brought up to date.
fn brought_up_to<F: Figures>(
    tx: &ReadTx<'_>,
    query: &F::Query,
    current: Current<F>,
    last_seq: i64,
) -> Result<Option<Arc<F>>> {
    if current.last_seq == last_seq {
        return Ok(Some(current.figures));
    }
    let deleted: i64 = tx.row("SELECT min(seq) FROM rollup_folds", [], |row| row.get(0))?.unwrap_or(0);
    if !(deleted..last_seq).contains(&current.last_seq) {
        return Ok(None);
    }
    let mut figures = Arc::unwrap_or_clone(current.figures);
    figures.add_logged_after(tx, query, current.last_seq)?;
    Ok(Some(Arc::new(figures)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Ranking, RankingQuery},
        *,
    };
    use crate::domain::rollup::Sums;

    const MAX_CACHED_BYTES: usize = Ranking::MAX_CACHED_BYTES;

    fn query(day: i64) -> RankingQuery {
        RankingQuery::users((day, day + 86_400), None, &Sums::default())
    }

    /// The days whose rankings are cached after these were used, each taking so many bytes.
    fn cached_after(used: impl IntoIterator<Item = (i64, usize)>) -> Vec<i64> {
        let rankings = Cache::<Ranking>::default();
        for (day, bytes) in used {
            let slot = rankings.slot(&query(day));
            rankings.mark_used(Cached { query: query(day), bytes, slot });
        }
        let cached = lock(&rankings.cached);
        let day = |cached: &Cached<Ranking>| (0..100).find(|day| cached.query == query(*day));
        cached.iter().filter_map(day).collect()
    }

    #[test]
    fn the_most_recently_used_rankings_are_cached() {
        assert_eq!(cached_after([(1, 10), (2, 10), (1, 12)]), [1, 2]);
        let many = cached_after((0..100).map(|day| (day, 1)));
        assert_eq!((many.len(), many[0], many[MAX_CACHED - 1]), (MAX_CACHED, 99, 99 - 63));
    }

    #[test]
    fn the_cache_never_takes_more_than_its_limit() {
        assert_eq!(cached_after([(1, 10), (2, MAX_CACHED_BYTES / 2), (3, MAX_CACHED_BYTES / 2)]), [3, 2]);
        assert_eq!(cached_after([(1, 10), (2, MAX_CACHED_BYTES + 1)]), [1], "a ranking too large evicts no other");
    }
}
