//! An export with transactions is an import: in another database the orders are the same but for what is made there.

use super::{answers, import};
use crate::{
    support::{Client, Service},
    upgrade::story,
};
use axum::http::Method;
use orderd::{
    domain::time::Timestamp,
    service::demo::{self, Plan},
    store::{Store, verify},
};
use serde_json::Value;
use std::time::Duration;

async fn exported(who: &Client) -> Vec<Value> {
    let call = who.call(Method::GET, "/v1/orders?include=transactions&sort=created_at");
    let answer = call.header("accept", "application/x-ndjson").await.ok();
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The order without what another database makes anew; references to items and payments by their positions.
fn comparable(mut order: Value) -> Value {
    let ids = |list: &Value| -> Vec<Value> { list.as_array().unwrap().iter().map(|part| part["id"].clone()).collect() };
    let (items, transactions) = (ids(&order["items"]), ids(&order["transactions"]));
    let position =
        |ids: &[Value], id: &Value| ids.iter().position(|found| found == id).map_or(Value::Null, Value::from);
    for transaction in order["transactions"].as_array_mut().unwrap() {
        transaction["payment_id"] = position(&transactions, &transaction["payment_id"]);
        for item in transaction["items"].as_array_mut().into_iter().flatten() {
            item["item_id"] = position(&items, &item["item_id"]);
        }
        ["id", "order_id", "recorded_at"]
            .iter()
            .for_each(|made| drop(transaction.as_object_mut().unwrap().remove(*made)));
    }
    order["items"].as_array_mut().unwrap().iter_mut().for_each(|item| drop(item.as_object_mut().unwrap().remove("id")));
    for made in ["id", "version", "created_at", "updated_at", "created_by", "user_id"] {
        order.as_object_mut().unwrap().remove(made).unwrap();
    }
    order
}

/// Imports the orders that `who` exports into an empty database, and compares both.
async fn moves_in(who: &Client, now: Timestamp, reports: &[&str]) {
    let orders = exported(who).await;
    let target = Service::start().await;
    target.at(&now.to_string());
    let admin = target.admin().await;
    let body: String = orders.iter().map(|order| format!("{order}\n")).collect();
    let found = answers(&import(&admin, body.clone()).await.ok());
    // A draft without a reference has nothing to be known by.
    let nameless = |order: &Value| order["number"].is_null() && order["external_ref"].is_null();
    for (order, answer) in orders.iter().zip(&found) {
        let expected = if nameless(order) { "failed" } else { "created" };
        assert_eq!(answer["result"], expected, "{answer}\n{order}");
    }
    let expected: Vec<_> = orders.into_iter().filter(|order| !nameless(order)).map(comparable).collect();
    let moved: Vec<_> = exported(&admin).await.into_iter().map(comparable).collect();
    assert_eq!(moved.len(), expected.len());
    for (moved, expected) in moved.iter().zip(&expected) {
        assert_eq!(moved, expected);
    }
    for path in reports {
        let (there, here) = (who.get(path).await.ok(), admin.get(path).await.ok());
        assert!(!here["data"].as_array().unwrap().is_empty(), "{path}");
        assert_eq!(here["data"], there["data"], "{path}");
    }
    let again = answers(&import(&admin, body).await.ok());
    assert!(
        again.iter().zip(&found).all(|(again, first)| (again["result"] == "exists") == (first["result"] == "created"))
    );
    let report = admin.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true, "{report}");
    target.stop().await;
    let checks = Store::inspect(&target.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter_map(|check| Some((check.name, check.fault.as_deref()?))).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[tokio::test]
async fn the_orders_of_the_demo_move_in() {
    let service = Service::start().await;
    let until = Timestamp::parse("2026-06-15T00:00:00Z").unwrap();
    let plan = Plan { orders: 800, days: 60, until, accounts: 10, seed: 3 };
    service.at(&until.minus(Duration::from_hours(60 * 24)).to_string());
    let users = demo::fill(&service.app(), &plan, |_| {}).await.unwrap();
    service.at(&until.to_string());
    let admin = users.iter().find(|user| user.role == "admin").unwrap();
    let admin = service.anonymous().log_in(&admin.email, &admin.password).await;
    let days = "from=2026-04-16&to=2026-06-15";
    let reports = [
        format!("/v1/analytics/daily?{days}"),
        format!("/v1/analytics/daily?{days}&basis=booked&tz=Asia/Tokyo"),
        format!("/v1/analytics/status-counts?{days}"),
        format!("/v1/analytics/top-items?{days}"),
        format!("/v1/analytics/taxes?{days}"),
    ];
    moves_in(&admin, until, &reports.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn orders_in_every_state_move_in() {
    let service = Service::start().await;
    story::write(&service).await;
    moves_in(&service.admin().await, service.now(), &[]).await;
}

#[tokio::test]
async fn transactions_are_shown_where_they_are_asked_for() {
    let service = Service::start().await;
    let (manager, ada) = (service.manager().await, service.customer().await);
    let order = ada.places(crate::support::order_of(&[("tea", 1, 1000)])).await.created().id();
    manager.places(crate::support::order_of(&[("cup", 1, 1000)])).await.created();
    for amount in [10, 20] {
        manager.pays(&order, serde_json::json!({"amount": amount})).await.created();
    }
    let page = ada.get("/v1/orders?include=transactions&count=true").await.ok();
    let amounts: Vec<_> = page["data"][0]["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|paid| paid["amount"].as_i64().unwrap())
        .collect();
    assert_eq!((amounts, &page["page"]["total"]), (vec![10, 20], &1.into()));
    assert_eq!(ada.get("/v1/orders").await.ok()["data"][0].get("transactions"), None);
    let wrong = manager.get("/v1/orders?include=events").await.status(400).problem("invalid_parameter");
    wrong.faults(&[("include", "invalid_value")]);
    let csv = manager.call(Method::GET, "/v1/orders?include=transactions").header("accept", "text/csv").await;
    csv.status(400).problem("invalid_parameter").faults(&[("include", "conflict")]);
}
