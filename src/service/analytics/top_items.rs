//! The items with the highest totals.

use super::{super::views::TopItemRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        money::Currency,
        permission::Permission,
        rollup::{ItemSums, Rank},
    },
    error::{Error, Result},
    service::views::AsText,
    store::{
        ReadTx, item_names,
        rollups::{self, Ranking, RankingQuery, Values},
    },
};
use std::sync::Arc;

/// The items with the highest totals in the range, at most `limit` rows.
///
/// # Errors
/// `FORBIDDEN` without `analytics:read`; `QUERY_TOO_EXPENSIVE`.
pub async fn top_items(app: &App, actor: &Actor, question: Question, limit: usize) -> Result<Vec<TopItemRow>> {
    actor.require(Permission::AnalyticsRead)?;
    let range = question.bounds()?;
    let by_total = ItemSums { total: -1, ..ItemSums::default() };
    let query = RankingQuery::items(range, question.currency, &by_total);
    let select = move |ranking: &Arc<Ranking>| candidates(ranking, limit);
    let finish = move |tx: &ReadTx<'_>, candidates| rows(tx, range, candidates, limit);
    app.store.scan_ranking("analytics.top_items", query, select, finish).await
}

fn rows(
    tx: &ReadTx<'_>,
    (from, to): (i64, i64),
    candidates: Vec<(Rank, Values)>,
    limit: usize,
) -> Result<Vec<TopItemRow>> {
    let orders = item_names::candidates(tx, from, to)?;
    let row = |Sold { sku, currency, sums }| {
        let name = item_names::newest(tx, &sku, currency, &orders)?;
        Ok(TopItemRow {
            sku,
            name: name.unwrap_or_default(),
            currency: AsText(currency),
            quantity: sums.quantity,
            orders: sums.orders,
            total_amount: sums.total,
        })
    };
    first(tx, candidates, limit)?.into_iter().map(row).collect()
}

/// The sums of a SKU in one currency.
struct Sold {
    sku: String,
    currency: Currency,
    sums: ItemSums,
}

/// The first `limit` of the ranking, and those with the same value as the last of them: the sort by SKU decides which
/// of these are shown.
fn candidates(ranking: &Ranking, limit: usize) -> Vec<(Rank, Values)> {
    let last = ranking.after(None).nth(limit.saturating_sub(1)).map(|(rank, _)| rank.value);
    ranking.after(None).take_while(|(rank, _)| last.is_none_or(|last| rank.value <= last)).collect()
}

/// The first `limit` candidates. Those with equal totals are sorted by SKU and currency.
fn first(tx: &ReadTx<'_>, candidates: Vec<(Rank, Values)>, limit: usize) -> Result<Vec<Sold>> {
    let named = |(Rank { dimension, currency, .. }, values): (Rank, Values)| {
        let sku = rollups::sku(tx, dimension)?.ok_or_else(|| Error::internal("a SKU without a name"))?;
        Ok(Sold { sku, currency, sums: rollups::item_sums(&values) })
    };
    let mut sold: Vec<_> = candidates.into_iter().map(named).collect::<Result<_>>()?;
    sold.sort_unstable_by(|a, b| (b.sums.total, &a.sku, a.currency).cmp(&(a.sums.total, &b.sku, b.currency)));
    sold.truncate(limit);
    Ok(sold)
}
