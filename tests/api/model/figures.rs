//! The reports a second time, computed from the orders of the model.

use super::rules::{Order, time};
use crate::support::Client;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Row = BTreeMap<&'static str, i128>;

/// Whole days.
pub struct Range {
    pub from: String,
    pub to: String,
}

impl Range {
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

/// Compares every report of these days with the orders.
pub async fn check(who: &Client, orders: &[Order], range: &Range) {
    statuses(who, orders, range).await;
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
