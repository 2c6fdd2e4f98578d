//! Reconciliation: compares the rollups with sums recomputed from the rows.

use super::super::views::{AsText, Reconciliation, ReconciliationCheck, ReconciliationSide};
use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::Result,
    store::reconcile::{self, Comparison, Side},
};

/// Compares every rollup with a recomputation from the rows.
///
/// # Errors
/// `FORBIDDEN` without `analytics:read`; `QUERY_TOO_EXPENSIVE`.
pub async fn reconcile(app: &App, actor: &Actor) -> Result<Reconciliation> {
    actor.require(Permission::AnalyticsRead)?;
    let comparisons = app.store.scan("analytics.reconcile", reconcile::all).await?;
    let checks: Vec<_> = comparisons.into_iter().map(check).collect();
    Ok(Reconciliation { ok: checks.iter().all(|check| check.ok), generated_at: AsText(app.clock.now()), checks })
}

fn check(comparison: Comparison) -> ReconciliationCheck {
    let ok = comparison.agrees();
    let side = |side: Side| ReconciliationSide { digest: format!("{:032x}", side.digest()), totals: side.totals };
    let Comparison { name, stored, recomputed, .. } = comparison;
    ReconciliationCheck { name, ok, stored: side(stored), recomputed: side(recomputed) }
}
