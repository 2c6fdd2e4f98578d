//! Queries whose figures are kept: the same query then reads only what has changed since.

use super::{Daily, DailyQuery, Ranking, RankingQuery, cache::Cache};
use crate::{
    error::Result,
    store::{ReadTx, Store},
};
use std::sync::Arc;

/// Sums of at most this many days take a fraction of a millisecond, as pages of lists do.
const FEW_DAYS: usize = 366;

/// The figures that a store keeps.
#[derive(Default)]
pub struct CachedFigures {
    rankings: Cache<Ranking>,
    daily: Cache<Daily>,
}

impl Store {
    /// [`Store::scan`] for a report that is a part of a ranking. `select` takes that part, and `finish` reads the rest
    /// of the report in the same snapshot.
    ///
    /// # Errors
    /// Those of `scan` and `finish`.
    pub async fn scan_ranking<S, T: Send + 'static>(
        &self,
        name: &'static str,
        query: RankingQuery,
        select: impl FnOnce(&Arc<Ranking>) -> S + Send + 'static,
        finish: impl FnOnce(&ReadTx<'_>, S) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let figures = Arc::clone(&self.0.figures);
        self.scan(name, move |tx| finish(tx, figures.rankings.with(tx, query, |ranking| select(ranking))?)).await
    }

    /// [`Store::scan`] for the sums of days, from which `select` makes the report. Up to [`FEW_DAYS`] are read on the
    /// caller's thread.
    ///
    /// # Errors
    /// Those of `scan` and `select`.
    pub async fn scan_daily<T: Send + 'static>(
        &self,
        name: &'static str,
        query: DailyQuery,
        select: impl FnOnce(&mut Daily) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (figures, are_few) = (Arc::clone(&self.0.figures), query.days.count() <= FEW_DAYS);
        let read = move |tx: &ReadTx<'_>| figures.daily.with(tx, query, |daily| select(Arc::make_mut(daily)))?;
        if are_few { self.read(name, read).await } else { self.scan(name, read).await }
    }
}
