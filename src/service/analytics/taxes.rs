//! Net amounts and taxes by rate, as a tax return asks for them.

use super::{super::views::TaxRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::Result,
    service::views::AsText,
    store::{ReadTx, rollups},
};
use std::cmp::Reverse;

/// The net amounts and taxes of the orders placed in the range, less those credited and cancelled in it, by rate.
///
/// # Errors
/// `FORBIDDEN` without `analytics:read`.
pub async fn taxes(app: &App, actor: &Actor, question: Question) -> Result<Vec<TaxRow>> {
    actor.require(Permission::AnalyticsRead)?;
    // A range of any length reads few buckets. That is faster than handing the query to another thread.
    app.store.read("analytics.taxes", |tx| rows(tx, &question)).await
}

fn rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<TaxRow>> {
    let totals = rollups::tax_totals(tx, question.bounds()?, question.currency)?;
    let rows = totals.into_iter().map(|((currency, Reverse(rate)), sums)| TaxRow {
        tax_rate: rate.map(AsText),
        currency: AsText(currency),
        net_amount: sums.net,
        tax_amount: sums.tax,
    });
    Ok(rows.collect())
}
