//! Status counts.

use super::{super::views::StatusRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{money::Currency, permission::Permission},
    error::Result,
    service::views::Shown,
    store::{
        ReadTx,
        figures::{self, Ledger, Summed, Totals, Values},
    },
};

/// The orders placed in the range, by their present statuses.
pub async fn status_counts(app: &App, actor: &Actor, question: Question) -> Result<Vec<StatusRow>> {
    actor.require(Permission::AnalyticsRead)?;
    app.store.scan("analytics.status_counts", move |tx| rows(tx, &question)).await
}

fn rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<StatusRow>> {
    let (range, currency) = (question.bounds()?, question.currency);
    let totals = Totals::of(tx, &Summed { ledger: Ledger::Statuses, range, currency })?;
    let row = |(currency, subject, [orders, total_amount, ..]): (Currency, i64, Values)| {
        let (status, payment_status) = figures::standing(subject)?;
        Some(StatusRow {
            status: Shown(status),
            payment_status: Shown(payment_status),
            currency: Shown(currency),
            orders,
            total_amount,
        })
    };
    let mut rows: Vec<_> = totals.iter().filter_map(row).collect();
    rows.sort_unstable_by_key(|row| (row.status.0, row.payment_status.0, row.currency.0));
    Ok(rows)
}
