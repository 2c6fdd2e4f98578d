//! The daily report.

use super::{super::views::DailyRow, Amounts, Basis, Question, beyond_the_calendar};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        calendar::{Date, days_between, from_midnight, nearest_midnight},
        money::{Currency, divide_rounded},
        permission::Permission,
        rollup::Sums,
    },
    error::Result,
    service::views::AsText,
    store::{ReadTx, rollups},
};
use std::collections::BTreeMap;

/// A report on at most this many days takes a fraction of a millisecond. So it is read on the caller's thread: to hand it to
/// another one would take a third of the time that the most usual one takes.
const FEW_DAYS: usize = 366;

/// One row for each day and each currency that occurs in the range.
pub async fn daily(app: &App, actor: &Actor, question: Question) -> Result<Vec<DailyRow>> {
    actor.require(Permission::AnalyticsRead)?;
    let is_short = question.days.count() <= FEW_DAYS;
    let read = move |tx: &ReadTx<'_>| rows(tx, &question);
    if is_short { app.store.read("analytics.daily", read).await } else { app.store.scan("analytics.daily", read).await }
}

fn rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<DailyRow>> {
    let days = question.days.each().ok_or_else(beyond_the_calendar)?;
    let mut edges: Vec<i64> = days.iter().map(|(_, start, _)| *start).collect();
    edges.extend(days.last().map(|(_, _, end)| *end));
    let mut sums = by_day(tx, question, &edges)?;
    sums.retain(|_, days| days.iter().any(|sums| *sums != Sums::default()));
    if let Some(only) = question.currency {
        sums.entry(only).or_insert_with(|| vec![Sums::default(); days.len()]);
    }
    let row = |i: usize, date: Date| sums.iter().map(move |(currency, by_day)| (date, *currency, by_day[i]));
    let rows = days.iter().enumerate().flat_map(|(i, (date, ..))| row(i, *date));
    Ok(rows.map(|(date, currency, sums)| daily_row(date, currency, &sums, question.basis)).collect())
}

/// The sums of each currency for each day. `edges` are the start of each day and the end of the last one.
fn by_day(tx: &ReadTx<'_>, question: &Question, edges: &[i64]) -> Result<BTreeMap<Currency, Vec<Sums>>> {
    let days = edges.len() - 1;
    let mut sums: BTreeMap<Currency, Vec<Sums>> = BTreeMap::new();
    let mut add = |day: usize, currency, part: &Sums, sign| {
        if question.wants(currency) {
            sums.entry(currency).or_insert_with(|| vec![Sums::default(); days])[day].add(part, sign);
        }
    };
    // A local day is a day in UTC plus or minus the hours between each of its ends and the nearest midnight in UTC. These
    // hours are added to one day and subtracted from its neighbour.
    let midnights: Vec<i64> = edges.iter().map(|edge| nearest_midnight(*edge)).collect();
    if let Some(range) = days_between(edges[0], edges[days]) {
        rollups::each_sales_bucket(tx, range, |bucket, currency, part| {
            let day = midnights.partition_point(|midnight| *midnight <= bucket) - 1;
            add(day, currency, part, 1);
        })?;
    }
    for (i, edge) in edges.iter().enumerate() {
        for range in from_midnight(*edge) {
            rollups::each_sales_bucket(tx, range, |_, currency, part| {
                if i > 0 {
                    add(i - 1, currency, part, range.sign);
                }
                if i < days {
                    add(i, currency, part, -range.sign);
                }
            })?;
        }
    }
    rollups::each_logged_sale(tx, |at, currency, part| {
        if (edges[0]..edges[days]).contains(&at) {
            add(edges.partition_point(|edge| *edge <= at) - 1, currency, part, 1);
        }
    })?;
    Ok(sums)
}

fn daily_row(date: Date, currency: Currency, sums: &Sums, basis: Basis) -> DailyRow {
    let amounts = Amounts::of(sums, basis);
    let average = match sums.orders_placed {
        0 => 0,
        orders => divide_rounded(sums.booked, orders),
    };
    DailyRow {
        date: AsText(date),
        currency: AsText(currency),
        orders_placed: sums.orders_placed,
        orders_cancelled: sums.orders_cancelled,
        gross_amount: amounts.gross,
        refunded_amount: amounts.refunded,
        credited_amount: amounts.credited,
        cancelled_amount: amounts.cancelled,
        net_amount: amounts.net(),
        tax_amount: sums.tax,
        credited_tax_amount: sums.credited_tax,
        cancelled_tax_amount: sums.cancelled_tax,
        net_tax_amount: sums.tax - sums.credited_tax - sums.cancelled_tax,
        average_order_amount: average,
    }
}
