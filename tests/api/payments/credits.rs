//! Credits: how much a refund lowers what an order owes, by goods or by amount, and the tax in it.

use super::{money, resolve, scene, stand};
use crate::support::{Answer, Client, Service, order_of, with};
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A manager, and an order of these lines that is paid in full: the order's id and those of its items.
async fn paid(service: &Service, items: Value) -> (Client, String, Vec<String>) {
    let manager = service.manager().await;
    let order = manager.places(json!({"currency": "EUR", "items": items})).await.created();
    manager.pays(&order.id(), json!({"amount": order["total_amount"]})).await.created();
    let ids = order["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
    (manager, order.id(), ids.collect())
}

fn line(quantity: u64, unit_amount: u64, tax_rate: &str) -> Value {
    json!({"sku": "bag", "name": "Bag", "quantity": quantity, "unit_amount": unit_amount, "tax_rate": tax_rate})
}

fn back(item: &str, quantity: u64) -> Value {
    json!({"items": [{"item_id": item, "quantity": quantity}]})
}

fn credit(answer: &Answer) -> (i64, i64, i64) {
    let amount = |field: &str| answer[field].as_i64().unwrap();
    (amount("amount"), amount("credit_amount"), amount("credit_tax_amount"))
}

async fn order(who: &Client, id: &str) -> Answer {
    who.get(&format!("/v1/orders/{id}")).await.ok()
}

#[tokio::test]
async fn what_is_given_back_is_not_owed_again() {
    let service = Service::start().await;
    let (manager, id, _) = paid(&service, json!([line(1, 2703, "0")])).await;
    let refund = manager.refunds(&id, json!({"amount": 703, "reason": "One bag was torn"})).await.created();
    assert_eq!(money(&refund), stand("partially_refunded", 2703, 703, 0));
    assert_eq!(refund["order"]["credited_amount"], 703);
    let rest = manager.refunds(&id, json!({"amount": 2000})).await.created();
    assert_eq!(money(&rest), stand("refunded", 2703, 2703, 0));
}

#[tokio::test]
async fn the_response_has_every_field_of_a_refund_of_goods() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(3, 1000, "20"), line(1, 500, "7")])).await;
    let body = with(back(&items[0], 1), "reason", "Too small");
    let refund = manager.refunds(&id, body).await.created();
    assert_eq!(
        refund.json(),
        &json!({
            "id": refund.id(), "order_id": id, "order_number": 1, "kind": "refund", "status": "succeeded",
            "amount": 1200, "credit_amount": 1200, "credit_tax_amount": 200,
            "credit_taxes": [{"tax_rate": "20", "net_amount": 1000, "tax_amount": 200}],
            "items": [{"item_id": items[0], "quantity": 1}], "currency": "EUR", "provider": null,
            "provider_ref": null, "payment_id": null, "reason": "Too small",
            "occurred_at": "2026-06-15T12:00:00.000Z", "recorded_at": "2026-06-15T12:00:00.000Z", "reversed_at": null,
            "order": {"id": id, "version": 3, "payment_status": "partially_refunded", "paid_amount": 4135,
                "refunded_amount": 1200, "credited_amount": 1200, "balance_amount": 0}
        })
    );
    let order = order(&manager, &id).await;
    assert_eq!((&order["credited_amount"], &order["credited_tax_amount"]), (&json!(1200), &json!(200)));
    assert_eq!(
        [&order["items"][0], &order["items"][1]].map(|item| item["returned_quantity"].as_i64()),
        [Some(1), Some(0)]
    );
}

#[tokio::test]
async fn the_parts_of_a_line_add_up_to_the_line() {
    let service = Service::start().await;
    let line =
        json!({"sku": "bag", "name": "Bag", "quantity": 3, "unit_amount": 334, "discount_amount": 2, "tax_rate": "19"});
    let manager = service.manager().await;
    let placed = json!({"currency": "EUR", "prices_include_tax": true, "items": [line]});
    let placed = manager.places(placed).await.created();
    let (id, item) = (placed.id(), placed["items"][0]["id"].as_str().unwrap());
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let mut credits = vec![];
    for _ in 0..3 {
        credits.push(credit(&manager.refunds(&id, back(item, 1)).await.created()));
    }
    assert_eq!(credits, [(333, 333, 53), (334, 334, 54), (333, 333, 53)]);
    let order = order(&manager, &id).await;
    assert_eq!((&order["credited_amount"], &order["credited_tax_amount"]), (&json!(1000), &json!(160)));
    let refused = manager.refunds(&id, back(item, 1)).await.status(422).problem("return_exceeds_quantity");
    refused.faults(&[("#/items/0/quantity", "too_large")]);
}

#[tokio::test]
async fn a_credit_without_goods_is_shared_among_the_rates() {
    let service = Service::start().await;
    let (manager, id, _) = paid(&service, json!([line(1, 100, "7"), line(1, 100, "19.0")])).await;
    let refund = manager.refunds(&id, json!({"amount": 113})).await.created();
    let rates = json!([{"tax_rate": "19", "net_amount": 50, "tax_amount": 10}, {"tax_rate": "7", "net_amount": 50, "tax_amount": 3}]);
    assert_eq!(refund["credit_taxes"], rates);
    let rest = manager.refunds(&id, json!({"amount": 113})).await.created();
    let rates = json!([{"tax_rate": "19", "net_amount": 50, "tax_amount": 9}, {"tax_rate": "7", "net_amount": 50, "tax_amount": 4}]);
    assert_eq!(rest["credit_taxes"], rates, "the last credit takes all that is left");
}

#[tokio::test]
async fn after_a_chargeback_the_money_is_still_owed() {
    let (_service, manager, id) = scene().await;
    manager.pays(&id, json!({"amount": 1000})).await.created();
    let chargeback = manager.refunds(&id, json!({"amount": 400, "credit_amount": 0})).await.created();
    assert_eq!(money(&chargeback), stand("partially_paid", 1000, 400, 400));
    assert_eq!(money(&manager.pays(&id, json!({"amount": 400})).await.created()), stand("paid", 1400, 400, 0));
}

#[tokio::test]
async fn goods_that_are_worth_nothing_come_back_too() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(1, 100, "0"), line(2, 0, "0")])).await;
    let gift = manager.refunds(&id, back(&items[1], 1)).await.created();
    assert_eq!((&gift["amount"], &gift["items"][0]["quantity"]), (&json!(0), &json!(1)));
    // So do goods that were credited before.
    manager.refunds(&id, json!({"amount": 100, "credit_amount": 100})).await.created();
    manager.refunds(&id, back(&items[0], 1)).await.created();
    let shown = order(&manager, &id).await;
    let returned = |n: usize| shown["items"][n]["returned_quantity"].as_i64();
    assert_eq!((returned(0), returned(1)), (Some(1), Some(1)));
    assert_eq!((&shown["credited_amount"], &shown["refunded_amount"]), (&json!(100), &json!(100)));
    manager.refunds(&id, back(&items[1], 2)).await.status(422).problem("return_exceeds_quantity");
    // They come along with an import.
    let exported = manager.get("/v1/orders.ndjson?include=transactions").await.ok().text().to_owned();
    let elsewhere = Service::start().await;
    let importer = elsewhere.admin().await;
    let answer = importer.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", exported).await.ok();
    assert!(answer.text().contains(r#""result":"created""#), "{}", answer.text());
    let found = importer.get("/v1/orders").await.ok();
    assert_eq!(found["data"][0]["items"][1]["returned_quantity"], 1);
}

#[tokio::test]
async fn a_credit_needs_no_money() {
    let (_service, manager, id) = scene().await;
    let goodwill = manager.refunds(&id, json!({"amount": 0, "credit_amount": 300})).await.created();
    assert_eq!(money(&goodwill), stand("unpaid", 0, 0, 700));
    assert_eq!(money(&manager.pays(&id, json!({"amount": 700})).await.created()), stand("paid", 700, 0, 0));
    for body in [json!({"amount": 0}), json!({"amount": 0, "credit_amount": 0})] {
        manager.refunds(&id, body).await.status(422).faults(&[("#/amount", "too_small")]);
    }
    manager.refunds(&id, json!({"credit_amount": 1})).await.status(422).faults(&[("#/amount", "required")]);
}

#[tokio::test]
async fn money_that_was_overpaid_goes_back_without_a_credit() {
    let (_service, manager, id) = scene().await;
    manager.pays(&id, json!({"amount": 1300})).await.created();
    // Pending refunds count as done.
    let pending = manager.refunds(&id, json!({"amount": 200, "status": "pending"})).await.created();
    assert_eq!(credit(&pending), (200, 0, 0));
    let refund = manager.refunds(&id, json!({"amount": 150})).await.created();
    assert_eq!(credit(&refund), (150, 50, 0));
    resolve(&manager, &pending.id(), "succeeded").await.ok();
    assert_eq!(order(&manager, &id).await["balance_amount"], 0);
}

#[tokio::test]
async fn goods_are_paid_back_as_far_as_the_money_is_there() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let placed = manager.places(order_of(&[("tea", 2, 500)])).await.created();
    manager.pays(&placed.id(), json!({"amount": 400})).await.created();
    let item = placed["items"][0]["id"].as_str().unwrap();
    assert_eq!(credit(&manager.refunds(&placed.id(), back(item, 1)).await.created()), (400, 500, 0));
    let credited = manager.refunds(&placed.id(), back(item, 1)).await.created();
    assert_eq!(credit(&credited), (0, 500, 0), "the credit stands without money");
    assert_eq!(money(&credited), stand("refunded", 400, 400, 0));

    // A payment that is named is a limit, too.
    let placed = manager.places(order_of(&[("tea", 1, 500)])).await.created();
    let first = manager.pays(&placed.id(), json!({"amount": 100})).await.created().id();
    manager.pays(&placed.id(), json!({"amount": 400})).await.created();
    let body = with(back(placed["items"][0]["id"].as_str().unwrap(), 1), "payment_id", first);
    assert_eq!(credit(&manager.refunds(&placed.id(), body).await.created()), (100, 500, 0));
}

#[tokio::test]
async fn a_stated_credit_stands_and_the_goods_come_back_all_the_same() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(2, 100, "0")])).await;
    let body = with(with(back(&items[0], 1), "credit_amount", 80), "amount", 50);
    assert_eq!(credit(&manager.refunds(&id, body).await.created()), (50, 80, 0));
    assert_eq!(order(&manager, &id).await["items"][0]["returned_quantity"], 1);
    // The line itself was credited nothing so far, so the rest of it is its whole; but only 120 is left.
    assert_eq!(credit(&manager.refunds(&id, back(&items[0], 1)).await.created()), (120, 120, 0));
}

#[tokio::test]
async fn every_fault_of_a_credit_is_named() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(2, 100, "0")])).await;
    let refund = async |body: Value| manager.refunds(&id, body).await.status(422);
    let excess = refund(json!({"amount": 10, "credit_amount": 201})).await.problem("credit_exceeds_total");
    excess.faults(&[("#/credit_amount", "too_large")]);
    let part = |quantity: u64| json!({"item_id": items[0], "quantity": quantity});
    let twice = refund(json!({"items": [part(1), part(2)]})).await.problem("return_exceeds_quantity");
    twice.faults(&[("#/items/1/quantity", "too_large")]);
    let both = refund(json!({"items": [part(3)], "credit_amount": 201})).await.problem("return_exceeds_quantity");
    both.faults(&[("#/items/0/quantity", "too_large"), ("#/credit_amount", "too_large")]);
    let unknown = json!({"item_id": "itm_01h455vb4pex5vsknk084sn02q", "quantity": 1});
    refund(json!({"items": [part(1), unknown]})).await.faults(&[("#/items/1/item_id", "unknown")]);
    refund(json!({"items": [part(0)]})).await.faults(&[("#/items/0/quantity", "too_small")]);
    refund(json!({"items": []})).await.faults(&[("#/items", "too_few")]);
    refund(json!({})).await.faults(&[("#/amount", "required")]);
    refund(json!({"items": [part(1)], "amount": 201})).await.problem("refund_exceeds_paid");
    for field in ["items", "credit_amount"] {
        let payment = with(json!({"amount": 1}), field, json!(null));
        manager.pays(&id, payment).await.status(422).faults(&[(&format!("#/{field}"), "unknown_field")]);
    }
    assert_eq!(order(&manager, &id).await["version"], 2, "nothing was recorded");
}

#[tokio::test]
async fn a_pending_refund_reserves_money_credit_and_goods() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(2, 100, "0")])).await;
    let pending = manager.refunds(&id, with(back(&items[0], 2), "status", "pending")).await.created();
    assert_eq!(money(&pending), stand("paid", 200, 0, 0));
    let shown = order(&manager, &id).await;
    assert_eq!((&shown["credited_amount"], &shown["items"][0]["returned_quantity"]), (&json!(0), &json!(0)));
    manager.refunds(&id, json!({"amount": 1})).await.status(422).problem("refund_exceeds_paid");
    manager.refunds(&id, back(&items[0], 1)).await.status(422).problem("return_exceeds_quantity");
    let credit = json!({"amount": 0, "credit_amount": 1});
    manager.refunds(&id, credit).await.status(422).problem("credit_exceeds_total");
    resolve(&manager, &pending.id(), "voided").await.ok();
    let again = manager.refunds(&id, with(back(&items[0], 2), "status", "pending")).await.created();
    assert_eq!(money(&resolve(&manager, &again.id(), "succeeded").await.ok()), stand("refunded", 200, 200, 0));
    assert_eq!(order(&manager, &id).await["items"][0]["returned_quantity"], 2);
}

#[tokio::test]
async fn an_order_is_frozen_while_credits_or_returns_stand() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(2, 100, "0")])).await;
    let path = format!("/v1/orders/{id}");
    let pending = manager.refunds(&id, with(back(&items[0], 1), "status", "pending")).await.created().id();
    let frozen = async |body: Value| manager.patch(&path, body).await.status(409).problem("order_frozen");
    frozen(json!({"order_discount_amount": 1})).await;
    resolve(&manager, &pending, "failed").await.ok();
    manager.patch(&path, json!({"order_discount_amount": 1})).await.ok();
    let refund = manager.refunds(&id, with(back(&items[0], 1), "credit_amount", 0)).await;
    let refund = refund.status(422).faults(&[("#/amount", "too_small")]);
    assert_eq!(refund["code"], "validation_failed", "neither money nor credit");
    let goods_only = with(with(back(&items[0], 1), "credit_amount", 0), "amount", 1);
    let goods_only = manager.refunds(&id, goods_only).await.created().id();
    for body in [
        json!({"fees": [{"name": "f", "amount": 1}]}),
        json!({"external_ref": "r9"}),
        json!({"items": [line(1, 1, "0")]}),
    ] {
        frozen(body).await;
    }
    manager.patch(&path, json!({"note": "free"})).await.ok();
    resolve(&manager, &goods_only, "reversed").await.ok();
    manager.patch(&path, json!({"items": [line(1, 1, "0")]})).await.ok();
}

#[tokio::test]
async fn refunds_of_a_cancelled_order_credit_nothing() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(4, 100, "0")])).await;
    let pending = manager.refunds(&id, with(back(&items[0], 1), "status", "pending")).await.created();
    assert_eq!(pending["credit_amount"], 100);
    manager.post(&format!("/v1/orders/{id}/cancel"), json!({"refund": 200})).await.ok();
    let of_cancellation = &manager.walk(&format!("/v1/orders/{id}/transactions")).await[0];
    assert_eq!((&of_cancellation["amount"], &of_cancellation["credit_amount"]), (&json!(200), &json!(0)));
    for body in [back(&items[0], 1), json!({"amount": 1, "credit_amount": 1})] {
        manager.refunds(&id, body).await.status(422).problem("credit_exceeds_total");
    }
    let resolved = resolve(&manager, &pending.id(), "succeeded").await.ok();
    assert_eq!((&resolved["credit_amount"], &resolved["credit_taxes"]), (&json!(0), &json!([])));
    assert_eq!(money(&resolved), stand("partially_paid", 400, 300, -100));
    let rest = manager.refunds(&id, json!({"amount": 100})).await.created();
    assert_eq!(credit(&rest), (100, 0, 0));
    assert_eq!(money(&rest), stand("refunded", 400, 400, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_concurrent_returns_never_exceed_the_quantity() {
    let service = Service::start().await;
    let (manager, id, items) = paid(&service, json!([line(20, 33, "19")])).await;
    let refund = |_| {
        let (manager, id, body) = (manager.clone(), id.clone(), back(&items[0], 1));
        tokio::spawn(async move { manager.refunds(&id, body).await })
    };
    let answers = join_all((0..50).map(refund)).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 20, "{codes:?}");
    let order = order(&manager, &id).await;
    assert_eq!(
        (&order["credited_amount"], &order["credited_tax_amount"]),
        (&order["total_amount"], &order["tax_amount"])
    );
    assert_eq!((&order["balance_amount"], &order["payment_status"]), (&json!(0), &json!("refunded")));
}
