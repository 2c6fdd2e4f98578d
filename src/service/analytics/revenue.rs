//! Revenue by user.

use super::{super::views::RevenueRow, Amounts, Basis, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        listing::Direction,
        permission::Permission,
        rollup::{Rank, Sums},
    },
    error::Result,
    service::{
        page::{Page, PageRequest},
        views::AsText,
    },
    store::{
        ReadTx,
        rollups::{self, Ranking, RankingQuery, Values},
    },
};

/// The value that revenue by user is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevenueKey {
    /// The net amount.
    Net,
    /// The gross amount.
    Gross,
    /// The number of orders.
    Orders,
}

/// How revenue by user is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevenueSort {
    /// By which value.
    pub key: RevenueKey,
    /// Which end comes first.
    pub direction: Direction,
}

/// A page of revenue by user. Rows with equal values are sorted by user and currency.
///
/// # Errors
/// `FORBIDDEN` without `analytics:read`; `QUERY_TOO_EXPENSIVE`.
pub async fn revenue_by_user(
    app: &App,
    actor: &Actor,
    question: Question,
    sort: RevenueSort,
    request: PageRequest<Rank>,
) -> Result<Page<RevenueRow, Rank>> {
    actor.require(Permission::AnalyticsRead)?;
    let query = RankingQuery::users(question.bounds()?, question.currency, &weights(question.basis, sort));
    let select = move |ranking: &Ranking| {
        let ranks = ranking.after(request.after).take(request.limit_and_one()).collect();
        let total = || Ok(i64::try_from(ranking.count()).unwrap_or(i64::MAX));
        request.page(ranks, |(rank, _)| *rank, total)
    };
    let finish = move |tx: &ReadTx<'_>, found: Result<Page<(Rank, Values), Rank>>| {
        found?.try_map(|(rank, values)| row(tx, question.basis, &rank, &values))
    };
    app.store.scan_ranking("analytics.revenue_by_user", query, select, finish).await
}

/// The weight of each sum in the value that the report is sorted by. The row that comes first has the smallest value.
fn weights(basis: Basis, RevenueSort { key, direction }: RevenueSort) -> Sums {
    let nothing = Sums::default();
    let gross = match basis {
        Basis::Cash => Sums { paid: 1, ..nothing },
        Basis::Booked => Sums { booked: 1, ..nothing },
    };
    let weights = match (key, basis) {
        (RevenueKey::Orders, _) => Sums { orders_placed: 1, ..nothing },
        (RevenueKey::Gross, _) => gross,
        (RevenueKey::Net, Basis::Cash) => Sums { refunded: -1, ..gross },
        (RevenueKey::Net, Basis::Booked) => Sums { cancelled: -1, ..gross },
    };
    let mut signed = nothing;
    signed.add(&weights, if direction == Direction::Ascending { 1 } else { -1 });
    signed
}

fn row(tx: &ReadTx<'_>, basis: Basis, rank: &Rank, values: &Values) -> Result<RevenueRow> {
    let sums = rollups::user_sums(values);
    let amounts = Amounts::of(&sums, basis);
    let label = rollups::user_label(tx, rank.dimension)?;
    let (user_id, email, name) =
        label.map_or_else(Default::default, |user| (Some(AsText(user.id)), Some(user.email), Some(user.name)));
    Ok(RevenueRow {
        user_id,
        email,
        name,
        currency: AsText(rank.currency),
        orders: sums.orders_placed,
        gross_amount: amounts.gross,
        refunded_amount: amounts.refunded,
        cancelled_amount: amounts.cancelled,
        net_amount: amounts.net(),
    })
}
