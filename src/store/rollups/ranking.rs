//! Rankings: dimensions ordered by a weighted sum of their totals.
//!
//! Finding the first dimension takes the totals of all of them. So the latest rankings are cached, and brought up to
//! date with the entries that were logged since. A page then costs its rows and those entries.

use super::{
    EntryKey, Rollup, Values, each_in_log_after, item_values,
    log::LAST_SEQ,
    totals::{Totals, TotalsQuery, Weights},
    user_values,
};
use crate::{
    domain::{
        money::Currency,
        rollup::{ItemSums, Rank, Sums},
    },
    error::Result,
    store::ReadTx,
};
use std::{
    collections::BTreeSet,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most rankings that are cached.
const MAX_CACHED: usize = 64;
/// The most memory that cached rankings take together, in bytes.
const MAX_CACHED_BYTES: usize = 96 * 1024 * 1024;

/// Which totals to rank, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankingQuery {
    totals: TotalsQuery,
    weights: Weights,
}

impl RankingQuery {
    /// Users ordered by the weighted sum of their totals, the smallest first.
    pub fn users(range: (i64, i64), currency: Option<Currency>, weights: &Sums) -> Self {
        let totals = TotalsQuery { rollup: Rollup::Users, range, currency };
        Self { totals, weights: as_weights(&user_values(weights)) }
    }

    /// SKUs ordered by the weighted sum of their totals, the smallest first.
    pub fn items(range: (i64, i64), currency: Option<Currency>, weights: &ItemSums) -> Self {
        let totals = TotalsQuery { rollup: Rollup::Items, range, currency };
        Self { totals, weights: as_weights(&item_values(weights)) }
    }
}

/// Weights are small numbers such as 1 and −1.
fn as_weights(values: &Values) -> Weights {
    std::array::from_fn(|i| i64::try_from(values[i]).unwrap_or_default())
}

/// Dimensions in order, with their totals.
#[derive(Clone)]
pub struct Ranking {
    query: RankingQuery,
    totals: Totals,
    order: BTreeSet<Rank>,
    /// The newest row of the log that is included.
    last_seq: i64,
}

impl Ranking {
    fn read(tx: &ReadTx<'_>, query: RankingQuery, last_seq: i64) -> Result<Self> {
        let totals = Totals::read(tx, &query.totals)?;
        let rank = |(currency, dimension, value)| Rank { value, dimension, currency };
        let order = totals.iter_weighted(&query.weights).map(rank).collect();
        Ok(Self { query, totals, order, last_seq })
    }

    /// Adds the log up to row `last_seq`; none if a part of that was folded and deleted. A ranking that is also used
    /// elsewhere stays as it is there: a copy is brought up to date.
    fn brought_up_to(self: Arc<Self>, tx: &ReadTx<'_>, last_seq: i64) -> Result<Option<Arc<Self>>> {
        if self.last_seq == last_seq {
            return Ok(Some(self));
        }
        let deleted: i64 = tx.row("SELECT min(seq) FROM rollup_folds", [], |row| row.get(0))?.unwrap_or(0);
        if !(deleted..last_seq).contains(&self.last_seq) {
            return Ok(None);
        }
        let mut ranking = Arc::unwrap_or_clone(self);
        let TotalsQuery { rollup, .. } = ranking.query.totals;
        let mut changes = vec![];
        each_in_log_after(tx, rollup, ranking.last_seq, |key, part| {
            if ranking.query.totals.includes(key) {
                changes.push((*key, *part));
            }
        })?;
        for (key, part) in changes {
            if let Some(before) = ranking.rank(&key) {
                ranking.order.remove(&before);
            }
            ranking.totals.add_logged(tx, rollup, &key, &part)?;
            let after = ranking.rank(&key);
            ranking.order.extend(after);
        }
        ranking.last_seq = last_seq;
        Ok(Some(Arc::new(ranking)))
    }

    /// The current rank of the dimension of `key`; none if all its totals are 0.
    fn rank(&self, &EntryKey { currency, dimension, .. }: &EntryKey) -> Option<Rank> {
        let value = self.totals.weighted(currency, dimension, &self.query.weights)?;
        Some(Rank { value, dimension, currency })
    }

    /// The number of ranks: a dimension has one in each currency.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// An estimate of the memory that the ranking takes, in bytes: nodes of the tree are not always full.
    fn bytes(&self) -> usize {
        self.order.len() * size_of::<Rank>() * 4 / 3 + self.totals.bytes()
    }

    /// The ranks after `rank`, or all of them, with their totals.
    pub fn after(&self, rank: Option<Rank>) -> impl Iterator<Item = (Rank, Values)> {
        let after = rank.map_or(Bound::Unbounded, Bound::Excluded);
        let ranks = self.order.range((after, Bound::Unbounded));
        ranks.map(|rank| (*rank, self.totals.values(rank.currency, rank.dimension)))
    }
}

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
    /// Calls `select` with the ranking as it is in the snapshot of `tx`. `select` may keep the ranking, which never changes.
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
        cached.iter().map(|cached| cached.query.totals.range.0).collect()
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
