//! The cache of rankings. Finding the first dimension of a ranking takes the totals of all of them, so the latest
//! rankings are kept in memory. A page then costs its rows, and the entries that were logged since the last one.

use super::{
    log::LAST_SEQ,
    ranking::{Ranking, RankingQuery},
};
use crate::{error::Result, store::ReadTx};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most rankings that are cached.
const MAX_CACHED: usize = 64;
/// The most memory that cached rankings take together, in bytes.
const MAX_CACHED_BYTES: usize = 96 * 1024 * 1024;

/// A cached ranking; none while it has not been read. The lock is held while it is brought up to date and used.
type Slot = Arc<Mutex<Option<Arc<Ranking>>>>;

struct Cached {
    query: RankingQuery,
    bytes: usize,
    slot: Slot,
}

/// The cache of the latest rankings.
#[derive(Default)]
pub struct Rankings {
    /// The most recently used first.
    cached: Mutex<Vec<Cached>>,
}

impl Rankings {
    /// Calls `select` with the ranking as it is in the snapshot of `tx`. `select` may keep the ranking, which never
    /// changes.
    pub fn with<T>(&self, tx: &ReadTx<'_>, query: RankingQuery, select: impl FnOnce(&Arc<Ranking>) -> T) -> Result<T> {
        let slot = self.slot(query);
        let mut ranking = lock(&slot);
        let last_seq = tx.row(LAST_SEQ, [], |row| row.get(0))?.unwrap_or(0);
        // The ranking is taken out while it changes: after an error the slot is empty, never half changed.
        let current = match ranking.take() {
            Some(ranking) => ranking.brought_up_to(tx, last_seq)?,
            None => None,
        };
        let current = current.map_or_else(|| Ranking::read(tx, query, last_seq).map(Arc::new), Ok)?;
        let (selected, bytes) = (select(&current), current.bytes());
        *ranking = Some(current);
        drop(ranking);
        self.mark_used(Cached { query, bytes, slot });
        Ok(selected)
    }

    fn slot(&self, query: RankingQuery) -> Slot {
        let mut cached = lock(&self.cached);
        if let Some(Cached { slot, .. }) = cached.iter().find(|cached| cached.query == query) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        cached.insert(0, Cached { query, bytes: 0, slot: Arc::clone(&slot) });
        slot
    }

    /// Puts a ranking first and evicts the least recently used ones beyond the limits.
    fn mark_used(&self, used: Cached) {
        let mut cached = lock(&self.cached);
        cached.retain(|other| other.query != used.query);
        cached.insert(0, used);
        let mut left = MAX_CACHED_BYTES;
        cached.retain(|cached| left.checked_sub(cached.bytes).inspect(|rest| left = *rest).is_some());
        cached.truncate(MAX_CACHED);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollup::Sums;

    fn query(day: i64) -> RankingQuery {
        RankingQuery::users((day, day + 86_400), None, &Sums::default())
    }

    /// The days whose rankings are cached after these were used, each taking so many bytes.
    fn cached_after(used: impl IntoIterator<Item = (i64, usize)>) -> Vec<i64> {
        let rankings = Rankings::default();
        for (day, bytes) in used {
            let slot = rankings.slot(query(day));
            rankings.mark_used(Cached { query: query(day), bytes, slot });
        }
        let cached = lock(&rankings.cached);
        let day = |cached: &Cached| (0..100).find(|day| cached.query == query(*day));
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
