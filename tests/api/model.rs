//! Thousands of random requests by several users, some concurrent, checked against a simple model of the rules. At the end
//! every invariant is recomputed from exports and reports.
//!
//! `ORDERD_MODEL_REQUESTS` sets the number of requests and `ORDERD_MODEL_SEED` the seed, which is 1 by default. The test
//! prints both, so that a run can be repeated.

mod money;
mod orders;
mod rules;
mod world;

use crate::support::{Client, Service};
use axum::http::Method;
use futures_util::future::join_all;
use rules::{Order, time};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use world::{Person, Role, World, assert_contains};

#[allow(clippy::disallowed_methods, reason = "the number of requests is set by whoever runs the tests")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_agrees_with_the_model() {
    let requests = setting("ORDERD_MODEL_REQUESTS").unwrap_or(1_500);
    let seed = setting("ORDERD_MODEL_SEED").unwrap_or(1);
    println!("ORDERD_MODEL_SEED={seed} ORDERD_MODEL_REQUESTS={requests}");
    let service = Service::start().await;
    let people = vec![
        Person { client: service.manager().await, role: Role::Manager },
        Person { client: service.staff().await, role: Role::Staff },
        Person { client: service.customer().await, role: Role::Customer },
        Person { client: service.other_customer().await, role: Role::Customer },
    ];
    let mut world = World::new(seed, people, service.now().millis());
    let (mut done, mut restarts) = (0, 0);
    // All requests span about three weeks, within the life of an access token. A batch has four requests on average.
    let pace = 8 * 20 * 86_400_000 / requests;
    while done < requests {
        service.pass(Duration::from_millis(world.random.u64(0..pace)));
        world.now = service.now().millis();
        let mut steps = world.batch();
        let calls: Vec<_> = steps
            .iter_mut()
            .map(|step| std::mem::replace(&mut step.call, service.anonymous().get("/")).into_future())
            .collect();
        let answers = join_all(calls).await;
        for (step, answer) in steps.into_iter().zip(answers) {
            world.check(step, &answer);
            done += 1;
        }
        if done / 700 > restarts {
            restarts += 1;
            service.reopen().await;
        }
    }
    let manager = service.manager().await;
    check_orders(&manager, &world.orders).await;
    check_events(&manager, &world.orders).await;
    check_money(&manager, &world.orders).await;
    check_reports(&manager, &world).await;
}

async fn export(who: &Client, path: &str) -> Vec<Value> {
    let answer = who.call(Method::GET, path).header("accept", "application/x-ndjson").await.ok();
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn check_orders(manager: &Client, orders: &[Order]) {
    let found = export(manager, "/v1/orders?sort=created_at").await;
    assert_eq!(found.len(), orders.len());
    let by_id: BTreeMap<_, _> = found.iter().map(|order| (order["id"].as_str().unwrap(), order)).collect();
    let mut numbers = vec![];
    for order in orders {
        let found = by_id[order.id.as_str()];
        assert_contains(found, &order.document(), &found.to_string());
        assert_eq!(found["number"].as_i64(), order.number);
        numbers.extend(order.number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>(), "gap-free numbers");
}

async fn check_events(manager: &Client, orders: &[Order]) {
    let mut versions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (seq, event) in (1_u64..).zip(export(manager, "/v1/events").await) {
        assert_eq!(event["seq"], seq, "gap-free events");
        let order = event["order_id"].as_str().unwrap().to_owned();
        versions.entry(order).or_default().push(event["version"].as_u64().unwrap());
    }
    assert_eq!(versions.len(), orders.len());
    for order in orders {
        assert_eq!(versions[&order.id], (1..=order.version).collect::<Vec<_>>(), "one event for each version");
    }
}

async fn check_money(manager: &Client, orders: &[Order]) {
    for order in orders.iter().filter(|order| !order.money.is_empty()) {
        assert!(order.refundable(None) >= 0);
        let mut found = export(manager, &format!("/v1/orders/{}/transactions", order.id)).await;
        found.reverse();
        assert_eq!(found.len(), order.money.len());
        for (at, found) in found.iter().enumerate() {
            let mut document = order.transaction_document(at);
            document.remove("order");
            assert_contains(found, &document, &found.to_string());
            if order.money[at].payment {
                assert!(order.refundable(Some(at)) >= 0 || order.money[at].status != "succeeded");
            }
        }
    }
}

/// The sums of one day and currency: orders placed and cancelled; gross, refunded, cancelled and tax amounts.
type Sums = [i128; 6];

async fn check_reports(manager: &Client, world: &World) {
    let last = time(world.now + 3 * 86_400_000);
    let range = format!("from=2026-06-10&to={}", &last[..10]);
    for basis in ["cash", "booked"] {
        let mut days: BTreeMap<(String, &str), Sums> = BTreeMap::new();
        for order in &world.orders {
            count(order, basis, &mut |at, sum, amount| {
                days.entry((time(at)[..10].to_owned(), order.currency)).or_default()[sum] += amount;
            });
        }
        let report = manager.get(&format!("/v1/analytics/daily?{range}&basis={basis}")).await.ok();
        let names =
            ["orders_placed", "orders_cancelled", "gross_amount", "refunded_amount", "cancelled_amount", "tax_amount"];
        for row in report["data"].as_array().unwrap() {
            let day = (row["date"].as_str().unwrap().to_owned(), row["currency"].as_str().unwrap());
            let found = names.map(|name| i128::from(row[name].as_i64().unwrap()));
            assert_eq!(found, days.remove(&day).unwrap_or_default(), "{basis} {day:?}");
        }
        assert!(days.is_empty(), "{basis}: missing {days:?}");
    }
    let mut by_status: BTreeMap<(&str, &str, &str), (i64, i128)> = BTreeMap::new();
    for order in world.orders.iter().filter(|order| order.placed.is_some()) {
        let sums = by_status.entry((order.status, order.payment_status(), order.currency)).or_default();
        *sums = (sums.0 + 1, sums.1 + order.total());
    }
    let report = manager.get(&format!("/v1/analytics/status-counts?{range}")).await.ok();
    for row in report["data"].as_array().unwrap() {
        let [status, payment, currency] =
            ["status", "payment_status", "currency"].map(|name| row[name].as_str().unwrap());
        let expected = by_status.remove(&(status, payment, currency)).unwrap_or_default();
        assert_eq!(
            (&row["orders"], row["total_amount"].as_i64().map(i128::from)),
            (&json!(expected.0), Some(expected.1))
        );
    }
    assert!(by_status.is_empty(), "missing {by_status:?}");
}

fn count(order: &Order, basis: &str, add: &mut impl FnMut(i64, usize, i128)) {
    let Some(placed) = order.placed else { return };
    add(placed, 0, 1);
    add(placed, 5, order.tax());
    if let Some(cancelled) = order.cancelled {
        add(cancelled, 1, 1);
        if basis == "booked" {
            add(cancelled, 4, order.total());
        }
    }
    if basis == "booked" {
        return add(placed, 2, order.total());
    }
    for money in order.money.iter().filter(|money| money.status == "succeeded") {
        add(money.occurred_at, if money.payment { 2 } else { 3 }, money.amount);
    }
}
