//! Counts of orders by status.

use super::{super::views::StatusRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{money::Currency, permission::Permission},
    error::Result,
    service::views::AsText,
    store::{
        ReadTx,
        rollups::{self, Rollup, Totals, TotalsQuery, Values},
    },
};

/// The orders placed in the range, counted by their present status and payment status.
///
/// # Errors
/// `FORBIDDEN` without `analytics:read`.
pub async fn status_counts(app: &App, actor: &Actor, question: Question) -> Result<Vec<StatusRow>> {
    actor.require(Permission::AnalyticsRead)?;
    // A range of any length reads few buckets. That is faster than handing the query to another thread.
    app.store.read("analytics.status_counts", |tx| rows(tx, &question)).await
}

fn rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<StatusRow>> {
    let (range, currency) = (question.bounds()?, question.currency);
    let totals = Totals::read(tx, &TotalsQuery { rollup: Rollup::Statuses, range, currency })?;
    let row = |(currency, dimension, [orders, total_amount, ..]): (Currency, i64, Values)| {
        let (status, payment_status) = rollups::statuses(dimension)?;
        Some(StatusRow {
            status: AsText(status),
            payment_status: AsText(payment_status),
            currency: AsText(currency),
            orders,
            total_amount,
        })
    };
    let mut rows: Vec<_> = totals.iter().filter_map(row).collect();
    rows.sort_unstable_by_key(|row| (row.status.0, row.payment_status.0, row.currency.0));
    Ok(rows)
}
