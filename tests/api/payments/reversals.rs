//! Rows that were recorded by mistake: reversing them, and the references that they free. And payments that succeed for
//! less than was pending.

use super::{money, resolve, scene, stand};
use crate::support::{Client, order_of};
use serde_json::{Value, json};

async fn patch(who: &Client, id: &str, body: Value) -> crate::support::Answer {
    who.patch(&format!("/v1/transactions/{id}"), body).await
}

#[tokio::test]
async fn a_payment_that_was_typed_wrongly_is_taken_back() {
    let (service, manager, id) = scene().await;
    let payment = manager.pays(&id, json!({"amount": 10_000})).await.created();
    service.at("2026-06-17T08:00:00Z");
    let reversed = patch(&manager, &payment.id(), json!({"status": "reversed", "reason": "typed wrongly"})).await.ok();
    assert_eq!(money(&reversed), stand("unpaid", 0, 0, 1000));
    assert_eq!((&reversed["amount"], &reversed["reason"]), (&json!(10_000), &json!("typed wrongly")));
    assert_eq!(reversed["occurred_at"], payment["occurred_at"]);
    assert_eq!(reversed["reversed_at"], "2026-06-17T08:00:00.000Z");
    let again = resolve(&manager, &payment.id(), "reversed").await.ok();
    assert_eq!(again["order"]["version"], reversed["order"]["version"]);
    let other = resolve(&manager, &payment.id(), "succeeded").await.status(409).problem("invalid_transition");
    assert_eq!((&other["current_status"], &other["allowed_transitions"]), (&json!("reversed"), &json!([])));
    let types: Vec<_> = manager.walk(&format!("/v1/orders/{id}/events")).await;
    assert_eq!(types.last().unwrap()["type"], "payment.updated");
}

#[tokio::test]
async fn a_reversal_has_a_time_of_its_own() {
    let (service, manager, id) = scene().await;
    let payment = manager.pays(&id, json!({"amount": 10, "occurred_at": "2026-06-10T00:00:00Z"})).await.created().id();
    let early = json!({"status": "reversed", "occurred_at": "2026-06-09T23:59:59.999Z"});
    patch(&manager, &payment, early).await.status(422).faults(&[("#/occurred_at", "out_of_range")]);
    let body = json!({"status": "reversed", "occurred_at": "2026-06-12T00:00:00Z"});
    assert_eq!(patch(&manager, &payment, body).await.ok()["reversed_at"], "2026-06-12T00:00:00.000Z");
    // Money that is dated ahead cannot be taken back before it moved.
    let ahead = manager.pays(&id, json!({"amount": 10, "occurred_at": "2026-06-16T10:00:00Z"})).await.created().id();
    assert_eq!(resolve(&manager, &ahead, "reversed").await.ok()["reversed_at"], "2026-06-16T10:00:00.000Z");
    drop(service);
}

#[tokio::test]
async fn a_payment_that_refunds_need_is_not_reversed() {
    let (_service, manager, id) = scene().await;
    let first = manager.pays(&id, json!({"amount": 600})).await.created().id();
    let second = manager.pays(&id, json!({"amount": 400})).await.created().id();
    let refund = manager.refunds(&id, json!({"amount": 1, "payment_id": second, "status": "pending"})).await;
    let refund = refund.created().id();
    resolve(&manager, &second, "reversed").await.status(422).problem("refund_exceeds_paid");
    resolve(&manager, &first, "reversed").await.status(200);
    resolve(&manager, &refund, "voided").await.ok();
    let refund = manager.refunds(&id, json!({"amount": 1})).await.created().id();
    resolve(&manager, &second, "reversed").await.status(422).problem("refund_exceeds_paid");
    resolve(&manager, &refund, "reversed").await.ok();
    assert_eq!(money(&resolve(&manager, &second, "reversed").await.ok()), stand("unpaid", 0, 0, 1000));
}

#[tokio::test]
async fn a_reversed_refund_takes_its_credit_and_returns_back() {
    let (_service, manager, id) = scene().await;
    let order = manager.get(&format!("/v1/orders/{id}")).await.ok();
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let body = json!({"items": [{"item_id": order["items"][0]["id"], "quantity": 1}]});
    let refund = manager.refunds(&id, body.clone()).await.created();
    assert_eq!(money(&refund), stand("refunded", 1000, 1000, 0));
    let reversed = resolve(&manager, &refund.id(), "reversed").await.ok();
    assert_eq!(money(&reversed), stand("paid", 1000, 0, 0));
    assert_eq!((&reversed["credit_amount"], &reversed["items"]), (&json!(1000), &body["items"]), "the row stays");
    let order = manager.get(&format!("/v1/orders/{id}")).await.ok();
    assert_eq!((&order["credited_amount"], &order["items"][0]["returned_quantity"]), (&json!(0), &json!(0)));
    manager.refunds(&id, body).await.created();
}

#[tokio::test]
async fn only_what_succeeded_is_reversed() {
    let (_service, manager, id) = scene().await;
    let pending = manager.pays(&id, json!({"amount": 10, "status": "pending"})).await.created().id();
    let refused = resolve(&manager, &pending, "reversed").await.status(409).problem("invalid_transition");
    assert_eq!(refused["allowed_transitions"], json!(["succeeded", "failed", "voided"]));
    resolve(&manager, &pending, "failed").await.ok();
    resolve(&manager, &pending, "reversed").await.status(409).problem("invalid_transition");
}

#[tokio::test]
async fn a_payment_may_succeed_for_less() {
    let (_service, manager, id) = scene().await;
    let pending = async || manager.pays(&id, json!({"amount": 500, "status": "pending"})).await.created().id();
    let payment = pending().await;
    for (body, code) in [
        (json!({"status": "succeeded", "amount": 501}), "too_large"),
        (json!({"status": "succeeded", "amount": 0}), "too_small"),
        (json!({"status": "failed", "amount": 400}), "unexpected"),
    ] {
        patch(&manager, &payment, body).await.status(422).faults(&[("#/amount", code)]);
    }
    let less = patch(&manager, &payment, json!({"status": "succeeded", "amount": 400})).await.ok();
    assert_eq!((&less["amount"], money(&less)), (&json!(400), stand("partially_paid", 400, 0, 600)));
    patch(&manager, &payment, json!({"status": "reversed", "amount": 300})).await.status(422);
    let refund = manager.refunds(&id, json!({"amount": 10, "status": "pending"})).await.created().id();
    let body = json!({"status": "succeeded", "amount": 5});
    patch(&manager, &refund, body).await.status(422).faults(&[("#/amount", "unexpected")]);
}

#[tokio::test]
async fn what_failed_was_voided_or_reversed_frees_its_reference() {
    let (_service, manager, id) = scene().await;
    let body = |status: &str| json!({"amount": 10, "provider": "bank", "provider_ref": "r1", "status": status});
    for end in ["failed", "voided"] {
        let pending = manager.pays(&id, body("pending")).await.created().id();
        manager.pays(&id, body("succeeded")).await.status(409).problem("duplicate_transaction");
        resolve(&manager, &pending, end).await.ok();
    }
    let payment = manager.pays(&id, body("succeeded")).await.created().id();
    let other = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let refused = manager.pays(&other, body("pending")).await.status(409).problem("duplicate_transaction");
    assert_eq!((&refused["existing_transaction_id"], &refused["existing_order_id"]), (&json!(payment), &json!(id)));
    resolve(&manager, &payment, "reversed").await.ok();
    manager.pays(&other, body("pending")).await.created();
}
