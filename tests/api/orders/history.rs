//! `orders.events` and `events.list`: every change is an event, without gaps.

use crate::support::{Service, order_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn every_change_adds_one_event_and_one_version() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let order = manager.places(order_of(&[("tea", 1, 1000)])).await.created();
    let id = order.id();
    manager.patch(&format!("/v1/orders/{id}"), json!({"note": "a"})).await.ok();
    let payment = manager.pays(&id, json!({"amount": 700, "status": "pending"})).await.created();
    let path = format!("/v1/transactions/{}", payment.id());
    manager.patch(&path, json!({"status": "succeeded"})).await.ok();
    manager.refunds(&id, json!({"amount": 100})).await.created();
    manager.moves(&id, "confirm").await.ok();
    manager.moves(&id, "confirm").await.ok();
    let events = manager.walk(&format!("/v1/orders/{id}/events?limit=2")).await;
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected =
        ["order.created", "order.updated", "payment.recorded", "payment.updated", "refund.recorded", "order.confirmed"];
    assert_eq!(types, expected);
    let versions: Vec<_> = events.iter().map(|event| event["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
    assert!(events.iter().all(|event| event["order_id"] == id && event["actor"] == manager.id));
    assert_eq!(events[0]["data"], *order.json());
    assert_eq!(events[2]["data"], *payment.json());
    assert_eq!(manager.get(&format!("/v1/orders/{id}")).await.ok()["version"], 6);
}

#[tokio::test]
async fn the_feed_has_no_gaps_and_can_be_paged_through() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let place = |_| staff.places(order_of(&[("tea", 1, 1000)]));
    for order in join_all((0..20).map(place)).await {
        staff.moves(&order.created().id(), "confirm").await.ok();
    }
    let (mut all, mut after): (Vec<Value>, _) = (vec![], "0".to_owned());
    loop {
        let page = staff.get(&format!("/v1/events?after={after}&limit=7")).await.ok();
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        after = page["page"]["next"].as_str().unwrap().to_owned();
        if page["page"]["has_more"] == false {
            break;
        }
    }
    let seqs: Vec<_> = all.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=40).collect::<Vec<_>>());
    let nothing = staff.get("/v1/events?after=40").await.ok();
    assert_eq!((&nothing["data"], &nothing["page"]["next"]), (&json!([]), &json!("40")));
    service.reopen().await;
    staff.places(order_of(&[("tea", 1, 1000)])).await.created();
    assert_eq!(staff.get("/v1/events?after=40").await.ok()["data"][0]["seq"], 41);
}

#[tokio::test]
async fn a_waiting_request_ends_with_the_next_event() {
    let service = Service::with(&[("server.request_timeout", "1s")]).await;
    let staff = service.staff().await;
    staff.places(order_of(&[("tea", 1, 1)])).await.created();
    let begun = std::time::Instant::now();
    // If there are events already, the request does not wait.
    assert_eq!(staff.get("/v1/events?wait=30").await.ok()["data"].as_array().unwrap().len(), 1);
    let waiting = tokio::spawn(staff.get("/v1/events?after=1&wait=30").into_future());
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    staff.places(order_of(&[("tea", 1, 1)])).await.created();
    let woken = waiting.await.unwrap().ok();
    assert_eq!((&woken["data"][0]["seq"], &woken["page"]["next"]), (&json!(2), &json!("2")));
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    // A wait may exceed the time limit of requests, and ends without events.
    let nothing = staff.get("/v1/events?after=2&wait=3").await.ok();
    assert_eq!((&nothing["data"], &nothing["page"]["next"]), (&json!([]), &json!("2")));
    for wait in ["31", "-1", "1.5", "x"] {
        staff.get(&format!("/v1/events?wait={wait}")).await.status(400).problem("invalid_parameter");
    }
    service.customer().await.get("/v1/events").await.status(403).problem("forbidden");
}

#[tokio::test]
async fn a_waiting_request_ends_when_the_service_stops() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let waiting = tokio::spawn(staff.get("/v1/events?wait=30").into_future());
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    service.app().drain();
    waiting.await.unwrap();
}

#[tokio::test]
async fn the_feed_links_to_its_next_page() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for _ in 0..3 {
        staff.places(order_of(&[("tea", 1, 1)])).await.created();
    }
    let page = staff.get("/v1/events?after=0&limit=2").await.ok();
    assert_eq!(page.header("link"), "</v1/events?limit=2&after=2>; rel=\"next\"");
    assert_eq!(staff.get("/v1/events?after=2&limit=2").await.ok().maybe_header("link"), None);
}

#[tokio::test]
async fn every_list_can_be_counted() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let order = manager.places(order_of(&[("tea", 1, 500)])).await.created().id();
    for amount in [100, 200, 300] {
        manager.pays(&order, json!({"amount": amount})).await.created();
    }
    for (path, total) in [
        ("/v1/orders".to_owned(), 1),
        (format!("/v1/orders/{order}/transactions"), 3),
        (format!("/v1/orders/{order}/events"), 4),
        ("/v1/events".to_owned(), 4),
    ] {
        let page = manager.get(&format!("{path}?limit=1&count=true")).await.ok();
        assert_eq!(page["page"]["total"], total, "{path}");
        assert_eq!(manager.get(&path).await.ok()["page"].get("total"), None, "{path}");
    }
    // Newest first.
    let amounts: Vec<_> = manager.walk(&format!("/v1/orders/{order}/transactions?limit=2")).await;
    assert_eq!(amounts.iter().map(|t| t["amount"].as_i64().unwrap()).collect::<Vec<_>>(), [300, 200, 100]);
}
