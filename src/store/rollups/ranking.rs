//! Rankings: dimensions ordered by a weighted sum of their totals. They are cached by `cache.rs`, and brought up to
//! date here with the entries that were logged since.

use super::{
    EntryKey, Rollup, Values, each_in_log_after, item_values,
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
use std::{collections::BTreeSet, ops::Bound, sync::Arc};

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
    pub(super) fn read(tx: &ReadTx<'_>, query: RankingQuery, last_seq: i64) -> Result<Self> {
        let totals = Totals::read(tx, &query.totals)?;
        let rank = |(currency, dimension, value)| Rank { value, dimension, currency };
        let order = totals.iter_weighted(&query.weights).map(rank).collect();
        Ok(Self { query, totals, order, last_seq })
    }

    /// Adds the log up to row `last_seq`; none if a part of that was folded and deleted. A ranking that is also used
    /// elsewhere stays as it is there: a copy is brought up to date.
    pub(super) fn brought_up_to(self: Arc<Self>, tx: &ReadTx<'_>, last_seq: i64) -> Result<Option<Arc<Self>>> {
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
    pub(super) fn bytes(&self) -> usize {
        self.order.len() * size_of::<Rank>() * 4 / 3 + self.totals.bytes()
    }

    /// The ranks after `rank`, or all of them, with their totals.
    pub fn after(&self, rank: Option<Rank>) -> impl Iterator<Item = (Rank, Values)> {
        let after = rank.map_or(Bound::Unbounded, Bound::Excluded);
        let ranks = self.order.range((after, Bound::Unbounded));
        ranks.map(|rank| (*rank, self.totals.values(rank.currency, rank.dimension)))
    }
}
