//! Rankings: dimensions ordered by a weighted sum of their totals. Finding the first one takes the totals of all, so
//! they are cached: a page then costs its rows.

use super::{
    EntryKey, Rollup, Values,
    cache::Figures,
    each_in_log_after, item_values,
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
use std::{collections::BTreeSet, ops::Bound};

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
    weights: Weights,
    totals: Totals,
    order: BTreeSet<Rank>,
}

impl Figures for Ranking {
    type Query = RankingQuery;

    const MAX_CACHED_BYTES: usize = 96 * 1024 * 1024;

    fn read(tx: &ReadTx<'_>, query: &RankingQuery) -> Result<Self> {
        let totals = Totals::read(tx, &query.totals)?;
        let rank = |(currency, dimension, value)| Rank { value, dimension, currency };
        let order = totals.iter_weighted(&query.weights).map(rank).collect();
        Ok(Self { weights: query.weights, totals, order })
    }

    fn add_logged_after(&mut self, tx: &ReadTx<'_>, query: &RankingQuery, seq: i64) -> Result<()> {
        let mut changes = vec![];
        each_in_log_after(tx, query.totals.rollup, seq, |key, part| {
            if query.totals.includes(key) {
                changes.push((*key, *part));
            }
        })?;
        for (key, part) in changes {
            if let Some(before) = self.rank(&key) {
                self.order.remove(&before);
            }
            self.totals.add_logged(tx, query.totals.rollup, &key, &part)?;
            let after = self.rank(&key);
            self.order.extend(after);
        }
        Ok(())
    }

    /// Nodes of the tree are not always full.
    fn bytes(&self) -> usize {
        self.order.len() * size_of::<Rank>() * 4 / 3 + self.totals.bytes()
    }
}

impl Ranking {
    /// The current rank of the dimension of `key`; none if all its totals are 0.
    fn rank(&self, &EntryKey { currency, dimension, .. }: &EntryKey) -> Option<Rank> {
        let value = self.totals.weighted(currency, dimension, &self.weights)?;
        Some(Rank { value, dimension, currency })
    }

    /// The number of ranks: a dimension has one in each currency.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// The ranks after `rank`, or all of them, with their totals.
    pub fn after(&self, rank: Option<Rank>) -> impl Iterator<Item = (Rank, Values)> {
        let after = rank.map_or(Bound::Unbounded, Bound::Excluded);
        let ranks = self.order.range((after, Bound::Unbounded));
        ranks.map(|rank| (*rank, self.totals.values(rank.currency, rank.dimension)))
    }
}
