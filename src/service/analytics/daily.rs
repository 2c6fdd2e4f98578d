//! The daily report.

use super::{super::views::DailyRow, Amounts, Basis, Question};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        calendar::Date,
        money::{Currency, divide_rounded},
        permission::Permission,
        rollup::Sums,
    },
    error::{Error, Result},
    service::views::{AsText, StoredJson},
    store::rollups::{DailyQuery, Day},
};
use std::sync::Arc;

/// One row for each day and each currency that occurs in the range.
pub async fn daily(app: &App, actor: &Actor, question: Question) -> Result<Vec<DailyRow>> {
    let basis = question.basis;
    rows(app, actor, question, move |date, currency, day| Ok(daily_row(date, currency, &day.sums, basis))).await
}

/// The same as JSON. A row is kept until the sums of its day change: to write all of them took two fifths of a report's
/// time.
pub async fn daily_json(app: &App, actor: &Actor, question: Question) -> Result<Vec<StoredJson<Arc<str>>>> {
    let basis = question.basis;
    let json = move |date, currency, day: &mut Day| {
        if let Some(text) = &day.text {
            return Ok(StoredJson(Arc::clone(text)));
        }
        let row = daily_row(date, currency, &day.sums, basis);
        let text: Arc<str> = serde_json::to_string(&row).map_err(Error::internal)?.into();
        day.text = Some(Arc::clone(&text));
        Ok(StoredJson(text))
    };
    rows(app, actor, question, json).await
}

async fn rows<T: Send + 'static>(
    app: &App,
    actor: &Actor,
    question: Question,
    make: impl Fn(Date, Currency, &mut Day) -> Result<T> + Send + 'static,
) -> Result<Vec<T>> {
    actor.require(Permission::AnalyticsRead)?;
    let currency = question.currency;
    let query = DailyQuery { days: question.days, currency, texts: question.basis.name() };
    app.store.scan_daily("analytics.daily", query, move |daily| daily.rows(currency, make)).await
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
