//! The panel of one currency in the daily summary: a bar up for what came in, a bar down for what went back, and a line
//! for what is left.

use super::{
    panel::{MARGIN, Panel, WIDTH},
    scale::{Scale, amount},
};
use crate::{domain::money::Currency, service::views::DailyRow};
use maud::{Markup, html};
use std::fmt::Write;

/// Above the plot: the currency and its sums.
const HEAD: i64 = 330;
/// The height of the plot.
const PLOT: i64 = 2_000;
/// Below the plot: the dates.
const FOOT: i64 = 620;
/// Where the days begin; amounts are written before that.
const LEFT: i64 = 1_300;
const RIGHT: i64 = WIDTH - MARGIN;
/// The most dates that are written.
const DATES: usize = 8;
/// Of more days than this the months are marked.
const MONTHS_BEYOND: usize = 62;
/// The most days that tell their figures when pointed at.
const POINTED_AT: usize = 400;

/// A figure of a day, and its name.
pub(super) struct Figure {
    name: &'static str,
    of: fn(&DailyRow) -> i128,
}

const GROSS: Figure = Figure { name: "gross", of: |row| row.gross_amount };
const NET: Figure = Figure { name: "net", of: |row| row.net_amount };

/// What is taken off the gross amount where money counts.
pub(super) const REFUNDED: &[Figure] = &[Figure { name: "refunded", of: |row| row.refunded_amount }];
/// What is taken off the gross amount where orders count.
pub(super) const CREDITED_AND_CANCELLED: &[Figure] = &[
    Figure { name: "credited", of: |row| row.credited_amount },
    Figure { name: "cancelled", of: |row| row.cancelled_amount },
];

/// All figures that are told in words, in their order.
fn told<'f>(taken_off: &'f [Figure]) -> impl Iterator<Item = &'f Figure> {
    [&GROSS].into_iter().chain(taken_off).chain([&NET])
}

/// The panel of these days, with what is taken off their gross amounts as one bar.
pub(super) fn panel(currency: Currency, rows: &[&DailyRow], taken_off: &[Figure]) -> Panel {
    let back = |row: &DailyRow| taken_off.iter().map(|figure| (figure.of)(row)).sum::<i128>();
    // What is reversed turns a bar around.
    let values = || rows.iter().flat_map(|row| [row.gross_amount, row.net_amount, -back(row)]);
    let axis = Scale::over(values().min().unwrap_or(0).min(0), values().max().unwrap_or(0).max(0), PLOT);
    let sum = |figure: &Figure| amount(rows.iter().map(|row| (figure.of)(row)).sum(), currency);
    let sums: Vec<_> = told(taken_off).map(|figure| format!("{} {}", figure.name, sum(figure))).collect();
    let sums = sums.join(" · ");
    let drawing = html! {
        text class="currency" x=(MARGIN) y="170" { (currency) }
        text class="quiet end" x=(RIGHT) y="170" { (sums) }
        @for value in axis.marks() {
            @let y = height_of(&axis, value);
            line class=(if value == 0 { "zero" } else { "grid" }) x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
            text class="quiet end" x=(LEFT - 100) y=(y + 42) { (axis.amount(value, currency)) }
        }
        path class="a" d=(bars(&axis, rows, |row| row.gross_amount)) {}
        path class="b" d=(bars(&axis, rows, |row| -back(row))) {}
        (net(&axis, rows))
        @for i in dates(rows) {
            @let x = middle(i, rows.len());
            text class=(place_of(i, rows.len())) x=(x) y=(HEAD + PLOT + 220) { (rows[i].date.0) }
        }
        @if rows.len() <= POINTED_AT { (pointed_at(currency, rows, taken_off)) }
    };
    Panel { height: HEAD + PLOT + FOOT, words: format!("{currency}: {sums}."), drawing }
}

fn height_of(axis: &Scale, value: i128) -> i64 {
    HEAD + PLOT - axis.at(value)
}

/// Where day `i` of `days` begins.
fn begin(i: usize, days: usize) -> i64 {
    let (i, days) = (i64::try_from(i).unwrap_or(0), i64::try_from(days).unwrap_or(1));
    LEFT + (RIGHT - LEFT) * i / days.max(1)
}

fn middle(i: usize, days: usize) -> i64 {
    i64::midpoint(begin(i, days), begin(i + 1, days))
}

/// A bar from zero for each day, all in one path.
fn bars(axis: &Scale, rows: &[&DailyRow], value: impl Fn(&DailyRow) -> i128) -> String {
    let zero = height_of(axis, 0);
    let mut path = String::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| value(row) != 0) {
        let (from, to) = (begin(i, rows.len()), begin(i + 1, rows.len()));
        let gap = (to - from) / 8;
        let top = height_of(axis, value(row));
        // Writing to a string does not fail.
        let _ = write!(path, "M{} {zero}V{top}H{}V{zero}Z", from + gap, to - gap);
    }
    path
}

fn net(axis: &Scale, rows: &[&DailyRow]) -> Markup {
    let point = |(i, row): (usize, &&DailyRow)| (middle(i, rows.len()), height_of(axis, row.net_amount));
    let points: Vec<_> = rows.iter().enumerate().map(point).collect();
    let line: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    html! {
        polyline class="net" points=(line.join(" ")) {}
        @if rows.len() <= MONTHS_BEYOND {
            @for (x, y) in points { circle class="c" cx=(x) cy=(y) r="28" {} }
        }
    }
}

/// The days whose dates are written: some of them, or some first days of months.
fn dates(rows: &[&DailyRow]) -> Vec<usize> {
    let first_of_month = |i: &usize| rows.len() <= MONTHS_BEYOND || rows[*i].date.0.day() == 1;
    let days: Vec<_> = (0..rows.len()).filter(first_of_month).collect();
    let every = days.len().div_ceil(DATES).max(1);
    days.into_iter().step_by(every).collect()
}

/// The last date stays inside the drawing.
fn place_of(i: usize, days: usize) -> &'static str {
    if RIGHT - middle(i, days) < 350 { "quiet end" } else { "quiet middle" }
}

/// An area over each day that tells its figures.
fn pointed_at(currency: Currency, rows: &[&DailyRow], taken_off: &[Figure]) -> Markup {
    let words = |row: &DailyRow| {
        let words = told(taken_off).map(|figure| format!("{} {}", figure.name, amount((figure.of)(row), currency)));
        words.collect::<Vec<_>>().join(", ")
    };
    html! {
        @for (i, row) in rows.iter().enumerate() {
            rect class="hit" x=(begin(i, rows.len())) y=(HEAD) width=(begin(i + 1, rows.len()) - begin(i, rows.len()))
                height=(PLOT) {
                title { (row.date.0) ": " (words(row)) ", orders " (row.orders_placed) }
            }
        }
    }
}
