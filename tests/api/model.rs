//! Thousands of random requests by several users, some concurrent, checked against a simple model of the rules. At the
//! end the reports are compared with the model, and every invariant is recomputed from the rows.
//!
//! On a journal, two processes take the requests in turn by chance. In `elsewhere`, they are executables that are
//! killed.
//!
//! `ORDERD_MODEL_REQUESTS` sets the number of requests and `ORDERD_MODEL_SEED` the seed, which is 1 by default. The
//! test prints both, so that a run can be repeated.

mod credit;
mod elsewhere;
mod figures;
mod money;
mod orders;
mod price;
mod rules;
mod world;

use crate::{
    journal::replay_elsewhere_and_stop,
    support::{Client, Service},
};
use axum::http::Method;
use figures::Range;
use futures_util::future::join_all;
use orderd::store::{Store, verify};
use rules::Order;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use world::{Person, Role, World, assert_contains};

/// What the API key of the program may do.
const PROGRAM: &[&str] = &[
    "orders:read",
    "orders:create",
    "orders:update",
    "orders:transition",
    "orders:cancel",
    "payments:write",
    "refunds:write",
];

#[allow(clippy::disallowed_methods, reason = "the number of requests is set by whoever runs the tests")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_agrees_with_the_model() {
    let (requests, seed) = size();
    let service = Service::start().await;
    let mut world = World::new(seed, people(&service).await, service.now().millis());
    let begun = world.now;
    let beside = service.beside();
    let (mut done, mut restarts) = (0, 0);
    // All requests span about three weeks, within the life of an access token. A batch has four requests on average.
    let pace = 8 * 20 * 86_400_000 / requests;
    while done < requests {
        service.pass(Duration::from_millis(world.random.u64(0..pace)));
        world.now = service.now().millis();
        let (calls, awaited) = world.batch();
        let mut sent = vec![];
        for call in calls {
            sent.push(match &beside {
                Some(other) if world.random.u64(0..2) == 1 => other.redirected(call).into_future(),
                _ => call.into_future(),
            });
        }
        for (awaited, answer) in awaited.into_iter().zip(join_all(sent).await) {
            world.check(awaited, &answer);
            done += 1;
        }
        if done / 700 > restarts {
            restarts += 1;
            service.reopen().await;
        }
    }
    let manager = service.manager().await;
    let end = (world.now - begun) / 86_400_000 + 3;
    agrees(&manager, &world.orders, &[(-5, end), (3, 9), (5, 5)].map(|(from, to)| Range::around(begun, from, to)))
        .await;
    if let Some(other) = beside {
        other.stop().await;
    }
    replay_elsewhere_and_stop(&service).await;
    let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter_map(|check| Some((check.name, check.fault.as_deref()?))).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

/// How many requests there are, and the seed of their choice.
fn size() -> (u64, u64) {
    let requests = setting("ORDERD_MODEL_REQUESTS").unwrap_or(1_500);
    let seed = setting("ORDERD_MODEL_SEED").unwrap_or(1);
    println!("ORDERD_MODEL_SEED={seed} ORDERD_MODEL_REQUESTS={requests}");
    (requests, seed)
}

async fn people(service: &Service) -> Vec<Person> {
    vec![
        Person { client: service.manager().await, role: Role::Manager },
        Person { client: service.staff().await, role: Role::Staff },
        Person { client: service.customer().await, role: Role::Customer },
        Person { client: service.other_customer().await, role: Role::Customer },
        Person { client: service.program(PROGRAM).await, role: Role::Manager },
    ]
}

/// Compares with the model what there is: orders, events, transactions, and the reports of these days.
async fn agrees(manager: &Client, orders: &[Order], ranges: &[Range]) {
    check_orders(manager, orders).await;
    check_events(manager, orders).await;
    check_money(manager, orders).await;
    for range in ranges {
        figures::check(manager, orders, range).await;
    }
    let report = manager.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true, "{report}");
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
