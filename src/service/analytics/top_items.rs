//! Top items.

use super::{super::views::TopItemRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{figures::ItemSums, money::Currency, permission::Permission},
    error::{Error, Result},
    service::views::Shown,
    store::{
        ReadTx,
        figures::{self, Ledger, Totals},
        item_names,
    },
};
use std::cmp::Reverse;

/// What brought in the most, at most `limit` rows.
pub async fn top_items(app: &App, actor: &Actor, question: Question, limit: usize) -> Result<Vec<TopItemRow>> {
    actor.require(Permission::AnalyticsRead)?;
    app.store.scan("analytics.top_items", move |tx| rows(tx, &question, limit)).await
}

fn rows(tx: &ReadTx<'_>, question: &Question, limit: usize) -> Result<Vec<TopItemRow>> {
    let (from, to) = question.bounds()?;
    let top = top(tx, &figures::totals(tx, Ledger::Items, (from, to), question.currency)?, limit)?;
    let (numbers, newest) = (item_names::numbers(tx, from, to)?, item_names::newest_before(tx, to)?);
    let row = |Sold { sku, currency, sums }| {
        let name = item_names::newest(tx, (&sku, currency), &numbers, newest)?;
        Ok(TopItemRow {
            sku,
            name: name.unwrap_or_default(),
            currency: Shown(currency),
            quantity: sums.quantity,
            orders: sums.orders,
            total_amount: sums.total,
        })
    };
    top.into_iter().map(row).collect()
}

/// What was sold of a SKU in one currency.
struct Sold {
    sku: String,
    currency: Currency,
    sums: ItemSums,
}

/// The `limit` that brought in the most, in their order.
fn top(tx: &ReadTx<'_>, totals: &Totals, limit: usize) -> Result<Vec<Sold>> {
    let mut found: Vec<_> =
        totals.iter().map(|(currency, subject, values)| (figures::item_sums(&values), subject, currency)).collect();
    if (1..found.len()).contains(&limit) {
        // Only what may be shown gets its SKU: what brought in no less than the last that fits.
        let (_, (last, ..), _) = found.select_nth_unstable_by_key(limit - 1, |(sums, ..)| Reverse(sums.total));
        let least = last.total;
        found.retain(|(sums, ..)| sums.total >= least);
    }
    let named = |(sums, subject, currency)| {
        let sku = figures::sku(tx, subject)?.ok_or_else(|| Error::internal("a SKU without a name"))?;
        Ok(Sold { sku, currency, sums })
    };
    let mut top: Vec<_> = found.into_iter().map(named).collect::<Result<_>>()?;
    top.sort_unstable_by(|a, b| (b.sums.total, &a.sku, a.currency).cmp(&(a.sums.total, &b.sku, b.currency)));
    top.truncate(limit);
    Ok(top)
}
