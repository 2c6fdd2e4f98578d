//! Subjects in the order of what they come to. To find the first of them, all have to be summed up; so what was asked for
//! of late is kept, and brought up to date by what the log says since. A page costs its rows then, and the changes since
//! the last look.

use super::{
    Rollup, Values,
    log::NEWEST,
    logged_after, rollup_codec,
    totals::{Summed, Totals, Weights},
    user_values, widened,
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

/// Rankings that are kept at most.
const KEPT: usize = 64;
/// Bytes that they take at most, all together.
const KEPT_BYTES: usize = 96 * 1024 * 1024;

/// What a ranking is of, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    summed: Summed,
    /// By what its dimensions are in order, the least first.
    weights: Weights,
}

impl Ranked {
    /// Users by what they come to by these weights, the least first.
    pub fn users(range: (i64, i64), currency: Option<Currency>, weights: &Sums) -> Self {
        Self { summed: Summed { rollup: Rollup::Users, range, currency }, weights: narrowed(&user_values(weights)) }
    }

    /// SKUs, likewise.
    pub fn items(range: (i64, i64), currency: Option<Currency>, weights: &ItemSums) -> Self {
        let weights = narrowed(&widened(&[weights.quantity, weights.orders, weights.total]));
        Self { summed: Summed { rollup: Rollup::Items, range, currency }, weights }
    }
}

/// Values as weights, which are small.
fn narrowed(values: &Values) -> Weights {
    std::array::from_fn(|i| i64::try_from(values[i]).unwrap_or_default())
}

/// Subjects in their order.
pub struct Ranking {
    ranked: Ranked,
    totals: Totals,
    order: BTreeSet<Rank>,
    /// The newest row of the log that is in it.
    newest: i64,
}

impl Ranking {
    fn of(tx: &ReadTx<'_>, ranked: Ranked, newest: i64) -> Result<Self> {
        let totals = Totals::of(tx, &ranked.summed)?;
        let rank = |(currency, dimension, value)| Rank { value, dimension, currency };
        let order = totals.iter_weighed(&ranked.weights).map(rank).collect();
        Ok(Self { ranked, totals, order, newest })
    }

    /// The same with what the log says up to `newest`; none if some of that is not in the log any more.
    fn up_to(mut self, tx: &ReadTx<'_>, newest: i64) -> Result<Option<Self>> {
        if self.newest == newest {
            return Ok(Some(self));
        }
        let forgotten: i64 = tx.row("SELECT min(seq) FROM rollup_folds", [], |row| row.get(0))?.unwrap_or(0);
        if !(forgotten..newest).contains(&self.newest) {
            return Ok(None);
        }
        let Summed { rollup, .. } = self.ranked.summed;
        let mut changes = vec![];
        logged_after(tx, rollup, self.newest, |key, part| {
            if self.ranked.summed.includes(key) {
                changes.push((*key, *part));
            }
        })?;
        for (key, part) in changes {
            if let Some(before) = self.rank(&key) {
                self.order.remove(&before);
            }
            self.totals.change(tx, rollup, &key, &part)?;
            self.order.extend(self.rank(&key));
        }
        self.newest = newest;
        Ok(Some(self))
    }

    /// The rank of the dimension of this key; none if it comes to nothing.
    fn rank(&self, &rollup_codec::EntryKey { currency, dimension, .. }: &rollup_codec::EntryKey) -> Option<Rank> {
        let value = self.totals.weighed(currency, dimension, &self.ranked.weights)?;
        Some(Rank { value, dimension, currency })
    }

    /// How many dimensions there are, each counted in every currency that it has anything in.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// Bytes that it takes, about: nodes of the order are not always full.
    fn bytes(&self) -> usize {
        self.order.len() * size_of::<Rank>() * 4 / 3 + self.totals.bytes()
    }

    /// The dimensions after a key, or all of them, and what each comes to.
    pub fn after(&self, key: Option<Rank>) -> impl Iterator<Item = (Rank, Values)> {
        let after = key.map_or(Bound::Unbounded, Bound::Excluded);
        let ranks = self.order.range((after, Bound::Unbounded));
        ranks.map(|rank| (*rank, self.totals.values(rank.currency, rank.dimension)))
    }
}

/// A ranking, unless it has yet to be made. Who uses it has it alone.
type Kept = Arc<Mutex<Option<Ranking>>>;

/// Rankings that were asked for of late.
#[derive(Default)]
pub struct Rankings {
    /// The latest first, with the bytes that each takes.
    kept: Mutex<Vec<(Ranked, usize, Kept)>>,
}

impl Rankings {
    /// What `look` sees in a ranking as it is in this snapshot.
    pub fn look<T>(&self, tx: &ReadTx<'_>, ranked: Ranked, look: impl FnOnce(&Ranking) -> T) -> Result<T> {
        let kept = self.kept(ranked);
        let mut key = lock(&kept);
        let newest = tx.row(NEWEST, [], |row| row.get(0))?.unwrap_or(0);
        // Whatever fails, nothing half done is left in its key.
        let ranking = match key.take() {
            Some(ranking) => ranking.up_to(tx, newest)?,
            None => None,
        };
        let ranking = ranking.map_or_else(|| Ranking::of(tx, ranked, newest), Ok)?;
        let (seen, bytes) = (look(&ranking), ranking.bytes());
        *key = Some(ranking);
        drop(key);
        self.used(ranked, bytes, kept);
        Ok(seen)
    }

    fn kept(&self, ranked: Ranked) -> Kept {
        let mut kept = lock(&self.kept);
        if let Some((.., ranking)) = kept.iter().find(|(other, ..)| *other == ranked) {
            return Arc::clone(ranking);
        }
        let ranking = Kept::default();
        kept.insert(0, (ranked, 0, Arc::clone(&ranking)));
        ranking
    }

    /// Puts a ranking first, and forgets the last ones if they take too much.
    fn used(&self, ranked: Ranked, bytes: usize, ranking: Kept) {
        let mut kept = lock(&self.kept);
        kept.retain(|(other, ..)| *other != ranked);
        kept.insert(0, (ranked, bytes, ranking));
        let mut left = KEPT_BYTES;
        kept.retain(|(_, bytes, _)| left.checked_sub(*bytes).inspect(|rest| left = *rest).is_some());
        kept.truncate(KEPT);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(day: i64) -> Ranked {
        Ranked::users((day, day + 86_400), None, &Sums::default())
    }

    /// The days of what is kept after these were used, each taking so many bytes.
    fn kept_of(used: impl IntoIterator<Item = (i64, usize)>) -> Vec<i64> {
        let rankings = Rankings::default();
        for (day, bytes) in used {
            let kept = rankings.kept(ranked(day));
            rankings.used(ranked(day), bytes, kept);
        }
        let kept = lock(&rankings.kept);
        kept.iter().map(|(ranked, ..)| ranked.summed.range.0).collect()
    }

    #[test]
    fn the_latest_are_kept() {
        assert_eq!(kept_of([(1, 10), (2, 10), (1, 12)]), [1, 2]);
        let many = kept_of((0..100).map(|day| (day, 1)));
        assert_eq!((many.len(), many[0], many[KEPT - 1]), (KEPT, 99, 99 - 63));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        assert_eq!(kept_of([(1, 10), (2, KEPT_BYTES / 2), (3, KEPT_BYTES / 2)]), [3, 2]);
        assert_eq!(kept_of([(1, 10), (2, KEPT_BYTES + 1)]), [1], "what is too large leaves the others");
    }
}
