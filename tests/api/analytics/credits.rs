//! Credits, returns and reversals in the reports, against numbers computed by hand.

use super::{daily, rows};
use crate::support::{Client, Service, order_of, with};
use serde_json::{Value, json};

/// A service, its manager and its analyst, on the morning of 16 June.
async fn on_the_first_day() -> (Service, Client, Client) {
    let service = Service::start().await;
    service.at("2026-06-16T08:00:00Z");
    let (manager, analyst) = (service.manager().await, service.analyst().await);
    (service, manager, analyst)
}

/// An order of one item at 19 %, all of it paid.
async fn paid_order(manager: &Client, sku: &str, quantity: u64, unit: u64) -> Value {
    let mut body = order_of(&[(sku, quantity, unit)]);
    body["items"][0]["tax_rate"] = "19".into();
    let order = manager.places(body).await.created().json().clone();
    manager.pays(order["id"].as_str().unwrap(), json!({"amount": order["total_amount"]})).await.created();
    order
}

fn id(order: &Value) -> &str {
    order["id"].as_str().unwrap()
}

fn goods(order: &Value, quantity: u64) -> Value {
    json!({"items": [{"item_id": order["items"][0]["id"], "quantity": quantity}]})
}

/// The reverse of a refund: the identifier of the transaction, and what to send.
async fn reverse(manager: &Client, transaction: &str) {
    manager.patch(&format!("/v1/transactions/{transaction}"), json!({"status": "reversed"})).await.ok();
}

const DAYS: &str = "from=2026-06-16&to=2026-06-20&currency=EUR";

async fn taxes(analyst: &Client, query: &str) -> Value {
    let report = analyst.get(&format!("/v1/analytics/taxes?{query}")).await.ok();
    assert_eq!(report["basis"], "booked");
    report["data"].clone()
}

async fn assert_reconciled(analyst: &Client) {
    let report = analyst.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true, "{report}");
}

#[tokio::test]
async fn an_order_that_is_paid_cancelled_and_refunded_leaves_no_amount_and_no_tax() {
    let (service, manager, analyst) = on_the_first_day().await;
    let order = paid_order(&manager, "tea", 1, 10_000).await;
    service.at("2026-06-17T08:00:00Z");
    manager.post(&format!("/v1/orders/{}/cancel", id(&order)), json!({"refund": "full"})).await.ok();
    let booked = [
        ("2026-06-16 EUR", [1, 0, 11_900, 0, 0, 0, 11_900, 1900, 0, 0, 1900, 11_900]),
        ("2026-06-17 EUR", [0, 1, 0, 0, 0, 11_900, -11_900, 0, 0, 1900, -1900, 0]),
    ];
    let range = "from=2026-06-16&to=2026-06-17";
    assert_eq!(daily(&analyst, &format!("{range}&basis=booked")).await, rows(&booked));
    let cash = [
        ("2026-06-16 EUR", [1, 0, 11_900, 0, 0, 0, 11_900, 1900, 0, 0, 1900, 11_900]),
        ("2026-06-17 EUR", [0, 1, 0, 11_900, 0, 0, -11_900, 0, 0, 1900, -1900, 0]),
    ];
    assert_eq!(daily(&analyst, range).await, rows(&cash));
    assert_eq!(taxes(&analyst, range).await, json!([]), "nothing is left at any rate");
    let day = |net: i64, tax: i64| json!([{"tax_rate": "19", "currency": "EUR", "net_amount": net, "tax_amount": tax}]);
    assert_eq!(taxes(&analyst, "from=2026-06-16&to=2026-06-16").await, day(10_000, 1900));
    assert_eq!(taxes(&analyst, "from=2026-06-17&to=2026-06-17").await, day(-10_000, -1900));
    assert_reconciled(&analyst).await;
}

#[tokio::test]
async fn returned_goods_are_credited_and_are_not_sold() {
    let (service, manager, analyst) = on_the_first_day().await;
    let order = paid_order(&manager, "bag", 3, 1000).await;
    service.at("2026-06-17T08:00:00Z");
    manager.refunds(id(&order), goods(&order, 1)).await.created();
    let top = async || analyst.get(&format!("/v1/analytics/top-items?{DAYS}")).await.ok()["data"].clone();
    let bags = |quantity: i64, total: i64| json!([{"sku": "bag", "name": "bag", "currency": "EUR", "quantity": quantity, "orders": 1, "total_amount": total}]);
    assert_eq!(top().await, bags(2, 2380));
    let credited = daily(&analyst, "from=2026-06-17&to=2026-06-17&basis=booked").await;
    assert_eq!(credited, rows(&[("2026-06-17 EUR", [0, 0, 0, 0, 1190, 0, -1190, 0, 190, 0, -190, 0])]));
    let revenue = analyst.get(&format!("/v1/analytics/revenue-by-user?{DAYS}&basis=booked")).await.ok();
    let row = &revenue["data"][0];
    assert_eq!(
        (&row["gross_amount"], &row["credited_amount"], &row["net_amount"]),
        (&json!(3570), &json!(1190), &json!(2380))
    );
    let refund = manager.refunds(id(&order), goods(&order, 2)).await.created().id();
    assert_eq!(top().await, json!([]), "a row with quantity 0 is left out");
    reverse(&manager, &refund).await;
    assert_eq!(top().await, bags(2, 2380));
    let pending = with(goods(&order, 1), "status", "pending");
    let pending = manager.refunds(id(&order), pending).await.created().id();
    assert_eq!(top().await, bags(2, 2380), "goods of pending refunds are still sold");
    manager.patch(&format!("/v1/transactions/{pending}"), json!({"status": "succeeded"})).await.ok();
    assert_eq!(top().await, bags(1, 1190));
    assert_reconciled(&analyst).await;
}

#[tokio::test]
async fn a_name_of_which_all_goods_came_back_is_not_shown() {
    let (_service, manager, analyst) = on_the_first_day().await;
    for name in ["Old bag", "New bag"] {
        let mut body = order_of(&[("bag", 1, 1000)]);
        body["items"][0]["name"] = name.into();
        let order = manager.places(body).await.created();
        manager.pays(&order.id(), json!({"amount": 1000})).await.created();
    }
    let top = async || analyst.get(&format!("/v1/analytics/top-items?{DAYS}")).await.ok()["data"][0].clone();
    assert_eq!((&top().await["name"], &top().await["orders"]), (&json!("New bag"), &json!(2)));
    let newest = manager.get("/v1/orders/number/2").await.ok();
    manager.refunds(&newest.id(), goods(newest.json(), 1)).await.created();
    assert_eq!((&top().await["name"], &top().await["orders"]), (&json!("Old bag"), &json!(1)));
}

#[tokio::test]
async fn a_reversal_counts_on_its_own_day_and_changes_no_earlier_one() {
    let (service, manager, analyst) = on_the_first_day().await;
    let order = paid_order(&manager, "tea", 2, 1000).await;
    service.at("2026-06-17T08:00:00Z");
    let refund = manager.refunds(id(&order), goods(&order, 1)).await.created().id();
    let earlier = "from=2026-06-16&to=2026-06-17";
    let reports = async || {
        let booked = daily(&analyst, &format!("{earlier}&basis=booked")).await;
        (daily(&analyst, earlier).await, booked, taxes(&analyst, earlier).await)
    };
    let before = reports().await;
    service.at("2026-06-18T08:00:00Z");
    reverse(&manager, &refund).await;
    assert_eq!(reports().await, before);
    let day = "from=2026-06-18&to=2026-06-18";
    let booked = [("2026-06-18 EUR", [0, 0, 0, 0, -1190, 0, 1190, 0, -190, 0, 190, 0])];
    assert_eq!(daily(&analyst, &format!("{day}&basis=booked")).await, rows(&booked));
    let cash = [("2026-06-18 EUR", [0, 0, 0, -1190, 0, 0, 1190, 0, -190, 0, 190, 0])];
    assert_eq!(daily(&analyst, day).await, rows(&cash));
    let expected = json!([{"tax_rate": "19", "currency": "EUR", "net_amount": 1000, "tax_amount": 190}]);
    assert_eq!(taxes(&analyst, day).await, expected);
    // A chart of a day on which more is taken back than happens is drawn all the same.
    for report in [format!("daily?{day}"), format!("daily?{day}&basis=booked"), format!("taxes?{DAYS}")] {
        analyst.get(&format!("/v1/analytics/{report}")).header("accept", "image/svg+xml").await.ok();
    }
    assert_reconciled(&analyst).await;
}

#[tokio::test]
async fn a_credit_that_is_reversed_after_the_cancellation_is_cancelled_then() {
    let (service, manager, analyst) = on_the_first_day().await;
    let order = paid_order(&manager, "tea", 2, 1000).await;
    service.at("2026-06-17T08:00:00Z");
    let refund = manager.refunds(id(&order), goods(&order, 1)).await.created().id();
    service.at("2026-06-18T08:00:00Z");
    manager.post(&format!("/v1/orders/{}/cancel", id(&order)), json!({"refund": "none"})).await.ok();
    let days = async || daily(&analyst, "from=2026-06-16&to=2026-06-18&basis=booked").await;
    let before = days().await;
    assert_eq!(before[2].1, [0, 1, 0, 0, 0, 1190, -1190, 0, 0, 190, -190, 0]);
    service.at("2026-06-19T08:00:00Z");
    reverse(&manager, &refund).await;
    assert_eq!(days().await, before);
    let reversal = daily(&analyst, "from=2026-06-19&to=2026-06-19&basis=booked").await;
    assert_eq!(reversal, rows(&[("2026-06-19 EUR", [0, 0, 0, 0, -1190, 1190, 0, 0, -190, 190, 0, 0])]));
    assert_eq!(taxes(&analyst, DAYS).await, json!([]));
    assert_reconciled(&analyst).await;
}

#[tokio::test]
async fn a_reversal_that_is_dated_after_the_cancellation_that_follows_counts_on_its_day() {
    let (service, manager, analyst) = on_the_first_day().await;
    let order = paid_order(&manager, "tea", 1, 1000).await;
    let refund = manager.refunds(id(&order), goods(&order, 1)).await.created().id();
    let tomorrow = json!({"status": "reversed", "occurred_at": "2026-06-17T07:00:00Z"});
    manager.patch(&format!("/v1/transactions/{refund}"), tomorrow).await.ok();
    service.at("2026-06-16T20:00:00Z");
    manager.post(&format!("/v1/orders/{}/cancel", id(&order)), json!({"refund": "none"})).await.ok();
    let booked = [
        ("2026-06-16 EUR", [1, 1, 1190, 0, 1190, 0, 0, 190, 190, 0, 0, 1190]),
        ("2026-06-17 EUR", [0, 0, 0, 0, -1190, 1190, 0, 0, -190, 190, 0, 0]),
    ];
    assert_eq!(daily(&analyst, "from=2026-06-16&to=2026-06-17&basis=booked").await, rows(&booked));
    assert_reconciled(&analyst).await;
}

#[tokio::test]
async fn taxes_are_listed_by_currency_and_rate() {
    let (_service, manager, analyst) = on_the_first_day().await;
    for (currency, rate) in [("USD", "8.875"), ("EUR", "7.0"), ("EUR", "19"), ("EUR", "0")] {
        let mut body = with(order_of(&[("tea", 1, 2500)]), "currency", currency);
        body["items"][0]["tax_rate"] = rate.into();
        manager.places(body).await.created();
    }
    let mut mixed = order_of(&[("tea", 1, 100)]);
    mixed["items"][0]["tax_amount"] = 12.into();
    mixed["fees"] = json!([{"name": "Shipping", "amount": 500, "tax_rate": "19.00"}]);
    manager.places(mixed).await.created();
    manager.places(with(order_of(&[("tea", 1, 9)]), "draft", true)).await.created();
    let row = |rate: Value, currency: &str, net: i64, tax: i64| json!({"tax_rate": rate, "currency": currency, "net_amount": net, "tax_amount": tax});
    let expected = json!([
        row(json!("19"), "EUR", 3000, 570),
        row(json!("7"), "EUR", 2500, 175),
        row(json!("0"), "EUR", 2500, 0),
        row(Value::Null, "EUR", 100, 12),
        row(json!("8.875"), "USD", 2500, 222),
    ]);
    assert_eq!(taxes(&analyst, "from=2026-06-16&to=2026-06-16").await, expected);
    let dollars = taxes(&analyst, "from=2026-06-16&to=2026-06-16&currency=USD").await;
    assert_eq!(dollars, json!([expected[4]]));
    let chart = analyst.get(&format!("/v1/analytics/taxes?{DAYS}")).header("accept", "image/svg+xml").await.ok();
    for words in ["19 %", "without a rate", "tax 5.70 on 30.00"] {
        assert!(chart.text().contains(words), "{words}: {chart}");
    }
    analyst.get("/v1/analytics/taxes?from=2026-06-16&to=2026-06-16&basis=booked").await.status(400);
    manager.get("/v1/analytics/taxes?from=2026-06-16&to=2026-06-16").await.ok();
}

#[tokio::test]
async fn the_figures_of_an_order_move_to_the_user_who_gets_it() {
    let (service, manager, analyst) = on_the_first_day().await;
    let permissions = json!(["orders:create", "orders:update", "payments:write", "refunds:write"]);
    let key = json!({"name": "shop", "permissions": permissions});
    let key = service.admin().await.post("/v1/api-keys", key).await.created();
    let shop = service.anonymous().bearing(key["secret"].as_str().unwrap());
    let order = paid_order(&shop, "tea", 2, 1000).await;
    service.at("2026-06-17T08:00:00Z");
    let refund = manager.refunds(id(&order), goods(&order, 1)).await.created().id();
    manager.refunds(id(&order), json!({"amount": 100})).await.created();
    reverse(&manager, &refund).await;
    let revenue = async |basis: &str| {
        let rows = analyst.walk(&format!("/v1/analytics/revenue-by-user?{DAYS}&basis={basis}")).await;
        rows.into_iter().map(|row| (row["name"].clone(), row["net_amount"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(revenue("booked").await, [(Value::Null, json!(2280))]);
    let ada = service.customer().await;
    manager.patch(&format!("/v1/orders/{}", id(&order)), json!({"user_id": ada.id})).await.ok();
    for basis in ["booked", "cash"] {
        assert_eq!(revenue(basis).await, [(json!("customer"), json!(2280))], "{basis}");
    }
    assert_reconciled(&analyst).await;
}
