//! Reports as SVG charts. Each currency has a panel of its own, because amounts in different currencies have no common
//! axis. Lengths are tenths of a pixel, so that integers are precise enough. Colours follow the reader's light or dark
//! scheme. A chart loads nothing and runs no scripts.

use super::{
    bars::{self, Bar, Segment},
    days,
    panel::{MARGIN, Panel, WIDTH, width},
    scale::{Scale, amount},
};
use crate::{
    domain::{
        calendar::{Zone, parse_date},
        money::Currency,
        order::OrderStatus,
        transaction::PaymentStatus,
    },
    service::views::{DailyRow, Report, RevenueRow, StatusRow, TaxRow, TopItemRow},
};
use maud::{Markup, PreEscaped, html};
use std::collections::BTreeMap;

/// The space above the first panel, for the title and the legend.
const TOP: i64 = 1_260;
/// The height of the space for the message in a chart without panels.
const EMPTY: i64 = 900;
/// The width of a legend entry in addition to its text.
const LEGEND_GAP: i64 = 420;
const STYLE: &str = "
  svg { color-scheme: light dark; font: 120px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
    --paper: #ffffff; --ink: #1c2430; --quiet: #5a6675; --line: #e1e5ea; --zero: #9aa4b1;
    --a: #2f6fd0; --b: #d9642b; --c: #1c2430; --soft: #b9d0f1;
    --s0: #b4bcc8; --s1: #e3b341; --s2: #2e9e6b; --s3: #14b8c4; --s4: #d9642b; --s5: #9b4fc0; }
  @media (prefers-color-scheme: dark) { svg {
    --paper: #12161c; --ink: #e8ecf1; --quiet: #9ba7b6; --line: #29313b; --zero: #66717f;
    --a: #5b97f0; --b: #f08a55; --c: #f4f6f9; --soft: #2c4a77;
    --s0: #6c7787; --s1: #e6bd5a; --s2: #43b987; --s3: #38ccd6; --s4: #f08a55; --s5: #bd7ddc; } }
  text { fill: var(--ink); unicode-bidi: plaintext; } .quiet { fill: var(--quiet); }
  .title { font-size: 200px; font-weight: 650; } .currency { font-size: 150px; font-weight: 650; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .paper { fill: var(--paper); } .grid { stroke: var(--line); stroke-width: 10; }
  .zero { stroke: var(--zero); stroke-width: 12; } .hit { fill: transparent; } .hit:hover { fill: var(--zero); opacity: .18; }
  .a { fill: var(--a); } .b { fill: var(--b); } .c { fill: var(--c); } .soft { fill: var(--soft); }
  .net { fill: none; stroke: var(--c); stroke-width: 20; stroke-linejoin: round; stroke-linecap: round; }
  .thin { stroke-width: 8; } .dashed { stroke-dasharray: 10 50; } .open { opacity: .5; }
  .s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
  .s4 { fill: var(--s4); } .s5 { fill: var(--s5); }
";

/// Draws the panels of a report below one another. `legend` gives the style and the name of each series.
fn framed<R>(report: &Report<R>, title: &str, legend: &[(&str, &str)], panels: &[Panel]) -> Markup {
    let mut tops = vec![TOP];
    tops.extend(panels.iter().scan(TOP, |top, panel| {
        *top += panel.height;
        Some(*top)
    }));
    let height = if panels.is_empty() { TOP + EMPTY } else { tops[panels.len()] + MARGIN / 2 };
    let basis = if report.basis == "cash" { "money that moved (cash)" } else { "orders placed (booked)" };
    let range = format!("{} to {} · {} · {basis}", report.from.0, report.to.0, report.tz);
    let mut words: Vec<_> = panels.iter().map(|panel| panel.words.as_str()).collect();
    if panels.is_empty() {
        words.push("No data for this period.");
    }
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title words" width=(WIDTH / 10)
            height=(height / 10) viewBox={ "0 0 " (WIDTH) " " (height) } {
            title id="title" { (title) ", " (range) }
            desc id="words" { (words.join(" ")) }
            style { (PreEscaped(STYLE)) }
            rect class="paper" width=(WIDTH) height=(height) {}
            text class="title" x=(MARGIN) y="400" { (title) }
            text class="quiet" x=(MARGIN) y="620" { (range) }
            @if panels.is_empty() {
                text class="quiet middle" x=(WIDTH / 2) y=(TOP + EMPTY / 3) { "No data for this period." }
            } @else {
                (legend_of(legend))
            }
            @for (panel, top) in panels.iter().zip(tops) {
                g transform={ "translate(0 " (top) ")" } { (panel.drawing) }
            }
        }
    }
}

fn legend_of(entries: &[(&str, &str)]) -> Markup {
    let mut x = MARGIN;
    html! {
        @for (style, word) in entries {
            rect class=(style) x=(x) y="830" width="130" height="130" rx="24" {}
            text class="quiet" x=(x + 190) y="940" { (word) }
            @let () = x += LEGEND_GAP + width(word);
        }
    }
}

/// Text without the characters that XML forbids or that change the direction of the text around them.
pub(super) fn plain(text: &str) -> String {
    let unfit = |c: char| {
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|c| if unfit(c) { '\u{fffd}' } else { c }).collect()
}

/// Groups the rows by currency and keeps their order.
fn by_currency<R>(rows: &[R], currency: impl Fn(&R) -> Currency) -> BTreeMap<Currency, Vec<&R>> {
    let mut panels: BTreeMap<Currency, Vec<&R>> = BTreeMap::new();
    for row in rows {
        panels.entry(currency(row)).or_default().push(row);
    }
    panels
}

/// The daily summary: gross amounts, deductions and net amounts.
pub(super) fn daily(report: &Report<DailyRow>) -> Markup {
    let panels = by_currency(&report.data, |row| row.currency.0);
    let (deductions, name) = match report.basis {
        "cash" => (days::REFUNDED, "refunded"),
        _ => (days::CREDITED_AND_CANCELLED, "credited and cancelled"),
    };
    let today = Zone::parse(&report.tz).and_then(|zone| parse_date(&zone.local_day(report.generated_at.0)));
    let panel = |(currency, rows): (&Currency, &Vec<&DailyRow>)| days::panel(*currency, rows, deductions, today);
    let panels: Vec<_> = panels.iter().map(panel).collect();
    framed(report, "Revenue by day", &[("a", "gross"), ("b", name), ("c", "net")], &panels)
}

/// Revenue by user: gross and net amounts.
pub(super) fn revenue(report: &Report<RevenueRow>) -> Markup {
    let bar = |currency: Currency, row: &RevenueRow| {
        let label = row.name.as_deref().or(row.email.as_deref()).unwrap_or("no user");
        let details = format!("gross {}", amount(row.gross_amount, currency));
        Bar {
            label: plain(label),
            segments: vec![
                Segment { style: "soft", value: row.gross_amount, words: details },
                Segment {
                    style: "a",
                    value: row.net_amount,
                    words: format!("net {}", amount(row.net_amount, currency)),
                },
            ],
            note: format!("{} · {}", amount(row.net_amount, currency), orders(row.orders)),
        }
    };
    let panel = |(currency, rows): (&Currency, &Vec<&RevenueRow>)| {
        let bars: Vec<_> = rows.iter().map(|row| bar(*currency, row)).collect();
        bars::overlaid(*currency, &bars)
    };
    let panels: Vec<_> = by_currency(&report.data, |row| row.currency.0).iter().map(panel).collect();
    framed(report, "Revenue by user", &[("soft", "gross"), ("a", "net")], &panels)
}

/// Status counts: the orders of each status, divided by payment status.
pub(super) fn statuses(report: &Report<StatusRow>) -> Markup {
    let styles = ["s0", "s1", "s2", "s3", "s4", "s5"];
    let style = |payment: PaymentStatus| {
        let index = PaymentStatus::ALL.iter().position(|&known| known == payment).unwrap_or(0);
        styles[index % styles.len()]
    };
    let bar = |currency: Currency, status: OrderStatus, rows: &[&StatusRow]| {
        let of_status: Vec<_> = rows.iter().filter(|row| row.status.0 == status).collect();
        let segment = |row: &&&StatusRow| Segment {
            style: style(row.payment_status.0),
            value: row.orders,
            words: format!("{}: {}", in_words(row.payment_status.0.name()), orders(row.orders)),
        };
        let count = of_status.iter().map(|row| row.orders).sum();
        let total = of_status.iter().map(|row| row.total_amount).sum();
        let note = format!("{} · {}", orders(count), amount(total, currency));
        Bar { label: status.name().to_owned(), segments: of_status.iter().map(segment).collect(), note }
    };
    let panel = |(currency, rows): (&Currency, &Vec<&StatusRow>)| {
        let bars: Vec<_> = OrderStatus::ALL.iter().map(|status| bar(*currency, *status, rows)).collect();
        bars::stacked(*currency, &bars.into_iter().filter(|bar| !bar.segments.is_empty()).collect::<Vec<_>>())
    };
    let panels: Vec<_> = by_currency(&report.data, |row| row.currency.0).iter().map(panel).collect();
    let words: Vec<_> = PaymentStatus::ALL.iter().map(|payment| (style(*payment), in_words(payment.name()))).collect();
    let legend: Vec<_> = words.iter().map(|(style, word)| (*style, word.as_str())).collect();
    framed(report, "Orders by status", &legend, &panels)
}

/// Top items by revenue.
pub(super) fn top_items(report: &Report<TopItemRow>) -> Markup {
    let bar = |currency: Currency, row: &TopItemRow| {
        let total = amount(row.total_amount, currency);
        let label = if row.name == row.sku { plain(&row.sku) } else { plain(&format!("{} ({})", row.name, row.sku)) };
        let note = format!("{total} · {} in {}", Scale::count(row.quantity), orders(row.orders));
        Bar { label, segments: vec![Segment { style: "a", value: row.total_amount, words: total }], note }
    };
    let panel = |(currency, rows): (&Currency, &Vec<&TopItemRow>)| {
        let bars: Vec<_> = rows.iter().map(|row| bar(*currency, row)).collect();
        bars::overlaid(*currency, &bars)
    };
    let panels: Vec<_> = by_currency(&report.data, |row| row.currency.0).iter().map(panel).collect();
    framed(report, "Top items", &[("a", "total amount without returns, with the quantity beside it")], &panels)
}

/// Net amounts and taxes by rate.
pub(super) fn taxes(report: &Report<TaxRow>) -> Markup {
    let bar = |currency: Currency, row: &TaxRow| {
        let (net, tax) = (amount(row.net_amount, currency), amount(row.tax_amount, currency));
        Bar {
            label: row.tax_rate.map_or_else(|| "without a rate".to_owned(), |rate| format!("{} %", rate.0)),
            segments: vec![
                Segment { style: "soft", value: row.net_amount, words: format!("net {net}") },
                Segment { style: "a", value: row.tax_amount, words: format!("tax {tax}") },
            ],
            note: format!("tax {tax} on {net}"),
        }
    };
    let panel = |(currency, rows): (&Currency, &Vec<&TaxRow>)| {
        let bars: Vec<_> = rows.iter().map(|row| bar(*currency, row)).collect();
        bars::overlaid(*currency, &bars)
    };
    let panels: Vec<_> = by_currency(&report.data, |row| row.currency.0).iter().map(panel).collect();
    framed(report, "Taxes by rate", &[("soft", "net amount"), ("a", "tax")], &panels)
}

fn orders(count: i128) -> String {
    if count == 1 { "1 order".to_owned() } else { format!("{} orders", Scale::count(count)) }
}

/// A name of the API in words: `partially_paid` becomes `partially paid`.
fn in_words(name: &str) -> String {
    name.replace('_', " ")
}
