//! Prices: with and without tax, discounts on the whole order, taxed fees. The rules themselves are tested beside
//! `src/domain/pricing.rs`.

use crate::support::{Answer, Client, Service, order_of, with};
use rusqlite::Connection;
use serde_json::{Value, json};

fn line(quantity: u64, unit_amount: u64, tax_rate: &str) -> Value {
    json!({"sku": "tea", "name": "Tea", "quantity": quantity, "unit_amount": unit_amount, "tax_rate": tax_rate})
}

fn tax_and_total(answer: &Answer) -> (i64, i64) {
    (answer["tax_amount"].as_i64().unwrap(), answer["total_amount"].as_i64().unwrap())
}

async fn priced(who: &Client, order: Value) -> (i64, i64) {
    tax_and_total(&who.places(order).await.created())
}

#[tokio::test]
async fn the_examples_of_the_manual_come_to_what_it_says() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let with_tax = json!({"currency": "EUR", "prices_include_tax": true, "items": [line(3, 3490, "20")]});
    assert_eq!(priced(&staff, with_tax).await, (1745, 10_470));
    let one = json!({"currency": "EUR", "prices_include_tax": true, "items": [line(1, 1489, "21")]});
    assert_eq!(priced(&staff, one).await, (258, 1489));
    let discounted = json!({"currency": "EUR", "order_discount_amount": 3300, "items": [line(1, 10_000, "25")]});
    assert_eq!(priced(&staff, discounted).await, (1675, 8375));
    let shipped = json!({"currency": "EUR", "items": [line(1, 1000, "21")],
        "fees": [{"name": "Shipping", "amount": 500, "tax_rate": "21"}]});
    assert_eq!(priced(&staff, shipped).await, (315, 1815));
}

#[tokio::test]
async fn a_tax_that_does_not_fit_is_refused_at_its_field() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let mut order = json!({"currency": "EUR", "prices_include_tax": true,
        "items": [{"sku": "a", "name": "a", "quantity": 1, "unit_amount": 100, "tax_amount": 101}],
        "fees": [{"name": "f", "amount": 10, "tax_amount": 11}]});
    let refused = staff.places(order.clone()).await.status(422);
    refused
        .problem("validation_failed")
        .faults(&[("#/items/0/tax_amount", "too_large"), ("#/fees/0/tax_amount", "too_large")]);
    order["fees"][0]["tax_rate"] = "5".into();
    let refused = staff.places(order.clone()).await.status(422);
    assert!(refused.text().contains("#/fees/0/tax_amount"), "{refused}");

    // What fits when the order is placed has to fit after a change, too.
    order["fees"] = json!([]);
    order["items"][0]["tax_amount"] = 90.into();
    let id = staff.places(order).await.created().id();
    let path = format!("/v1/orders/{id}");
    let refused = staff.patch(&path, json!({"order_discount_amount": 11})).await.status(422);
    refused.problem("validation_failed").faults(&[("#/items/0/tax_amount", "too_large")]);
    assert_eq!(tax_and_total(&staff.patch(&path, json!({"order_discount_amount": 10})).await.ok()), (90, 90));
}

#[tokio::test]
async fn an_order_discount_is_at_most_what_the_lines_come_to() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = with(order_of(&[("tea", 2, 50)]), "fees", json!([{"name": "f", "amount": 10}]));
    let refused = staff.places(with(order.clone(), "order_discount_amount", 101)).await.status(422);
    refused.problem("validation_failed").faults(&[("#/order_discount_amount", "too_large")]);
    assert_eq!(priced(&staff, with(order, "order_discount_amount", 100)).await, (0, 10));
}

#[tokio::test]
async fn a_change_prices_the_order_again_and_keeps_the_ids_of_unchanged_lines() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = json!({"currency": "EUR", "items": [line(1, 10_000, "25"), line(1, 0, "25")]});
    let placed = staff.places(order).await.created();
    let path = format!("/v1/orders/{}", placed.id());
    let changed = staff.patch(&path, json!({"order_discount_amount": 3300})).await.ok();
    assert_eq!(tax_and_total(&changed), (1675, 8375));
    assert_eq!(changed["items"][0]["allocated_discount_amount"], 3300);
    assert_eq!(changed["items"][0]["id"], placed["items"][0]["id"]);
    let changed = staff.patch(&path, json!({"prices_include_tax": true, "order_discount_amount": null})).await.ok();
    assert_eq!(tax_and_total(&changed), (2000, 10_000));
    let fees = json!([{"name": "Shipping", "amount": 100, "tax_rate": "25"}]);
    let changed = staff.patch(&path, json!({"fees": fees})).await.ok();
    assert_eq!(tax_and_total(&changed), (2020, 10_100));
    let same = staff.patch(&path, json!({"fees": fees, "prices_include_tax": true})).await.ok();
    assert_eq!((same["version"].as_i64(), changed["version"].as_i64()), (Some(4), Some(4)), "nothing changed");
}

#[tokio::test]
async fn the_schema_refuses_parts_that_do_not_add_up() {
    let service = Service::start().await;
    let order =
        json!({"currency": "EUR", "order_discount_amount": 7, "items": [line(1, 100, "25"), line(1, 100, "7")]});
    service.staff().await.places(order).await.created();
    service.stop().await;
    let connection = Connection::open(service.path()).unwrap();
    let change = "CREATE TEMP TABLE kept AS SELECT * FROM order_items; CREATE TEMP TABLE next AS SELECT * FROM events;
        DELETE FROM order_items; UPDATE next SET seq = seq + 1, version = version + 1;";
    let record = "INSERT INTO order_items SELECT * FROM kept;
        INSERT INTO events (seq, id, kind, order_seq, version, actor, request_id, occurred_at, data, hash)
        SELECT seq, id, kind, order_seq, version, actor, request_id, occurred_at, data, hash FROM next";
    for damage in [
        "UPDATE kept SET allocated_discount_amount = allocated_discount_amount + 1, total_amount = total_amount - 1",
        "DELETE FROM kept WHERE line = 1",
        "UPDATE kept SET tax_amount = tax_amount + 1, total_amount = total_amount + 1 WHERE line = 0",
        "UPDATE orders SET subtotal_amount = subtotal_amount + 1, discount_amount = discount_amount + 1",
        "UPDATE orders SET fees = '[{\"amount\": 0, \"tax_amount\": 1, \"total_amount\": 1}]'",
    ] {
        let sql = format!("BEGIN; {change} {damage}; {record}");
        let refused = connection.execute_batch(&sql).unwrap_err().to_string();
        assert!(refused.contains("do not add up"), "{damage}: {refused}");
        connection.execute_batch("ROLLBACK").unwrap();
    }
    let sql = format!("BEGIN; {change} {record}; ROLLBACK");
    connection.execute_batch(&sql).unwrap();
}

#[tokio::test]
async fn the_schema_refuses_credits_beyond_what_the_order_has_at_their_rate() {
    let service = Service::start().await;
    let fees = json!([{"name": "Shipping", "amount": 10, "tax_rate": "7"}, {"name": "Gift wrap", "amount": 5}]);
    let order = json!({"currency": "EUR", "items": [line(1, 100, "25"), line(2, 100, "7")], "fees": fees});
    service.staff().await.places(order).await.created();
    service.stop().await;
    let connection = Connection::open(service.path()).unwrap();
    let credit = |[rate, net, tax, credited_net, reserved_tax]: [i64; 5]| {
        let values = format!("1, {rate}, {net}, {tax}, {credited_net}, 0, 0, {reserved_tax}");
        connection.execute_batch(&format!("BEGIN; INSERT INTO order_credits VALUES ({values})")).inspect(|()| {
            connection.execute_batch("ROLLBACK").unwrap();
        })
    };
    for good in [[250_000, 100, 25, 100, 25], [70_000, 210, 15, 210, 0], [-1, 5, 0, 5, 0]] {
        credit(good).unwrap();
    }
    for (wrong, reason) in [
        ([250_000, 101, 25, 1, 0], "do not add up"),
        ([70_000, 210, 14, 1, 0], "do not add up"),
        ([-1, 6, 0, 6, 0], "do not add up"),
        ([190_000, 1, 0, 1, 0], "do not add up"),
        ([250_000, 100, 25, 101, 0], "credits_never_exceed_the_net_amount"),
        ([250_000, 100, 25, 0, 26], "credits_never_exceed_the_tax"),
    ] {
        let refused = credit(wrong).unwrap_err().to_string();
        connection.execute_batch("ROLLBACK").unwrap();
        assert!(refused.contains(reason), "{wrong:?}: {refused}");
    }
}
