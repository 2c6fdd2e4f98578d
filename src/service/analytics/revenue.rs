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
        page::{Found, Wanted},
        views::AsText,
    },
    store::{
        ReadTx,
        rollups::{self, Ranked, Values},
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
    wanted: Wanted<Rank>,
) -> Result<Found<RevenueRow, Rank>> {
    actor.require(Permission::AnalyticsRead)?;
    let ranked = Ranked::users(question.bounds()?, question.currency, &weights(question.basis, sort));
    let shared = app.clone();
    app.store
        .scan("analytics.revenue_by_user", move |tx| {
            let found = shared.rankings.look(tx, ranked, |ranking| {
                let ranks = ranking.after(wanted.after).take(wanted.look_for()).collect();
                let total = || Ok(i64::try_from(ranking.count()).unwrap_or(i64::MAX));
                wanted.found(ranks, |(rank, _)| *rank, total)
            })??;
            let rows = found.entries.iter().map(|(rank, values)| row(tx, question.basis, rank, values));
            let entries = rows.collect::<Result<_>>()?;
            Ok(Found { entries, next: found.next, total: found.total })
        })
        .await
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
        label.map_or_else(Default::default, |(id, email, name)| (Some(AsText(id)), Some(email), Some(name)));
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
