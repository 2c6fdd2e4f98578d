//! The panel of one currency in the daily summary: bars up for gross amounts, bars down for refunds or cancellations,
//! and a line for net amounts.

use super::{
    panel::{MARGIN, Panel, WIDTH},
    scale::{Scale, amount},
};
use crate::{
    domain::{calendar::Date, money::Currency},
    service::views::DailyRow,
};
use maud::{Markup, html};
use std::{fmt::Write, ops::Range};

/// The space above the plot, for the currency and its sums.
const HEAD: i64 = 330;
/// The height of the plot.
const PLOT: i64 = 2_000;
/// The space below the plot, for the dates.
const FOOT: i64 = 620;
/// Where the plot begins. Amounts are to the left.
const LEFT: i64 = 1_300;
const RIGHT: i64 = WIDTH - MARGIN;
/// The maximum number of date labels.
const MAX_DATES: usize = 8;
/// A longer range is labelled by months and has no dots on its line.
const MAX_DAYS_WITH_DATES: usize = 62;
/// A longer range has no tooltips and a thinner line.
const MAX_DAYS_WITH_TOOLTIPS: usize = 400;
/// The maximum width of a bar, which matters for a few days.
const MAX_BAR: i64 = 900;

/// A figure of a day, with its name.
pub(super) struct Figure {
    name: &'static str,
    of: fn(&DailyRow) -> i128,
}

const GROSS: Figure = Figure { name: "gross", of: |row| row.gross_amount };
const NET: Figure = Figure { name: "net", of: |row| row.net_amount };

/// What is subtracted from gross on the cash basis.
pub(super) const REFUNDED: &[Figure] = &[Figure { name: "refunded", of: |row| row.refunded_amount }];
/// What is subtracted from gross on the booked basis.
pub(super) const CREDITED_AND_CANCELLED: &[Figure] = &[
    Figure { name: "credited", of: |row| row.credited_amount },
    Figure { name: "cancelled", of: |row| row.cancelled_amount },
];

/// The figures that are shown as text, in their order.
fn figures(deductions: &[Figure]) -> impl Iterator<Item = &Figure> {
    [&GROSS].into_iter().chain(deductions).chain([&NET])
}

/// The panel of these days, which are in order. All deductions of a day are one bar. `today` is not over and is drawn
/// paler; nothing is drawn of the days after it.
pub(super) fn panel(currency: Currency, rows: &[&DailyRow], deductions: &[Figure], today: Option<Date>) -> Panel {
    let deducted = |row: &DailyRow| deductions.iter().map(|figure| (figure.of)(row)).sum::<i128>();
    // On a day with reversals, gross amounts can be negative and deductions positive.
    let values = || rows.iter().flat_map(|row| [row.gross_amount, row.net_amount, -deducted(row)]);
    let axis = Scale::over(values().min().unwrap_or(0).min(0), values().max().unwrap_or(0).max(0), PLOT);
    let sum = |figure: &Figure| amount(rows.iter().map(|row| (figure.of)(row)).sum(), currency);
    let sums: Vec<_> = figures(deductions).map(|figure| format!("{} {}", figure.name, sum(figure))).collect();
    let sums = sums.join(" · ");
    let over = today.map_or(rows.len(), |today| rows.partition_point(|row| row.date.0 < today));
    let now = today.and_then(|today| rows.get(over).filter(|row| row.date.0 == today)).map(|_| over);
    let drawing = html! {
        text class="currency" x=(MARGIN) y="170" { (currency) }
        text class="quiet end" x=(RIGHT) y="170" { (sums) }
        @for value in axis.marks() {
            @let y = height_of(&axis, value);
            line class=(if value == 0 { "zero" } else { "grid" }) x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
            text class="quiet end" x=(LEFT - 100) y=(y + 42) { (axis.amount(value, currency)) }
        }
        @for (style, days) in [("", 0..over), (" open", over..over + usize::from(now.is_some()))] {
            path class={ "a" (style) } d=(bars(&axis, rows, days.clone(), |row| row.gross_amount)) {}
            path class={ "b" (style) } d=(bars(&axis, rows, days, |row| -deducted(row))) {}
        }
        (net(&axis, rows, over, now))
        @for i in dates(rows) {
            @let x = middle(i, rows.len());
            text class=(style_of_date(i, rows.len())) x=(x) y=(HEAD + PLOT + 220) { (rows[i].date.0) }
        }
        @if let Some(i) = now {
            text class=(style_of_date(i, rows.len())) x=(middle(i, rows.len())) y=(HEAD + PLOT + 390) {
                @if rows.len() > MAX_DAYS_WITH_DATES { (rows[i].date.0) " is " }
                "not over yet"
            }
        }
        @if rows.len() <= MAX_DAYS_WITH_TOOLTIPS { (tooltips(currency, rows, deductions)) }
    };
    Panel { height: HEAD + PLOT + FOOT, words: format!("{currency}: {sums}."), drawing }
}

fn height_of(axis: &Scale, value: i128) -> i64 {
    HEAD + PLOT - axis.at(value)
}

/// The horizontal position where day `i` of `days` begins.
fn begin(i: usize, days: usize) -> i64 {
    let (i, days) = (i64::try_from(i).unwrap_or(0), i64::try_from(days).unwrap_or(1));
    LEFT + (RIGHT - LEFT) * i / days.max(1)
}

fn middle(i: usize, days: usize) -> i64 {
    i64::midpoint(begin(i, days), begin(i + 1, days))
}

/// The bars of `days` as one path.
fn bars(axis: &Scale, rows: &[&DailyRow], days: Range<usize>, value: impl Fn(&DailyRow) -> i128) -> String {
    let zero = height_of(axis, 0);
    let mut path = String::new();
    for (i, row) in days.map(|i| (i, rows[i])).filter(|(_, row)| value(row) != 0) {
        let (from, to) = (begin(i, rows.len()), begin(i + 1, rows.len()));
        let gap = ((to - from) / 8).max((to - from - MAX_BAR) / 2);
        let top = height_of(axis, value(row));
        // Writing to a string cannot fail.
        let _ = write!(path, "M{} {zero}V{top}H{}V{zero}Z", from + gap, to - gap);
    }
    path
}

/// The line through the days that are over, and on to the one that is not.
fn net(axis: &Scale, rows: &[&DailyRow], over: usize, now: Option<usize>) -> Markup {
    let points: Vec<_> =
        rows.iter().enumerate().map(|(i, row)| (middle(i, rows.len()), height_of(axis, row.net_amount))).collect();
    let line = |points: &[(i64, i64)]| points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
    let style = if rows.len() <= MAX_DAYS_WITH_TOOLTIPS { "net" } else { "net thin" };
    html! {
        polyline class=(style) points=(line(&points[..over])) {}
        @if let Some(now) = now {
            polyline class={ (style) " dashed" } points=(line(&points[now.saturating_sub(1)..=now])) {}
        }
        @if rows.len() <= MAX_DAYS_WITH_DATES {
            @for (x, y) in &points[..over + usize::from(now.is_some())] { circle class="c" cx=(x) cy=(y) r="28" {} }
        }
    }
}

/// The indices of the days with a date label: at most [`MAX_DATES`], and only first days of months in a long range.
fn dates(rows: &[&DailyRow]) -> Vec<usize> {
    let first_of_month = |i: &usize| rows.len() <= MAX_DAYS_WITH_DATES || rows[*i].date.0.day() == 1;
    let days: Vec<_> = (0..rows.len()).filter(first_of_month).collect();
    let every = days.len().div_ceil(MAX_DATES).max(1);
    days.into_iter().step_by(every).collect()
}

/// The style of a date label. One near the right edge is right-aligned, so that it stays inside the drawing.
fn style_of_date(i: usize, days: usize) -> &'static str {
    if RIGHT - middle(i, days) < 350 { "quiet end" } else { "quiet middle" }
}

/// An invisible area over each day whose tooltip shows the figures.
fn tooltips(currency: Currency, rows: &[&DailyRow], deductions: &[Figure]) -> Markup {
    let shown = |row: &DailyRow| {
        let shown = figures(deductions).map(|figure| format!("{} {}", figure.name, amount((figure.of)(row), currency)));
        shown.collect::<Vec<_>>().join(", ")
    };
    html! {
        @for (i, row) in rows.iter().enumerate() {
            rect class="hit" x=(begin(i, rows.len())) y=(HEAD) width=(begin(i + 1, rows.len()) - begin(i, rows.len()))
                height=(PLOT) {
                title { (row.date.0) ": " (shown(row)) ", orders " (row.orders_placed) }
            }
        }
    }
}
