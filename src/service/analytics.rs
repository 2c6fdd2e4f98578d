//! Figures: the daily summary, revenue by user, and status counts, from summaries that are kept with every change; and
//! whether those agree with the rows.

use super::views::{
    DailyRow, Reconciliation, ReconciliationCheck, ReconciliationSide, Report, RevenueRow, Shown, StatusRow,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        calendar::{Date, Days, cover},
        figures::Sums,
        id::UserId,
        money::{Currency, divide_rounded},
        permission::Permission,
    },
    error::{Error, Result},
    store::{
        ReadTx, figures,
        reconcile::{self, Comparison, Side},
    },
};
use std::collections::BTreeMap;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Money that moved, when it moved.
    Cash,
    /// Orders that were placed, when they were placed.
    Booked,
}

impl Basis {
    /// As clients write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Booked => "booked",
        }
    }
}

/// What is asked: which days, in which currency (any, if none is named), by which basis.
#[derive(Clone, Debug)]
pub struct Question {
    /// The days.
    pub days: Days,
    /// The only currency, if one is named.
    pub currency: Option<Currency>,
    /// What counts.
    pub basis: Basis,
}

/// What a report orders its users by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevenueSort {
    /// What is left.
    Net,
    /// What came in.
    Gross,
    /// How many orders.
    Orders,
}

/// Gross, refunded, cancelled and net, by basis.
struct Amounts {
    gross: i64,
    refunded: i64,
    cancelled: i64,
}

impl Amounts {
    fn of(sums: &Sums, basis: Basis) -> Self {
        match basis {
            Basis::Cash => Self { gross: sums.paid, refunded: sums.refunded, cancelled: 0 },
            Basis::Booked => Self { gross: sums.booked, refunded: 0, cancelled: sums.cancelled },
        }
    }

    fn net(&self) -> i64 {
        self.gross - self.refunded - self.cancelled
    }
}

fn report<R>(app: &App, question: &Question, basis: Basis, data: Vec<R>) -> Report<R> {
    Report {
        basis: basis.name(),
        tz: question.days.zone.name().to_owned(),
        from: Shown(question.days.from),
        to: Shown(question.days.to),
        generated_at: Shown(app.clock.now()),
        data,
        page: None,
    }
}

/// The runs of buckets that cover the whole range.
fn runs(question: &Question) -> Result<Vec<crate::domain::calendar::Run>> {
    let (from, to) = question.days.bounds().ok_or_else(|| Error::internal("a day beyond the calendar"))?;
    Ok(cover(from, to))
}

fn wanted(question: &Question, currency: Currency) -> bool {
    question.currency.is_none_or(|only| only == currency)
}

/// A row for every day and every currency that has a figure in the range.
pub async fn daily(app: &App, actor: &Actor, question: Question) -> Result<Report<DailyRow>> {
    actor.require(Permission::AnalyticsRead)?;
    let asked = question.clone();
    let rows = app.store.scan("analytics.daily", move |tx| daily_rows(tx, &asked)).await?;
    Ok(report(app, &question, question.basis, rows))
}

fn daily_rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<DailyRow>> {
    let days = question.days.each().ok_or_else(|| Error::internal("a day beyond the calendar"))?;
    let mut by_day: Vec<(Date, BTreeMap<Currency, Sums>)> = Vec::with_capacity(days.len());
    let mut currencies: BTreeMap<Currency, Sums> = question.currency.iter().map(|c| (*c, Sums::default())).collect();
    for (date, from, to) in days {
        let mut sums: BTreeMap<Currency, Sums> = BTreeMap::new();
        for run in cover(from, to) {
            for (currency, part) in figures::sales(tx, run)? {
                if wanted(question, currency) && part != Sums::default() {
                    sums.entry(currency).or_default().add(&part, 1);
                    currencies.entry(currency).or_default();
                }
            }
        }
        by_day.push((date, sums));
    }
    let row = |date, currency, sums: &Sums| daily_row(date, currency, sums, question.basis);
    let rows_of = |(date, sums): &(_, BTreeMap<Currency, Sums>)| {
        let nothing = Sums::default();
        currencies.keys().map(|c| row(*date, *c, sums.get(c).unwrap_or(&nothing))).collect::<Vec<_>>()
    };
    Ok(by_day.iter().flat_map(rows_of).collect())
}

fn daily_row(date: Date, currency: Currency, sums: &Sums, basis: Basis) -> DailyRow {
    let amounts = Amounts::of(sums, basis);
    let average = match sums.orders_placed {
        0 => 0,
        orders => divide_rounded(i128::from(sums.booked), i128::from(orders)),
    };
    DailyRow {
        date: Shown(date),
        currency: Shown(currency),
        orders_placed: sums.orders_placed,
        orders_cancelled: sums.orders_cancelled,
        gross_amount: amounts.gross,
        refunded_amount: amounts.refunded,
        cancelled_amount: amounts.cancelled,
        net_amount: amounts.net(),
        tax_amount: sums.tax,
        average_order_amount: i64::try_from(average).unwrap_or(i64::MAX),
    }
}

/// A page of revenue by user: `descending` by `sort`, then by user and currency; `after` is how many rows precede it.
pub async fn revenue_by_user(
    app: &App,
    actor: &Actor,
    question: Question,
    order: (RevenueSort, Direction),
    (skip, limit): (usize, usize),
) -> Result<(Report<RevenueRow>, usize)> {
    actor.require(Permission::AnalyticsRead)?;
    let asked = question.clone();
    let (rows, total) = app
        .store
        .scan("analytics.revenue_by_user", move |tx| {
            let mut ranked = ranked(revenue(tx, &asked)?, &asked, order);
            let total = ranked.len();
            let page: Vec<_> = ranked.drain(skip.min(total)..total.min(skip + limit)).collect();
            let rows = page.into_iter().map(|((user, currency), sums)| revenue_row(tx, &asked, user, currency, &sums));
            Ok((rows.collect::<Result<Vec<_>>>()?, total))
        })
        .await?;
    Ok((report(app, &question, question.basis, rows), total))
}

/// Whether the largest or the smallest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

type ByUser = BTreeMap<(Option<UserId>, Currency), Sums>;

fn revenue(tx: &ReadTx<'_>, question: &Question) -> Result<ByUser> {
    let mut by_user = ByUser::new();
    for run in runs(question)? {
        for (user, currency, sums) in figures::user_sales(tx, run)? {
            if wanted(question, currency) {
                by_user.entry((user, currency)).or_default().add(&sums, 1);
            }
        }
    }
    by_user.retain(|_, sums| *sums != Sums::default());
    Ok(by_user)
}

fn ranked(
    by_user: ByUser,
    question: &Question,
    (sort, direction): (RevenueSort, Direction),
) -> Vec<((Option<UserId>, Currency), Sums)> {
    let mut rows: Vec<_> = by_user.into_iter().collect();
    let value = |sums: &Sums| match sort {
        RevenueSort::Net => Amounts::of(sums, question.basis).net(),
        RevenueSort::Gross => Amounts::of(sums, question.basis).gross,
        RevenueSort::Orders => sums.orders_placed,
    };
    // The sort is stable: equal values stay in the order of their users and currencies.
    rows.sort_by_key(|(_, sums)| match direction {
        Direction::Ascending => value(sums),
        Direction::Descending => -value(sums),
    });
    rows
}

fn revenue_row(
    tx: &ReadTx<'_>,
    question: &Question,
    user: Option<UserId>,
    currency: Currency,
    sums: &Sums,
) -> Result<RevenueRow> {
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

/// The orders placed in the range, by their present statuses.
pub async fn status_counts(app: &App, actor: &Actor, question: Question) -> Result<Report<StatusRow>> {
    actor.require(Permission::AnalyticsRead)?;
    let asked = question.clone();
    let rows = app.store.scan("analytics.status_counts", move |tx| status_rows(tx, &asked)).await?;
    Ok(report(app, &question, Basis::Booked, rows))
}

fn status_rows(tx: &ReadTx<'_>, question: &Question) -> Result<Vec<StatusRow>> {
    let mut counts: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for run in runs(question)? {
        for (key, (orders, total)) in figures::standings(tx, run)? {
            if wanted(question, key.2) {
                let sum = counts.entry(key).or_default();
                sum.0 += orders;
                sum.1 += total;
            }
        }
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

/// Every stored figure against a recomputation from the rows.
pub async fn reconcile(app: &App, actor: &Actor) -> Result<Reconciliation> {
    actor.require(Permission::AnalyticsRead)?;
    let comparisons = app.store.scan("analytics.reconcile", reconcile::all).await?;
    let checks: Vec<_> = comparisons.into_iter().map(reconciliation_check).collect();
    Ok(Reconciliation { ok: checks.iter().all(|check| check.ok), generated_at: Shown(app.clock.now()), checks })
}

fn reconciliation_check(comparison: Comparison) -> ReconciliationCheck {
    let ok = comparison.agrees();
    let side = |side: Side| ReconciliationSide { digest: format!("{:016x}", side.digest()), totals: side.totals };
    let Comparison { name, stored, recomputed, .. } = comparison;
    ReconciliationCheck { name, ok, stored: side(stored), recomputed: side(recomputed) }
}
