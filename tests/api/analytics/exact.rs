//! Reports compared with an independent recomputation. Random orders, payments, refunds, reversals, cancellations and
//! changes of prices are made around the nights in which clocks change, read back as orders and transactions, and added
//! up by local date.

mod expected;
mod world;

use crate::support::{Client, Service};
use axum::http::Method;
use expected::{Facts, Range, daily, revenue, statuses, taxes, top_items};
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use world::{NIGHTS, World};

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland"];

/// The number of orders: 60, or as many thousands as `ORDERD_SOAK` says.
fn orders_to_make() -> usize {
    #[allow(clippy::disallowed_methods, reason = "the environment sets the length of a soak test")]
    let soak = std::env::var("ORDERD_SOAK").ok().and_then(|n| n.parse::<usize>().ok());
    soak.map_or(60, |thousands| thousands * 1_000)
}

fn number(value: &Value, member: &str) -> i64 {
    value[member].as_i64().unwrap_or_else(|| panic!("{member} of {value}"))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

async fn compare(analyst: &Client, facts: &Facts, range: &Range<'_>) {
    let query = range.query();
    for basis in ["cash", "booked"] {
        let found = analyst.get(&format!("/v1/analytics/daily?{query}&basis={basis}")).await.ok();
        assert_eq!(found["data"], json!(daily(facts, range, basis)), "daily {query} {basis}");
        let rows = analyst.walk(&format!("/v1/analytics/revenue-by-user?{query}&basis={basis}&limit=4")).await;
        let members =
            ["orders", "gross_amount", "refunded_amount", "credited_amount", "cancelled_amount", "net_amount"];
        let row = |row: &Value| {
            let key = (row["user_id"].to_string(), text(row, "currency").to_owned());
            (key, members.map(|member| number(row, member)))
        };
        assert!(rows.is_sorted_by_key(|row| -number(row, "net_amount")), "{query} {basis}");
        let found: BTreeMap<_, _> = rows.iter().map(row).collect();
        assert_eq!((rows.len(), &found), (found.len(), &revenue(facts, range, basis)), "revenue {query} {basis}");
    }
    let found = analyst.get(&format!("/v1/analytics/status-counts?{query}")).await.ok();
    let row = |row: &Value| {
        let key = ["status", "payment_status", "currency"].map(|member| text(row, member).to_owned());
        (key, [number(row, "orders"), number(row, "total_amount")])
    };
    let found: BTreeMap<_, _> = found["data"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(found, statuses(facts, range), "status counts {query}");
    let expected = top_items(facts, range);
    let found = analyst.get(&format!("/v1/analytics/top-items?{query}&limit=200")).await.ok();
    assert_eq!(found["data"], json!(expected), "top items {query}");
    let few = analyst.get(&format!("/v1/analytics/top-items?{query}&limit=3")).await.ok();
    assert_eq!(few["data"], json!(expected[..expected.len().min(3)]), "top items {query}");
    let found = analyst.get(&format!("/v1/analytics/taxes?{query}")).await.ok();
    assert_eq!(found["data"], json!(taxes(facts, range)), "taxes {query}");
}

/// Compares the whole range, and each of the nights.
async fn compare_all(analyst: &Client, facts: &Facts, zone: &str) {
    compare(analyst, facts, &Range::new(zone, "2026-09-20", "2027-04-10")).await;
    for night in NIGHTS {
        let next: Date = night.parse::<Date>().unwrap().tomorrow().unwrap();
        compare(analyst, facts, &Range::new(zone, night, &next.to_string())).await;
    }
}

#[tokio::test]
async fn reports_are_exact_in_every_zone_and_when_clocks_change() {
    let mut world = World::start().await;
    world.place_and_change(orders_to_make() / 2).await;
    // Closing folds the log. So the first half is in the sums, and the second half in the log.
    world.service.reopen().await;
    world.place_and_change(orders_to_make() / 2).await;
    let (facts, analyst) = (Facts::read(&world.shop).await, world.shop.clone());
    for zone in ZONES {
        compare_all(&analyst, &facts, zone).await;
    }
    world.service.reopen().await;
    compare_all(&analyst, &facts, "Asia/Kathmandu").await;
    let reconciled = analyst.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(reconciled["ok"], true, "{reconciled}");
}

/// The reports that are cached: days, revenue by user in every order, and top items.
async fn cached_reports(analyst: &Client, range: &Range<'_>) -> Vec<Value> {
    let mut found = vec![];
    for basis in ["cash", "booked"] {
        let days = analyst.get(&format!("/v1/analytics/daily?{}&basis={basis}", range.query())).await.ok();
        found.push(days["data"].clone());
    }
    for sort in ["-net_amount", "net_amount", "-gross_amount", "gross_amount", "-orders", "orders"] {
        for basis in ["cash", "booked"] {
            let path = format!("/v1/analytics/revenue-by-user?{}&sort={sort}&basis={basis}&limit=3", range.query());
            found.push(analyst.walk(&path).await.into());
        }
    }
    let items = analyst.get(&format!("/v1/analytics/top-items?{}", range.query())).await.ok();
    found.push(items["data"].clone());
    found
}

#[tokio::test]
async fn cached_reports_are_exact() {
    let mut world = World::start().await;
    let (analyst, newcomer) = (world.shop.clone(), world.service.manager().await.id);
    let whole = Range::new("Asia/Kathmandu", "2026-09-20", "2027-04-10");
    let night = Range::new("Europe/Berlin", "2026-10-25", "2026-10-25");
    for _ in 0..5 {
        world.place_and_change(NIGHTS.len()).await;
        let facts = Facts::read(&analyst).await;
        compare(&analyst, &facts, &whole).await;
        compare(&analyst, &facts, &night).await;
    }
    // Reads reports while orders come in: of a new user, and so many that the log is folded.
    let folds = || {
        let file = Connection::open(world.service.path()).unwrap();
        file.query_row("SELECT min(seq) FROM rollup_folds", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = folds();
    for round in 0..2 {
        let line = |i| {
            let item = |j| json!({"sku": format!("{round}-{i}-{j}"), "name": "Many", "quantity": j, "unit_amount": i});
            json!({"external_ref": format!("{round}-{i}"), "currency": "EUR", "items": (1..=20).map(item).collect::<Vec<_>>()}).to_string()
        };
        let lines: Vec<_> = (0..400).map(line).collect();
        let tea = json!({"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 1});
        let (_, imported, placed) = tokio::join!(
            cached_reports(&analyst, &whole),
            analyst.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines.join("\n")),
            analyst.places(json!({"currency": "KWD", "items": [tea], "user_id": newcomer})),
        );
        assert_eq!(imported.ok().text().matches("\"created\"").count(), 400);
        placed.created();
        cached_reports(&analyst, &night).await;
    }
    assert!(folds() > before);
    let cached = [cached_reports(&analyst, &whole).await, cached_reports(&analyst, &night).await];
    world.service.reopen().await;
    assert_eq!(cached, [cached_reports(&analyst, &whole).await, cached_reports(&analyst, &night).await]);
}

#[tokio::test]
async fn a_new_user_is_in_the_next_report() {
    let service = Service::start().await;
    let (manager, path) =
        (service.manager().await, "/v1/analytics/revenue-by-user?from=2026-06-01&to=2026-06-30&basis=booked");
    for (users, client) in
        [service.customer().await, service.other_customer().await, service.staff().await].iter().enumerate()
    {
        assert_eq!(manager.get(path).await.ok()["data"].as_array().unwrap().len(), users);
        let order =
            json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": users}]});
        client.places(order).await.created();
    }
}

#[tokio::test]
async fn the_days_add_up_to_the_range() {
    let mut world = World::start().await;
    world.place_and_change(24).await;
    let analyst = &world.shop;
    for zone in ZONES {
        let query = format!("from=2026-10-01&to=2027-04-10&tz={zone}&basis=booked&currency=EUR");
        let days = analyst.get(&format!("/v1/analytics/daily?{query}")).await.ok();
        let users = analyst.walk(&format!("/v1/analytics/revenue-by-user?{query}")).await;
        let sum = |rows: &[Value], member: &str| rows.iter().map(|row| number(row, member)).sum::<i64>();
        let days = days["data"].as_array().unwrap();
        assert_eq!(days.len(), 192, "{zone}: days without orders have rows too");
        for member in ["gross_amount", "credited_amount", "cancelled_amount", "net_amount"] {
            assert_eq!(sum(days, member), sum(&users, member), "{zone} {member}");
        }
        let taxes = analyst.get(&format!("/v1/analytics/taxes?{}", query.replace("&basis=booked", ""))).await.ok();
        let taxes = taxes["data"].as_array().unwrap();
        assert_eq!(sum(days, "net_tax_amount"), sum(taxes, "tax_amount"), "{zone}");
        assert_eq!(sum(days, "orders_placed"), sum(&users, "orders"), "{zone}");
    }
}

#[tokio::test]
async fn sums_beyond_64_bits_are_exact() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let (orders, most) = (1_100, (1_i64 << 53) - 1);
    let line = |i| json!({"external_ref": format!("r{i}"), "currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": most}]});
    let lines: Vec<_> = (0..orders).map(|i| line(i).to_string()).collect();
    manager.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines.join("\n")).await.ok();
    let sum = i128::from(most) * orders;
    assert!(sum > i128::from(i64::MAX));
    // First with some of the orders in the log, then with all of them in the sums.
    for _ in 0..2 {
        for report in ["daily?basis=booked&", "revenue-by-user?basis=booked&", "status-counts?", "top-items?", "taxes?"]
        {
            let path = format!("/v1/analytics/{report}from=2026-06-01&to=2026-06-30");
            let answer = manager.get(&path).await.ok();
            assert!(answer.text().contains(&format!("_amount\":{sum}")), "{report}: {}", answer.text());
            assert!(manager.get(&path).header("accept", "text/csv").await.ok().text().contains(&format!(",{sum}")));
            manager.get(&path).header("accept", "image/svg+xml").await.ok();
        }
        let reconciled = manager.get("/v1/analytics/reconcile").await.ok();
        assert!(reconciled["ok"] == true && reconciled.text().contains(&format!("\"booked_amount\":{sum}")));
        service.reopen().await;
    }
}
