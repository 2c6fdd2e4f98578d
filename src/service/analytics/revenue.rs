//! Revenue by user.

use super::{super::views::RevenueRow, Amounts, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{figures::Sums, id::UserId, listing::Direction, money::Currency, permission::Permission},
    error::Result,
    service::{
        page::{Found, Wanted},
        views::Shown,
    },
    store::{ReadTx, figures},
};
use std::collections::HashMap;

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

/// A user in one currency; no user for orders of nobody.
type Whose = (Option<UserId>, Currency);

/// The place of a row in the report: what it is ordered by, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevenueKey {
    /// What the report is ordered by, negative where the greatest comes first.
    pub rank: i64,
    /// Whose row it is.
    pub whose: (Option<UserId>, Currency),
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
            let sums = sums(tx, &question)?;
            let keys = page(&sums, &question, order, &wanted);
            let total = || Ok(i64::try_from(sums.len()).unwrap_or(i64::MAX));
            let found = wanted.found(keys, |key| *key, total)?;
            let rows = found.entries.iter().map(|key| row(tx, &question, key.whose, &sums[&key.whose]));
            let entries = rows.collect::<Result<_>>()?;
            Ok(Found { entries, next: found.next, total: found.total })
        })
        .await
}

fn sums(tx: &ReadTx<'_>, question: &Question) -> Result<HashMap<Whose, Sums>> {
    let mut by_user: HashMap<Whose, Sums> = HashMap::new();
    for run in question.runs()? {
        figures::user_sales(tx, run, |user, currency, sums| {
            if question.wants(currency) {
                by_user.entry((user, currency)).or_default().add(&sums, run.times);
            }
        })?;
    }
    by_user.retain(|_, sums| *sums != Sums::default());
    Ok(by_user)
}

/// The rows of the page, in their order, and one more if more follow.
fn page(
    sums: &HashMap<Whose, Sums>,
    question: &Question,
    (sort, direction): (RevenueSort, Direction),
    wanted: &Wanted<RevenueKey>,
) -> Vec<RevenueKey> {
    let value = |sums: &Sums| match sort {
        RevenueSort::Net => Amounts::of(sums, question.basis).net(),
        RevenueSort::Gross => Amounts::of(sums, question.basis).gross,
        RevenueSort::Orders => sums.orders_placed,
    };
    let key = |(whose, sums): (&Whose, &Sums)| match direction {
        Direction::Ascending => RevenueKey { rank: value(sums), whose: *whose },
        Direction::Descending => RevenueKey { rank: -value(sums), whose: *whose },
    };
    let mut keys: Vec<_> = sums.iter().map(key).filter(|key| wanted.after.is_none_or(|after| *key > after)).collect();
    if wanted.look_for() < keys.len() {
        // Only what is shown is put in order.
        keys.select_nth_unstable(wanted.look_for());
        keys.truncate(wanted.look_for());
    }
    keys.sort_unstable();
    keys
}

fn row(tx: &ReadTx<'_>, question: &Question, (user, currency): Whose, sums: &Sums) -> Result<RevenueRow> {
    let amounts = Amounts::of(sums, question.basis);
    let label = user.map(|user| figures::user_label(tx, user)).transpose()?.flatten();
    let (email, name) = label.unzip();
    Ok(RevenueRow {
        user_id: user.map(Shown),
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
