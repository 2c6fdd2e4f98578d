//! Revenue by user.

use super::{super::views::RevenueRow, Amounts, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{figures::Sums, listing::Direction, money::Currency, permission::Permission},
    error::Result,
    service::{
        page::{Found, Wanted},
        views::Shown,
    },
    store::{
        ReadTx,
        figures::{self, Ledger, Totals, Values},
    },
};

/// What the report orders its users by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevenueSort {
    /// What is left.
    Net,
    /// What came in.
    Gross,
    /// How many orders.
    Orders,
}

/// A user's number in the figures, 0 for orders of nobody; and a currency.
type Whose = (i64, Currency);

/// The place of a row in the report: what it is ordered by, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevenueKey {
    /// What the report is ordered by, negative where the greatest comes first.
    pub rank: i128,
    /// Whose row it is: the user's number in the figures, 0 for orders of nobody, and the currency.
    pub whose: (i64, Currency),
}

/// A page of revenue by user; rows with the same figure are in the order of their users and currencies.
pub async fn revenue_by_user(
    app: &App,
    actor: &Actor,
    question: Question,
    order: (RevenueSort, Direction),
    wanted: Wanted<RevenueKey>,
) -> Result<Found<RevenueRow, RevenueKey>> {
    actor.require(Permission::AnalyticsRead)?;
    app.store
        .scan("analytics.revenue_by_user", move |tx| {
            let totals = figures::totals(tx, Ledger::Users, question.bounds()?, question.currency)?;
            let keys = page(&totals, &question, order, &wanted);
            let total = || Ok(i64::try_from(totals.iter().count()).unwrap_or(i64::MAX));
            let found = wanted.found(keys, |key| *key, total)?;
            let rows = found.entries.iter().map(|key| row(tx, &question, key.whose, &totals));
            let entries = rows.collect::<Result<_>>()?;
            Ok(Found { entries, next: found.next, total: found.total })
        })
        .await
}

/// The rows of the page, in their order, and one more if more follow.
fn page(
    totals: &Totals,
    question: &Question,
    (sort, direction): (RevenueSort, Direction),
    wanted: &Wanted<RevenueKey>,
) -> Vec<RevenueKey> {
    let value = |sums: &Sums| match sort {
        RevenueSort::Net => Amounts::of(sums, question.basis).net(),
        RevenueSort::Gross => Amounts::of(sums, question.basis).gross,
        RevenueSort::Orders => sums.orders_placed,
    };
    let key = |(currency, user, values): (Currency, i64, Values)| {
        let value = value(&figures::user_sums(&values));
        let rank = if direction == Direction::Ascending { value } else { -value };
        RevenueKey { rank, whose: (user, currency) }
    };
    let mut keys: Vec<_> = totals.iter().map(key).filter(|key| wanted.after.is_none_or(|after| *key > after)).collect();
    if wanted.look_for() < keys.len() {
        // Only what is shown is put in order.
        keys.select_nth_unstable(wanted.look_for());
        keys.truncate(wanted.look_for());
    }
    keys.sort_unstable();
    keys
}

fn row(tx: &ReadTx<'_>, question: &Question, (user, currency): Whose, totals: &Totals) -> Result<RevenueRow> {
    let sums = figures::user_sums(&totals.of(currency, user));
    let amounts = Amounts::of(&sums, question.basis);
    let label = figures::user_label(tx, user)?;
    let (user_id, email, name) =
        label.map_or_else(Default::default, |(id, email, name)| (Some(Shown(id)), Some(email), Some(name)));
    Ok(RevenueRow {
        user_id,
        email,
        name,
        currency: Shown(currency),
        orders: sums.orders_placed,
        gross_amount: amounts.gross,
        refunded_amount: amounts.refunded,
        cancelled_amount: amounts.cancelled,
        net_amount: amounts.net(),
    })
}
