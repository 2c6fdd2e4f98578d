//! `orders.place`, `confirm`, `fulfil` and `cancel`: the state machine and the refunds of a cancellation.

use crate::support::{Answer, Client, Service, order_of, with};
use serde_json::{Value, json};

const ACTIONS: [&str; 4] = ["place", "confirm", "fulfil", "cancel"];

/// Creates an order and brings it to this status.
async fn order_in(who: &Client, status: &str) -> String {
    let draft = with(order_of(&[("tea", 1, 1000)]), "draft", true);
    let id = who.places(draft).await.created().id();
    let way: &[&str] = match status {
        "draft" => &[],
        "pending" => &["place"],
        "confirmed" => &["place", "confirm"],
        "fulfilled" => &["place", "confirm", "fulfil"],
        _ => &["place", "cancel"],
    };
    for action in way {
        who.moves(&id, action).await.ok();
    }
    id
}

async fn cancel(who: &Client, id: &str, body: Value) -> Answer {
    who.post(&format!("/v1/orders/{id}/cancel"), body).await
}

#[tokio::test]
async fn every_status_with_every_action() {
    let service = Service::start().await;
    let staff = service.staff().await;
    // The status that each action leads to; "=" changes nothing and "-" is refused.
    let table = [
        ("draft", ["pending", "-", "-", "cancelled"]),
        ("pending", ["=", "confirmed", "-", "cancelled"]),
        ("confirmed", ["-", "=", "fulfilled", "cancelled"]),
        ("fulfilled", ["-", "-", "=", "-"]),
        ("cancelled", ["-", "-", "-", "="]),
    ];
    for (status, outcomes) in table {
        let possible: Vec<_> = ACTIONS.iter().zip(outcomes).filter(|(_, to)| to.len() > 1).map(|(a, _)| *a).collect();
        for (action, outcome) in ACTIONS.iter().zip(outcomes) {
            let id = order_in(&staff, status).await;
            let before = staff.get(&format!("/v1/orders/{id}")).await.ok();
            assert_eq!((&before["status"], &before["allowed_transitions"]), (&json!(status), &json!(possible)));
            let answer = staff.moves(&id, action).await;
            match outcome {
                "-" => {
                    let answer = answer.status(409).problem("invalid_transition");
                    assert_eq!(answer["current_status"], status);
                    assert_eq!(answer["allowed_transitions"], json!(possible));
                }
                "=" => assert_eq!(answer.ok().text(), before.text(), "{status} {action}"),
                to => {
                    let answer = answer.ok();
                    assert_eq!(answer["status"], to, "{status} {action}");
                    assert_eq!(answer["version"].as_i64(), before["version"].as_i64().map(|v| v + 1));
                    assert_eq!(answer.header("etag"), format!("\"{}\"", answer["version"]));
                }
            }
        }
    }
}

#[tokio::test]
async fn each_transition_records_its_time() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let id = staff.places(with(order_of(&[("tea", 1, 1000)]), "draft", true)).await.created().id();
    for (minute, action) in ["place", "confirm", "fulfil"].iter().enumerate() {
        service.at(&format!("2026-06-15T13:0{minute}:00Z"));
        staff.moves(&id, action).await.ok();
    }
    let order = staff.get(&format!("/v1/orders/{id}")).await.ok();
    let times = ["created_at", "placed_at", "confirmed_at", "fulfilled_at", "cancelled_at"].map(|at| order[at].clone());
    let at = |time: &str| json!(format!("2026-06-15T{time}:00.000Z"));
    assert_eq!(times, [at("12:00"), at("13:00"), at("13:01"), at("13:02"), Value::Null]);
}

#[tokio::test]
async fn customers_place_and_cancel_their_orders_until_confirmation() {
    let service = Service::start().await;
    let (ada, staff) = (service.customer().await, service.staff().await);
    let draft = ada.places(with(order_of(&[("tea", 1, 1000)]), "draft", true)).await.created().id();
    assert_eq!(ada.moves(&draft, "place").await.ok()["status"], "pending");
    ada.moves(&draft, "confirm").await.status(403).problem("forbidden");
    staff.moves(&draft, "confirm").await.ok();
    let answer = ada.moves(&draft, "cancel").await.status(409).problem("invalid_transition");
    assert_eq!(answer["current_status"], "confirmed");
    assert_eq!(answer["allowed_transitions"], json!(["fulfil", "cancel"]));
    let pending = ada.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let cancelled = cancel(&ada, &pending, json!({"reason": "Changed my mind"})).await.ok();
    assert_eq!(cancelled["cancel_reason"], "Changed my mind");
    assert_eq!(cancelled["allowed_transitions"], json!([]));
}

#[tokio::test]
async fn a_cancellation_says_how_much_is_refunded() {
    let service = Service::start().await;
    let manager = service.manager().await;
    for (refund, refunded, status) in
        [(json!("full"), 600, "refunded"), (json!("none"), 0, "partially_paid"), (json!(250), 250, "partially_paid")]
    {
        let id = order_in(&manager, "confirmed").await;
        manager.pays(&id, json!({"amount": 600})).await.created();
        let undecided = cancel(&manager, &id, json!({"reason": "a"})).await.status(422);
        undecided.problem("refund_decision_required").faults(&[("#/refund", "required")]);
        let answer = cancel(&manager, &id, json!({"reason": "gone", "refund": refund})).await.ok();
        assert_eq!((&answer["status"], &answer["payment_status"]), (&json!("cancelled"), &json!(status)), "{refund}");
        assert_eq!(
            (answer["refunded_amount"].as_i64(), answer["balance_amount"].as_i64()),
            (Some(refunded), Some(refunded - 600))
        );
        let events = manager.walk(&format!("/v1/orders/{id}/events")).await;
        let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).skip(4).collect();
        let refund_event: &[&str] = if refunded > 0 { &["refund.recorded"] } else { &[] };
        assert_eq!(types, [&["order.cancelled"], refund_event].concat());
        assert_eq!(answer["version"], events.len());
        let transactions = manager.walk(&format!("/v1/orders/{id}/transactions")).await;
        assert_eq!(transactions.len(), 1 + refund_event.len());
        if refunded > 0 {
            assert_eq!((&transactions[0]["kind"], &transactions[0]["reason"]), (&json!("refund"), &json!("gone")));
        }
    }
}

#[tokio::test]
async fn a_cancellation_refunds_at_most_what_is_held() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let id = order_in(&manager, "pending").await;
    manager.pays(&id, json!({"amount": 600})).await.created();
    manager.refunds(&id, json!({"amount": 100, "status": "pending"})).await.created();
    let answer = cancel(&manager, &id, json!({"refund": 501})).await.status(422).problem("refund_exceeds_paid");
    answer.faults(&[("#/refund", "too_large")]);
    for refund in [json!(-1), json!("half"), json!(1.5), json!(true)] {
        cancel(&manager, &id, json!({"refund": refund})).await.status(422).problem("validation_failed");
    }
    assert_eq!(cancel(&manager, &id, json!({"refund": "full"})).await.ok()["refunded_amount"], 500);
    // The pending refund can still succeed; then everything is refunded.
    let pending = manager.walk(&format!("/v1/orders/{id}/transactions")).await[1]["id"].as_str().unwrap().to_owned();
    let resolved = manager.patch(&format!("/v1/transactions/{pending}"), json!({"status": "succeeded"})).await.ok();
    assert_eq!(resolved["order"]["payment_status"], "refunded");
}

#[tokio::test]
async fn a_cancellation_with_a_refund_needs_the_refund_permission() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let id = order_in(&staff, "pending").await;
    staff.pays(&id, json!({"amount": 600})).await.created();
    cancel(&staff, &id, json!({"refund": "full"})).await.status(403).problem("forbidden");
    assert_eq!(cancel(&staff, &id, json!({"refund": "none"})).await.ok()["status"], "cancelled");
}
