//! Status counts.

use super::{super::views::StatusRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::Result,
    service::views::Shown,
    store::{ReadTx, figures},
};
use std::collections::BTreeMap;

/// The orders placed in the range, by their present statuses.
pub async fn status_counts(app: &App, actor: &Actor, question: Question) -> Result<Vec<StatusRow>> {
    actor.require(Permission::AnalyticsRead)?;
    app.store.scan("analytics.status_counts", move |tx| rows(tx, &question)).await
}

fn rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<StatusRow>> {
    let mut counts: BTreeMap<figures::StatusKey, (i64, i64)> = BTreeMap::new();
    for run in question.runs()? {
        figures::standings(tx, run, |key, orders, total| {
            if question.wants(key.2) {
                let sum = counts.entry(key).or_default();
                sum.0 += orders * run.times;
                sum.1 += total * run.times;
            }
        })?;
    }
    let rows = counts.into_iter().filter(|(_, (orders, _))| *orders > 0);
    let row = |((status, payment_status, currency), (orders, total_amount))| StatusRow {
        status: Shown(status),
        payment_status: Shown(payment_status),
        currency: Shown(currency),
        orders,
        total_amount,
    };
    Ok(rows.map(row).collect())
}
