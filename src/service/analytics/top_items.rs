//! Top items.

use super::{super::views::TopItemRow, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        calendar::{SPANS, days_between, nearest},
        figures::ItemSums,
        money::Currency,
        permission::Permission,
    },
    error::Result,
    service::views::Shown,
    store::{
        ReadTx,
        item_sales::{self, Sold},
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
    let sold = sold(tx, from, to)?;
    let top = top(&sold, question, limit);
    let (numbers, newest) = (item_sales::numbers(tx, from, to)?, item_sales::newest_before(tx, to)?);
    let row = |(sku, currency, sums): (&str, Currency, ItemSums)| {
        let name = item_sales::newest_name(tx, (sku, currency), &numbers, newest)?;
        Ok(TopItemRow {
            sku: sku.to_owned(),
            name: name.unwrap_or_default(),
            currency: Shown(currency),
            quantity: sums.quantity,
            orders: sums.orders,
            total_amount: sums.total,
        })
    };
    top.into_iter().map(row).collect()
}

/// What was sold from one instant to another, both in seconds since the epoch.
fn sold(tx: &ReadTx<'_>, from: i64, to: i64) -> Result<Sold> {
    let mut sold = Sold::new();
    if let Some(days) = days_between(from, to) {
        item_sales::add_days(tx, days, &mut sold)?;
    }
    // The summary knows days in UTC. From the midnight nearest to each end, the orders themselves lead to it.
    for (end, times) in [(from, -1), (to, 1)] {
        let midnight = nearest(SPANS[0], end) * SPANS[0];
        if midnight < end {
            item_sales::add_orders(tx, &item_sales::numbers(tx, midnight, end)?, times, &mut sold)?;
        } else if end < midnight {
            item_sales::add_orders(tx, &item_sales::numbers(tx, end, midnight)?, -times, &mut sold)?;
        }
    }
    Ok(sold)
}

fn top<'s>(sold: &'s Sold, question: &Question, limit: usize) -> Vec<(&'s str, Currency, ItemSums)> {
    let rows = sold.iter().flat_map(|(sku, by_currency)| {
        by_currency.iter().map(move |(currency, sums)| (sku.as_str(), *currency, *sums))
    });
    let mut top: Vec<_> =
        rows.filter(|(_, currency, sums)| question.wants(*currency) && *sums != ItemSums::default()).collect();
    let rank = |(sku, currency, sums): &(&'s str, Currency, ItemSums)| (Reverse(sums.total), *sku, *currency);
    if limit < top.len() {
        // Only what is shown is put in order.
        top.select_nth_unstable_by_key(limit, rank);
        top.truncate(limit);
    }
    top.sort_unstable_by_key(rank);
    top
}
