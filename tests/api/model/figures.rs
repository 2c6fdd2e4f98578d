//! The reports a second time, computed from the orders of the model.

use super::{
    credit::sum,
    price::{ByRate, Rate, half_up, rate_text},
    rules::{Money, Order, time},
};
use crate::support::Client;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Row = BTreeMap<&'static str, i128>;

const MONEY: [&str; 5] = ["gross_amount", "refunded_amount", "credited_amount", "cancelled_amount", "net_amount"];
const REST: [&str; 6] = [
    "orders_placed",
    "orders_cancelled",
    "tax_amount",
    "credited_tax_amount",
    "cancelled_tax_amount",
    "net_tax_amount",
];

fn tax(taxes: &ByRate) -> i128 {
    taxes.values().map(|(_, tax)| tax).sum()
}

impl Money {
    /// The times at which it starts (1) and stops (-1) to count.
    fn counts(&self) -> impl Iterator<Item = (i64, i128)> {
        let begun = ["succeeded", "reversed"].contains(&self.status).then_some((self.occurred_at, 1));
        begun.into_iter().chain(self.reversed_at.map(|at| (at, -1)))
    }
}

impl Order {
    /// The credits that counted when the order was cancelled, and those of them that were reversed later, with the
    /// time.
    fn credits_at_the_end(&self, cancelled: i64) -> (Vec<&ByRate>, Vec<(i64, &ByRate)>) {
        let later = |money: &&Money| money.reversed_at.is_some_and(|at| at >= cancelled);
        let stood = self.money.iter().filter(|money| money.status == "succeeded" || later(money));
        let reversed = self.money.iter().filter(later).map(|money| (money.reversed_at.unwrap(), &money.credit));
        (stood.map(|money| &money.credit).collect(), reversed.collect())
    }

    fn figures(&self, basis: &str, add: &mut impl FnMut(i64, &'static str, i128)) {
        let Some(placed) = self.placed else { return };
        let (cash, booked, prices) = (i128::from(basis == "cash"), i128::from(basis == "booked"), self.prices());
        add(placed, "orders_placed", 1);
        add(placed, "gross_amount", booked * prices.total());
        add(placed, "tax_amount", prices.tax());
        for money in &self.money {
            for (at, times) in money.counts() {
                let figure = if money.payment { "gross_amount" } else { "refunded_amount" };
                add(at, figure, times * cash * money.amount);
                add(at, "credited_amount", times * booked * sum(&money.credit));
                add(at, "credited_tax_amount", times * tax(&money.credit));
            }
        }
        let Some(cancelled) = self.cancelled else { return };
        add(cancelled, "orders_cancelled", 1);
        let (stood, reversed) = self.credits_at_the_end(cancelled);
        let credited: i128 = stood.iter().map(|credit| sum(credit)).sum();
        let credited_tax: i128 = stood.iter().map(|credit| tax(credit)).sum();
        add(cancelled, "cancelled_amount", booked * (prices.total() - credited));
        add(cancelled, "cancelled_tax_amount", prices.tax() - credited_tax);
        for (at, credit) in reversed {
            add(at, "cancelled_amount", booked * sum(credit));
            add(at, "cancelled_tax_amount", tax(credit));
        }
    }

    /// Calls `add` for each net amount and tax by rate, with its time.
    fn taxes(&self, add: &mut impl FnMut(i64, Rate, (i128, i128))) {
        let Some(placed) = self.placed else { return };
        let mut each = |at, times: i128, taxes: &ByRate| {
            for (rate, (net, tax)) in taxes {
                add(at, rate.0, (times * net, times * tax));
            }
        };
        each(placed, 1, &self.prices().taxes);
        for money in &self.money {
            money.counts().for_each(|(at, times)| each(at, -times, &money.credit));
        }
        let Some(cancelled) = self.cancelled else { return };
        each(cancelled, -1, &self.prices().taxes);
        let (stood, reversed) = self.credits_at_the_end(cancelled);
        for credit in stood {
            each(cancelled, 1, credit);
        }
        for (at, credit) in reversed {
            each(at, -1, credit);
        }
    }
}

/// Whole days.
pub struct Range {
    from: String,
    to: String,
}

impl Range {
    /// From as many days after a moment to as many days after it.
    pub fn around(moment: i64, from: i64, to: i64) -> Self {
        let day = |days| time(moment + days * 86_400_000)[..10].to_owned();
        Self { from: day(from), to: day(to) }
    }

    fn has(&self, at: i64) -> bool {
        let day = &time(at)[..10];
        *self.from <= *day && *day <= *self.to
    }

    fn query(&self, report: &str) -> String {
        format!("/v1/analytics/{report}?from={}&to={}", self.from, self.to)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The rows of a report by the members `names`, with these figures; rows in which all are 0 are left out.
async fn report(who: &Client, path: &str, names: &[&str], figures: &[&'static str]) -> BTreeMap<Vec<String>, Row> {
    let report = who.get(path).await.ok();
    let row = |row: &Value| {
        let figures = figures.iter().map(|figure| (*figure, i128::from(row[*figure].as_i64().unwrap())));
        (names.iter().map(|name| text(&row[*name])).collect(), figures.collect())
    };
    without_empty(report["data"].as_array().unwrap().iter().map(row).collect())
}

fn without_empty(mut rows: BTreeMap<Vec<String>, Row>) -> BTreeMap<Vec<String>, Row> {
    rows.retain(|_, row| {
        row.retain(|_, sum| *sum != 0);
        !row.is_empty()
    });
    rows
}

#[track_caller]
fn assert_same(path: &str, found: &BTreeMap<Vec<String>, Row>, expected: BTreeMap<Vec<String>, Row>) {
    let expected = without_empty(expected);
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    for key in keys {
        assert_eq!(found.get(key), expected.get(key), "{path} {key:?}: found and expected");
    }
}

fn with_nets(rows: &mut BTreeMap<Vec<String>, Row>) {
    for row in rows.values_mut() {
        let of = |figure| row.get(figure).copied().unwrap_or_default();
        let net = of("gross_amount") - of("refunded_amount") - of("credited_amount") - of("cancelled_amount");
        let net_tax = of("tax_amount") - of("credited_tax_amount") - of("cancelled_tax_amount");
        row.extend([("net_amount", net), ("net_tax_amount", net_tax)]);
    }
}

/// Compares every report of these days with the orders.
pub async fn check(who: &Client, orders: &[Order], range: &Range) {
    for basis in ["cash", "booked"] {
        daily_and_users(who, orders, range, basis).await;
    }
    taxes(who, orders, range).await;
    statuses(who, orders, range).await;
    items(who, orders, range).await;
}

async fn daily_and_users(who: &Client, orders: &[Order], range: &Range, basis: &str) {
    let (mut days, mut users) = (BTreeMap::<_, Row>::new(), BTreeMap::<_, Row>::new());
    for order in orders {
        order.figures(basis, &mut |at, figure, amount| {
            if !range.has(at) {
                return;
            }
            let day = vec![time(at)[..10].to_owned(), order.currency.to_owned()];
            *days.entry(day).or_default().entry(figure).or_default() += amount;
            let user = vec![order.owner.clone().unwrap_or_default(), order.currency.to_owned()];
            *users.entry(user).or_default().entry(figure).or_default() += amount;
        });
    }
    with_nets(&mut days);
    with_nets(&mut users);
    let path = format!("{}&basis={basis}", range.query("daily"));
    let found = report(who, &path, &["date", "currency"], &[&MONEY[..], &REST].concat()).await;
    assert_same(&path, &found, days);

    for row in users.values_mut() {
        let orders = row.get("orders_placed").copied().unwrap_or_default();
        row.retain(|figure, _| MONEY.contains(figure));
        row.insert("orders", orders);
    }
    let path = format!("{}&basis={basis}&limit=200", range.query("revenue-by-user"));
    let found = report(who, &path, &["user_id", "currency"], &[&MONEY[..], &["orders"]].concat()).await;
    assert_same(&path, &found, users);
}

async fn taxes(who: &Client, orders: &[Order], range: &Range) {
    let mut rows = BTreeMap::<_, Row>::new();
    for order in orders {
        order.taxes(&mut |at, rate, (net, tax)| {
            if range.has(at) {
                let row = rows.entry(vec![text(&rate_text(rate)), order.currency.to_owned()]).or_default();
                *row.entry("net_amount").or_default() += net;
                *row.entry("tax_amount").or_default() += tax;
            }
        });
    }
    let path = range.query("taxes");
    let found = report(who, &path, &["tax_rate", "currency"], &["net_amount", "tax_amount"]).await;
    assert_same(&path, &found, rows);
}

async fn statuses(who: &Client, orders: &[Order], range: &Range) {
    let mut rows = BTreeMap::<_, Row>::new();
    for order in orders.iter().filter(|order| order.placed.is_some_and(|at| range.has(at))) {
        let key = [order.status, order.payment_status(), order.currency].map(str::to_owned).to_vec();
        let row = rows.entry(key).or_default();
        *row.entry("orders").or_default() += 1;
        *row.entry("total_amount").or_default() += order.prices().total();
    }
    let path = range.query("status-counts");
    let found = report(who, &path, &["status", "payment_status", "currency"], &["orders", "total_amount"]).await;
    assert_same(&path, &found, rows);
}

async fn items(who: &Client, orders: &[Order], range: &Range) {
    let mut rows = BTreeMap::<_, Row>::new();
    let counted = |order: &&Order| order.cancelled.is_none() && order.placed.is_some_and(|at| range.has(at));
    for order in orders.iter().filter(counted) {
        let mut seen = BTreeSet::new();
        for (at, (line, part)) in order.lines.iter().zip(order.prices().lines).enumerate() {
            let returned = order.returned(at, &["succeeded"]);
            if returned == line.quantity {
                continue;
            }
            let row = rows.entry(vec![line.sku.clone(), order.currency.to_owned()]).or_default();
            *row.entry("quantity").or_default() += line.quantity - returned;
            *row.entry("total_amount").or_default() += part.total - half_up(part.total * returned, line.quantity);
            *row.entry("orders").or_default() += i128::from(seen.insert(&line.sku));
        }
    }
    let path = format!("{}&limit=200", range.query("top-items"));
    let found = report(who, &path, &["sku", "currency"], &["quantity", "orders", "total_amount"]).await;
    assert_same(&path, &found, rows);
}
