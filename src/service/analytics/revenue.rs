//! Revenue by user.

use super::{super::views::RevenueRow, Amounts, Basis, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        listing::Direction,
        permission::Permission,
        rollup::{Rank, Sums},
        user::User,
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
use std::sync::Arc;

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
    let select = move |ranking: &Arc<Ranking>| page_of(ranking, request);
    let finish = move |tx: &ReadTx<'_>, page: Result<RankPage>| rows(tx, question.basis, page?);
    app.store.scan_ranking("analytics.revenue_by_user", query, select, finish).await
}

/// All rows of revenue by user, in the order of the report. The amounts are those of one snapshot, however long the
/// rows are read: the ranking stays as it is. Names and addresses are those at the time of reading.
#[derive(Clone)]
pub struct RevenueExport {
    ranking: Arc<Ranking>,
    basis: Basis,
}

/// Prepares an export of revenue by user.
pub async fn export_revenue_by_user(
    app: &App,
    actor: &Actor,
    question: &Question,
    sort: RevenueSort,
) -> Result<RevenueExport> {
    actor.require(Permission::AnalyticsRead)?;
    let basis = question.basis;
    let query = RankingQuery::users(question.bounds()?, question.currency, &weights(basis, sort));
    let finish = move |_: &ReadTx<'_>, ranking| Ok(RevenueExport { ranking, basis });
    app.store.scan_ranking("analytics.revenue_by_user", query, Arc::clone, finish).await
}

impl RevenueExport {
    /// Reads one part of the rows.
    pub async fn part(self, app: &App, request: PageRequest<Rank>) -> Result<Page<RevenueRow, Rank>> {
        let Self { ranking, basis } = self;
        let page = page_of(&ranking, request)?;
        app.store.read("analytics.revenue_by_user", move |tx| rows(tx, basis, page)).await
    }
}

type RankPage = Page<(Rank, Values), Rank>;

fn page_of(ranking: &Ranking, request: PageRequest<Rank>) -> Result<RankPage> {
    let ranks = ranking.after(request.after).take(request.limit_and_one()).collect();
    let total = || Ok(i64::try_from(ranking.count()).unwrap_or(i64::MAX));
    request.page(ranks, |(rank, _)| *rank, total)
}

fn rows(tx: &ReadTx<'_>, basis: Basis, page: RankPage) -> Result<Page<RevenueRow, Rank>> {
    let users = rollups::users(tx, page.entries.iter().map(|(rank, _)| rank.dimension))?;
    Ok(page.map(|(rank, values)| row(basis, &rank, &values, users.get(&rank.dimension))))
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
        (RevenueKey::Net, Basis::Booked) => Sums { credited: -1, cancelled: -1, ..gross },
    };
    let mut signed = nothing;
    signed.add(&weights, if direction == Direction::Ascending { 1 } else { -1 });
    signed
}

fn row(basis: Basis, rank: &Rank, values: &Values, user: Option<&User>) -> RevenueRow {
    let sums = rollups::user_sums(values);
    let amounts = Amounts::of(&sums, basis);
    RevenueRow {
        user_id: user.map(|user| AsText(user.id)),
        email: user.and_then(|user| user.email.as_ref()).map(ToString::to_string),
        name: user.and_then(|user| user.name.clone()),
        currency: AsText(rank.currency),
        orders: sums.orders_placed,
        gross_amount: amounts.gross,
        refunded_amount: amounts.refunded,
        credited_amount: amounts.credited,
        cancelled_amount: amounts.cancelled,
        net_amount: amounts.net(),
    }
}
