//! Payments and refunds: their effect on an order, and that refunds never exceed payments.

mod credits;
mod reversals;

use crate::support::{Answer, Client, Service, order_of, with};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A manager and a pending order with a total of 1000.
async fn scene() -> (Service, Client, String) {
    let service = Service::start().await;
    let manager = service.manager().await;
    let id = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    (service, manager, id)
}

async fn resolve(who: &Client, id: &str, status: &str) -> Answer {
    who.patch(&format!("/v1/transactions/{id}"), json!({"status": status})).await
}

fn money(answer: &Answer) -> (String, i64, i64, i64) {
    let order = &answer["order"];
    let amount = |field: &str| order[field].as_i64().unwrap();
    let status = order["payment_status"].as_str().unwrap().to_owned();
    (status, amount("paid_amount"), amount("refunded_amount"), amount("balance_amount"))
}

fn stand(status: &str, paid: i64, refunded: i64, balance: i64) -> (String, i64, i64, i64) {
    (status.to_owned(), paid, refunded, balance)
}

#[tokio::test]
async fn the_response_has_every_field_of_the_payment() {
    let (_service, manager, id) = scene().await;
    let body = json!({"amount": 400, "provider": "bank", "provider_ref": "b-1", "reason": "Deposit",
        "occurred_at": "2026-06-14T23:59:59.999+02:00"});
    let answer = manager.pays(&id, body).await.created();
    assert_eq!(answer.header("location"), format!("/v1/transactions/{}", answer.id()));
    assert_eq!(
        answer.json(),
        &json!({
            "id": answer.id(), "order_id": id, "order_number": 1, "kind": "payment", "status": "succeeded",
            "amount": 400, "credit_amount": 0, "credit_tax_amount": 0, "credit_taxes": [], "items": null, "currency": "EUR", "provider": "bank", "provider_ref": "b-1", "payment_id": null, "reason": "Deposit",
            "occurred_at": "2026-06-14T21:59:59.999Z", "recorded_at": "2026-06-15T12:00:00.000Z",
            "reversed_at": null,
            "order": {"id": id, "version": 2, "payment_status": "partially_paid", "paid_amount": 400,
                "refunded_amount": 0, "credited_amount": 0, "balance_amount": 600}
        })
    );
    let mut alone = answer.json().clone();
    alone.as_object_mut().unwrap().remove("order");
    assert_eq!(manager.get(answer.header("location")).await.ok().json(), &alone);
    assert_eq!(manager.walk(&format!("/v1/orders/{id}/transactions")).await, [alone]);
}

#[tokio::test]
async fn the_payment_status_follows_payments_and_refunds() {
    let (_service, manager, id) = scene().await;
    let pay = async |amount: i64| money(&manager.pays(&id, json!({"amount": amount})).await.created());
    let refund = async |amount: i64| money(&manager.refunds(&id, json!({"amount": amount})).await.created());
    assert_eq!(pay(400).await, stand("partially_paid", 400, 0, 600));
    assert_eq!(pay(600).await, stand("paid", 1000, 0, 0));
    assert_eq!(pay(50).await, stand("overpaid", 1050, 0, -50));
    assert_eq!(refund(50).await, stand("paid", 1050, 50, 0));
    assert_eq!(refund(300).await, stand("partially_refunded", 1050, 350, 0));
    assert_eq!(refund(700).await, stand("refunded", 1050, 1050, 0));
    assert_eq!(pay(10).await, stand("overpaid", 1060, 1050, -10));
    let order = manager.get(&format!("/v1/orders/{id}")).await.ok();
    assert_eq!((&order["payment_status"], &order["version"]), (&json!("overpaid"), &json!(8)));
}

#[tokio::test]
async fn a_pending_payment_counts_once_it_succeeds() {
    let (_service, manager, id) = scene().await;
    let pending = manager.pays(&id, json!({"amount": 1000, "status": "pending"})).await.created();
    assert_eq!(money(&pending), stand("unpaid", 0, 0, 1000));
    assert_eq!(resolve(&manager, &pending.id(), "pending").await.ok()["order"]["version"], 2);
    manager.refunds(&id, json!({"amount": 1})).await.status(422).problem("refund_exceeds_paid");
    assert_eq!(money(&resolve(&manager, &pending.id(), "succeeded").await.ok()), stand("paid", 1000, 0, 0));
    let again = resolve(&manager, &pending.id(), "succeeded").await.ok();
    assert_eq!((&again["status"], &again["order"]["version"]), (&json!("succeeded"), &json!(3)));
    for status in ["pending", "failed", "voided"] {
        let answer = resolve(&manager, &pending.id(), status).await.status(409).problem("invalid_transition");
        assert_eq!(
            (&answer["current_status"], &answer["allowed_transitions"]),
            (&json!("succeeded"), &json!(["reversed"]))
        );
    }
    for status in ["failed", "voided"] {
        let pending = manager.pays(&id, json!({"amount": 5, "status": "pending"})).await.created().id();
        assert_eq!(resolve(&manager, &pending, status).await.ok()["status"], status);
        resolve(&manager, &pending, "succeeded").await.status(409).problem("invalid_transition");
    }
    let path = format!("/v1/transactions/{}", pending.id());
    manager.patch(&path, json!({"status": "done"})).await.status(422).faults(&[("#/status", "invalid_value")]);
    manager.patch(&path, json!({"amount": 1})).await.status(422);
}

#[tokio::test]
async fn resolving_a_payment_can_set_when_it_occurred() {
    let (_service, manager, id) = scene().await;
    let pending = manager.pays(&id, json!({"amount": 10, "status": "pending"})).await.created().id();
    let body = json!({"status": "succeeded", "occurred_at": "2026-06-01T00:00:00Z"});
    let resolved = manager.patch(&format!("/v1/transactions/{pending}"), body).await.ok();
    assert_eq!(resolved["occurred_at"], "2026-06-01T00:00:00.000Z");
}

#[tokio::test]
async fn refunds_including_pending_ones_never_exceed_payments() {
    let (_service, manager, id) = scene().await;
    let refund = |amount: i64, status: &str| manager.refunds(&id, json!({"amount": amount, "status": status}));
    refund(1, "succeeded").await.status(422).problem("refund_exceeds_paid");
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let pending = refund(700, "pending").await.created().id();
    let refused = refund(301, "succeeded").await.status(422).problem("refund_exceeds_paid");
    assert_eq!(refused["detail"], "300 is left to refund; 301 was asked for.");
    refused.faults(&[("#/amount", "too_large")]);
    refund(300, "succeeded").await.created();
    refund(1, "pending").await.status(422).problem("refund_exceeds_paid");
    resolve(&manager, &pending, "failed").await.ok();
    refund(700, "succeeded").await.created();
    refund(1, "succeeded").await.status(422).problem("refund_exceeds_paid");
}

#[tokio::test]
async fn a_refund_of_a_payment_never_exceeds_that_payment() {
    let (_service, manager, id) = scene().await;
    let first = manager.pays(&id, json!({"amount": 300})).await.created().id();
    let second = manager.pays(&id, json!({"amount": 700})).await.created().id();
    let pending = manager.pays(&id, json!({"amount": 9, "status": "pending"})).await.created().id();
    let refund = |amount: i64, payment: &str| manager.refunds(&id, json!({"amount": amount, "payment_id": payment}));
    refund(301, &first).await.status(422).problem("refund_exceeds_paid");
    let answer = refund(200, &first).await.created();
    assert_eq!(answer["payment_id"], first);
    refund(101, &first).await.status(422).problem("refund_exceeds_paid");
    refund(100, &first).await.created();
    // What is left to refund of the whole order is a limit too.
    manager.refunds(&id, json!({"amount": 600})).await.created();
    refund(101, &second).await.status(422).problem("refund_exceeds_paid");
    let other = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let foreign = manager.pays(&other, json!({"amount": 1000})).await.created().id();
    for unknown in [&answer.id(), &pending, &foreign, "txn_00000000000000000000000000"] {
        let refused = refund(1, unknown).await.status(422).problem("validation_failed");
        refused.faults(&[("#/payment_id", "unknown")]);
    }
    let payment = json!({"amount": 1, "payment_id": first});
    manager.pays(&id, payment).await.status(422).faults(&[("#/payment_id", "unknown_field")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_concurrent_refunds_never_exceed_the_payments() {
    let (_service, manager, id) = scene().await;
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let refund = |_| {
        let (manager, id) = (manager.clone(), id.clone());
        tokio::spawn(async move { manager.refunds(&id, json!({"amount": 70})).await })
    };
    let answers = join_all((0..50).map(refund)).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 14, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 422).count(), 36, "{codes:?}");
    let order = manager.get(&format!("/v1/orders/{id}")).await.ok();
    assert_eq!((&order["refunded_amount"], &order["version"]), (&json!(980), &json!(16)));
    assert_eq!(manager.walk(&format!("/v1/orders/{id}/transactions?limit=3")).await.len(), 15);
}

#[tokio::test]
async fn a_providers_transaction_is_recorded_once() {
    let (_service, manager, id) = scene().await;
    let of = |provider: Value, reference: &str| json!({"amount": 10, "provider": provider, "provider_ref": reference});
    let first = manager.pays(&id, of("bank".into(), "r1")).await.created().id();
    let other = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    for order in [&id, &other] {
        let refused = manager.pays(order, of("bank".into(), "r1")).await.status(409).problem("duplicate_transaction");
        assert_eq!((&refused["existing_transaction_id"], &refused["existing_order_id"]), (&json!(first), &json!(id)));
    }
    manager.refunds(&id, of("bank".into(), "r1")).await.created();
    manager.refunds(&id, of("bank".into(), "r1")).await.status(409).problem("duplicate_transaction");
    manager.pays(&id, of("card".into(), "r1")).await.created();
    // Without a provider or without a reference nothing is a duplicate.
    for _ in 0..2 {
        manager.pays(&id, of(Value::Null, "r1")).await.created();
        manager.pays(&id, json!({"amount": 10, "provider": "bank"})).await.created();
    }
}

#[tokio::test]
async fn an_order_that_was_never_placed_takes_neither_payments_nor_refunds() {
    let (_service, manager, _) = scene().await;
    let draft = manager.places(with(order_of(&[("tea", 1, 1000)]), "draft", true)).await.created().id();
    for _ in 0..2 {
        manager.pays(&draft, json!({"amount": 1})).await.status(409).problem("order_not_placed");
        manager.refunds(&draft, json!({"amount": 1})).await.status(409).problem("order_not_placed");
        manager.moves(&draft, "cancel").await.ok();
    }
}

#[tokio::test]
async fn money_that_came_after_the_cancellation_is_booked() {
    let (_service, manager, id) = scene().await;
    manager.pays(&id, json!({"amount": 600})).await.created();
    let late = manager.pays(&id, json!({"amount": 400, "status": "pending"})).await.created().id();
    manager.post(&format!("/v1/orders/{id}/cancel"), json!({"refund": "none"})).await.ok();
    assert_eq!(money(&resolve(&manager, &late, "succeeded").await.ok()), stand("paid", 1000, 0, -1000));
    let payment = manager.pays(&id, json!({"amount": 1})).await.created();
    assert_eq!(money(&payment), stand("overpaid", 1001, 0, -1001));
    let refund = manager.refunds(&id, json!({"amount": 1001})).await.created();
    assert_eq!(money(&refund), stand("refunded", 1001, 1001, 0));
}

#[tokio::test]
async fn amounts_and_times_have_bounds() {
    let (_service, manager, id) = scene().await;
    for (body, pointer, code) in [
        (json!({}), "#/amount", "required"),
        (json!({"amount": 0}), "#/amount", "too_small"),
        (json!({"amount": -5}), "#/amount", "too_small"),
        (json!({"amount": 1.5}), "#/amount", "wrong_type"),
        (json!({"amount": 1_i64 << 53}), "#/amount", "too_large"),
        (json!({"amount": 1, "status": "failed"}), "#/status", "invalid_value"),
        (json!({"amount": 1, "currency": "USD"}), "#/currency", "unknown_field"),
        (json!({"amount": 1, "occurred_at": "1999-12-31T23:59:59.999Z"}), "#/occurred_at", "out_of_range"),
        (json!({"amount": 1, "occurred_at": "2026-06-16T12:00:00.001Z"}), "#/occurred_at", "out_of_range"),
        (json!({"amount": 1, "occurred_at": "2026-06-15"}), "#/occurred_at", "invalid_format"),
    ] {
        let answer = manager.pays(&id, body).await.status(422).problem("validation_failed");
        answer.faults(&[(pointer, code)]);
    }
    for time in ["2000-01-01T00:00:00Z", "2026-06-16T12:00:00Z"] {
        manager.pays(&id, json!({"amount": 1, "occurred_at": time})).await.created();
    }
    // The sum of payments has the same limit.
    manager.pays(&id, json!({"amount": (1_i64 << 53) - 3})).await.created();
    manager.pays(&id, json!({"amount": 1})).await.status(422).faults(&[("#/amount", "too_large")]);
}

#[tokio::test]
async fn a_higher_total_reopens_the_balance() {
    let (_service, manager, id) = scene().await;
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let items = order_of(&[("tea", 2, 1000)])["items"].clone();
    let order = manager.patch(&format!("/v1/orders/{id}"), json!({"items": items})).await.ok();
    assert_eq!((&order["payment_status"], &order["balance_amount"]), (&json!("partially_paid"), &json!(1000)));
    let items = order_of(&[("tea", 1, 900)])["items"].clone();
    let order = manager.patch(&format!("/v1/orders/{id}"), json!({"items": items})).await.ok();
    assert_eq!((&order["payment_status"], &order["balance_amount"]), (&json!("overpaid"), &json!(-100)));
}

#[tokio::test]
async fn resolving_needs_the_permission_of_recording() {
    let (service, manager, id) = scene().await;
    let (staff, other) = (service.staff().await, service.other_customer().await);
    let payment = staff.pays(&id, json!({"amount": 100, "status": "pending"})).await.created().id();
    resolve(&staff, &payment, "succeeded").await.ok();
    staff.refunds(&id, json!({"amount": 1})).await.status(403).problem("forbidden");
    let refund = manager.refunds(&id, json!({"amount": 1, "status": "pending"})).await.created().id();
    resolve(&staff, &refund, "voided").await.status(403).problem("forbidden");
    other.get(&format!("/v1/transactions/{payment}")).await.status(404).problem("not_found");
    resolve(&other, &payment, "voided").await.status(403).problem("forbidden");
}
