//! The content of the fixture: users, roles and keys, and fifty orders of two months in every state, with payments and
//! refunds of every kind.

use crate::support::{Client, Service, order_of, with};
use serde_json::{Value, json};
use std::time::Duration;

/// The day after the last event.
pub const DAY_AFTER: &str = "2026-07-06T00:00:00.000Z";
/// The number of orders that have an order number.
pub const NUMBERED: u64 = 47;
/// The idempotency key of an order that can be sent again.
pub const KEY: &str = "of-the-first-release";

/// The trace of some payments.
const TRACE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The body of the request with [`KEY`].
pub fn order_with_key() -> Value {
    with(order_of(&[("keyed", 1, 700)]), "external_ref", "keyed")
}

/// Writes everything through the API.
pub async fn write(service: &Service) {
    let admin = service.admin().await;
    admin.put("/v1/roles/packer", json!({"permissions": ["orders:read", "orders:transition"]})).await;
    service.person("packer", "packer").await;
    let gone = service.person("gone", "customer").await;
    admin.patch(&format!("/v1/users/{}", gone.id), json!({"status": "disabled"})).await.ok();
    let key = json!({"name": "till", "permissions": ["orders:read", "payments:write"]});
    admin.post("/v1/api-keys", key).await.created();
    service.analyst().await.get("/v1/users").await.status(403);
    for number in 0..50 {
        service.pass(Duration::from_secs(9 * 3600 + 1234));
        write_order(service, number).await;
    }
    service.manager().await.post("/v1/orders", order_with_key()).key(KEY).await.created();
}

/// Places order `number` and changes it in one of ten ways.
async fn write_order(service: &Service, number: u64) {
    let (manager, ada) = (service.manager().await, service.customer().await);
    let owner = if number.is_multiple_of(3) { &manager } else { &ada };
    let order = owner.places(body(number)).await.created();
    let (id, total) = (order.id(), order["total_amount"].as_i64().unwrap());
    let order = order.json().clone();
    match number % 10 {
        0 => draft(&manager, &id, number).await,
        1 => {}
        2 => transition(&manager, &id, &["confirm"]).await,
        3 => {
            manager
                .pays(&id, json!({"amount": total, "provider": "bank", "provider_ref": format!("p{number}")}))
                .await
                .created();
            transition(&manager, &id, &["confirm", "fulfil"]).await;
        }
        4 => {
            manager.pays(&id, json!({"amount": total / 2})).await.created();
            let refund = returned(&manager, &order, json!({"status": "pending"})).await;
            if number > 20 {
                resolve(&manager, &refund, "succeeded").await;
            }
            if number == 34 {
                resolve(&manager, &refund, "reversed").await;
            }
            let cancel = json!({"reason": "Größe passt nicht", "refund": "full"});
            manager.post(&format!("/v1/orders/{id}/cancel"), cancel).await.ok();
            if number == 44 {
                service.pass(Duration::from_hours(1));
                resolve(&manager, &refund, "reversed").await;
            }
        }
        5 => refunded(&manager, &id, total).await,
        6 => pending(&manager, &id, number).await,
        7 => {
            manager.pays(&id, json!({"amount": total + 5, "occurred_at": "2026-05-31T20:00:00Z"})).await.created();
            manager.patch(&format!("/v1/orders/{id}"), json!({"items": body(2)["items"], "fees": null})).await.ok();
        }
        8 => {
            manager
                .patch(&format!("/v1/orders/{id}"), json!({"note": "call first", "metadata": {"b": null}}))
                .await
                .ok();
            manager.pays(&id, json!({"amount": 1})).await.created();
            manager.post(&format!("/v1/orders/{id}/cancel"), json!({"refund": "none"})).await.ok();
        }
        _ => {
            manager.pays(&id, json!({"amount": total})).await.created();
            let refund = returned(&manager, &order, json!({"reason": "broken"})).await;
            match number {
                9 | 19 => drop(manager.refunds(&id, json!({"amount": 30})).await.created()),
                29 => drop(manager.refunds(&id, json!({"amount": 10, "status": "pending"})).await.created()),
                39 => resolve(&manager, &refund, "reversed").await,
                _ => {
                    let body = json!({"amount": 0, "credit_amount": 5, "reason": "scratched"});
                    manager.refunds(&id, body).await.created();
                }
            }
        }
    }
}

async fn transition(manager: &Client, id: &str, actions: &[&str]) {
    for action in actions {
        manager.moves(id, action).await.ok();
    }
}

async fn draft(manager: &Client, id: &str, number: u64) {
    match number {
        0 => transition(manager, id, &["cancel"]).await,
        10 => transition(manager, id, &["place", "confirm", "cancel"]).await,
        _ => {}
    }
}

async fn refunded(manager: &Client, id: &str, total: i64) {
    let payment = manager.pays(id, json!({"amount": total})).await.created().id();
    manager.refunds(id, json!({"amount": 10, "payment_id": payment})).await.created();
    let refund = manager.refunds(id, json!({"amount": 20, "payment_id": payment, "status": "pending"})).await.created();
    manager.patch(&format!("/v1/transactions/{}", refund.id()), json!({"status": "failed"})).await.ok();
}

/// Takes one of the goods of an order back, and returns the identifier of the refund.
async fn returned(manager: &Client, order: &Value, mut body: Value) -> String {
    body["items"] = json!([{"item_id": order["items"][0]["id"], "quantity": 1}]);
    manager.refunds(order["id"].as_str().unwrap(), body).await.created().id()
}

async fn resolve(manager: &Client, transaction: &str, status: &str) {
    manager.patch(&format!("/v1/transactions/{transaction}"), json!({"status": status})).await.ok();
}

async fn pending(manager: &Client, id: &str, number: u64) {
    let status = ["pending", "succeeded", "failed", "voided"][usize::try_from(number / 10 % 4).unwrap()];
    let payment = json!({"amount": 50, "status": "pending", "provider": "card"});
    let payment = manager.post(&format!("/v1/orders/{id}/payments"), payment).fresh_key();
    let payment = payment.header("traceparent", TRACE_PARENT).await.created();
    let change = json!({"status": status, "occurred_at": "2026-06-14T23:59:59.999Z"});
    if status != "pending" {
        manager.patch(&format!("/v1/transactions/{}", payment.id()), change).await.ok();
    }
}

fn body(number: u64) -> Value {
    let mut body = order_of(&[("tea", 1 + number % 3, 1250), ("cup", 1, 100 + number)]);
    body["currency"] = ["EUR", "USD", "JPY", "KWD"][usize::try_from(number % 4).unwrap()].into();
    body["items"][0]["tax_rate"] = "8.875".into();
    body["items"][1]["discount_amount"] = 7.into();
    body["draft"] = number.is_multiple_of(10).into();
    if number.is_multiple_of(2) {
        body["fees"] = json!([{"name": "Shipping", "amount": 499}, {"name": "Gift wrap", "amount": number}]);
        body["metadata"] = json!({"a": "1", "b": "ä"});
        body["external_ref"] = format!("shop-{number}").into();
        body["order_discount_amount"] = 11.into();
        body["note"] = "Ring twice".into();
        body["customer"] = json!({"name": "Ada Lovelace", "email": "ada@example.com", "address": "12 St James's Sq"});
    }
    body
}
