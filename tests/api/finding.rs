//! Finding something: payments and refunds of all orders, counts, items that were sold before, and who acted.

use crate::support::{Client, Service, order_of, with};
use serde_json::{Value, json};

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

async fn found(who: &Client, query: &str) -> Vec<String> {
    let whole = who.walk(&format!("/v1/transactions?{query}")).await;
    // Every page size gives the same list, and so does an export.
    assert_eq!(who.walk(&format!("/v1/transactions?{query}&limit=1")).await, whole, "{query}");
    let total = who.get(&format!("/v1/transactions?{query}&count=true")).await.ok()["page"]["total"].clone();
    assert_eq!(total, whole.len(), "{query}");
    let lines = who.get(&format!("/v1/transactions?{query}")).header("accept", "application/x-ndjson").await.ok();
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, whole, "{query}");
    ids(&whole).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn payments_and_refunds_of_all_orders_are_found() {
    let service = Service::start().await;
    let (manager, ada) = (service.manager().await, service.customer().await);
    let order = ada.places(order_of(&[("tea", 1, 5000)])).await.created().id();
    let other = manager.places(with(order_of(&[("cup", 1, 900)]), "currency", "USD")).await.created().id();
    let pay = async |order: &str, body: Value| manager.pays(order, body).await.created().id();
    let first = pay(&order, json!({"amount": 3000, "provider": "stripe", "provider_ref": "ch_1"})).await;
    let failed =
        pay(&other, json!({"amount": 900, "status": "pending", "provider": "stripe", "provider_ref": "ch_2"})).await;
    manager.patch(&format!("/v1/transactions/{failed}"), json!({"status": "failed"})).await.ok();
    let again =
        pay(&other, json!({"amount": 900, "status": "pending", "provider": "stripe", "provider_ref": "ch_2"})).await;
    let by_hand =
        pay(&other, json!({"amount": 1, "provider_ref": "ch_2", "occurred_at": "2026-03-01T00:00:00Z"})).await;
    let refund = manager.refunds(&order, json!({"amount": 500, "provider": "stripe", "provider_ref": "ch_1"}));
    let refund = refund.await.created().id();

    let all = [&refund, &by_hand, &again, &failed, &first];
    assert_eq!(found(&manager, "").await.iter().collect::<Vec<_>>(), all);
    for (query, expected) in [
        ("provider_ref=ch_1", vec![&refund, &first]),
        ("provider_ref=ch_2", vec![&by_hand, &again, &failed]),
        ("provider_ref=ch_2&provider=stripe&status=failed,pending", vec![&again, &failed]),
        ("provider_ref=ch_3", vec![]),
        ("kind=refund", vec![&refund]),
        ("kind=payment&provider=stripe", vec![&again, &failed, &first]),
        ("status=pending", vec![&again]),
        ("status=failed,pending", vec![&again, &failed]),
        ("status=succeeded,pending", vec![&refund, &by_hand, &again, &first]),
        (&format!("order_id={order}"), vec![&refund, &first]),
        (&format!("order_id={order}&kind=payment"), vec![&first]),
        ("order_id=ord_00000000000000000000000000", vec![]),
        ("currency=USD", vec![&by_hand, &again, &failed]),
        ("amount_min=500&amount_max=900", vec![&refund, &again, &failed]),
        ("amount_min=3000", vec![&first]),
        ("occurred_to=2026-06-15T12:00:00.000Z", vec![&by_hand]),
        ("occurred_from=2026-03-01T00:00:00Z&occurred_to=2026-06-15T12:00:00.001Z", all.to_vec()),
    ] {
        assert_eq!(found(&manager, query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    // A customer finds those of the customer's own orders, whatever the filter.
    for (query, expected) in [
        ("", vec![&refund, &first]),
        ("provider_ref=ch_1", vec![&refund, &first]),
        ("provider_ref=ch_2", vec![]),
        ("status=failed,pending", vec![]),
        (&format!("order_id={other}"), vec![]),
        ("kind=payment", vec![&first]),
    ] {
        assert_eq!(found(&ada, query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    assert!(found(&service.other_customer().await, "").await.is_empty());
    let answer = manager.get("/v1/transactions?status=done&kind=both&amount_min=1.5&colour=red").await.status(400);
    answer.faults(&[
        ("status", "invalid_value"),
        ("kind", "invalid_value"),
        ("amount_min", "wrong_type"),
        ("colour", "unknown_parameter"),
    ]);
    let entry = &manager.walk("/v1/transactions?provider_ref=ch_1").await[1];
    assert_eq!((&entry["order_id"], &entry["order_number"]), (&json!(order), &json!(1)));
}

#[tokio::test]
async fn orders_are_counted_by_status() {
    let service = Service::start().await;
    let (manager, ada) = (service.manager().await, service.customer().await);
    let counts = async |who: &Client| {
        let answer = who.get("/v1/orders/counts").await.ok();
        let entry = |entry: &Value| {
            let word = |name: &str| entry[name].as_str().unwrap().to_owned();
            (word("status"), word("payment_status"), entry["orders"].as_i64().unwrap())
        };
        answer["data"].as_array().unwrap().iter().map(entry).collect::<Vec<_>>()
    };
    let expected = |counts: &[(&str, &str, i64)]| {
        counts.iter().map(|&(status, payment, n)| (status.to_owned(), payment.to_owned(), n)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&manager).await, []);
    let draft = || with(order_of(&[("tea", 1, 100)]), "draft", true);
    let mut placed = vec![];
    for currency in ["EUR", "USD", "EUR"] {
        placed.push(ada.places(with(order_of(&[("tea", 1, 100)]), "currency", currency)).await.created().id());
    }
    manager.places(draft()).await.created();
    let dropped = manager.places(draft()).await.created().id();
    manager.moves(&dropped, "cancel").await.ok();
    manager.pays(&placed[0], json!({"amount": 100})).await.created();
    manager.moves(&placed[0], "confirm").await.ok();
    manager.moves(&placed[1], "cancel").await.ok();
    let of_all =
        [("draft", "unpaid", 1), ("pending", "unpaid", 1), ("confirmed", "paid", 1), ("cancelled", "unpaid", 2)];
    assert_eq!(counts(&manager).await, expected(&of_all));
    let of_ada = [("pending", "unpaid", 1), ("confirmed", "paid", 1), ("cancelled", "unpaid", 1)];
    assert_eq!(counts(&ada).await, expected(&of_ada));
    assert_eq!(counts(&service.other_customer().await).await, []);
}

#[tokio::test]
async fn items_are_suggested_as_they_were_sold_last() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    let item = |sku: &str, name: &str, price: i64| {
        json!({"currency": "EUR", "items": [
            {"sku": sku, "name": name, "quantity": 1, "unit_amount": price, "tax_rate": "7.50"}]})
    };
    let names = async |who: &Client, q: &str| {
        let answer = who.get(&format!("/v1/items{q}")).await.ok();
        let entry = |entry: &Value| format!("{} {}", entry["name"].as_str().unwrap(), entry["unit_amount"]);
        answer["data"].as_array().unwrap().iter().map(entry).collect::<Vec<_>>()
    };
    assert_eq!(names(&staff, "").await, <[String; 0]>::default());
    ada.places(item("TEA-1", "Straßentee", 1000)).await.created();
    let newer = staff.places(item("TEA-1", "Straßentee, 100 g", 1100)).await.created();
    staff.places(item("CUP", "Cup", 500)).await.created();
    staff.places(with(item("TEA-2", "Draft tea", 1), "draft", true)).await.created();
    assert_eq!(names(&staff, "").await, ["Cup 500", "Straßentee, 100 g 1100"]);
    assert_eq!(names(&staff, "?q=STRASSE").await, ["Straßentee, 100 g 1100"]);
    assert_eq!(names(&staff, "?q=tea-").await, ["Straßentee, 100 g 1100"]);
    assert_eq!(names(&staff, "?q=draft").await, <[String; 0]>::default());
    assert_eq!(names(&ada, "?q=tea").await, ["Straßentee 1000"]);
    let sold = staff.get("/v1/items?q=cup").await.ok()["data"][0].clone();
    assert_eq!(
        sold,
        json!({"sku": "CUP", "name": "Cup", "currency": "EUR", "unit_amount": 500, "tax_rate": "7.5",
            "last_sold_at": "2026-06-15T12:00:00.000Z"})
    );
    // What an order no longer has was not sold: the price before it is the newest again.
    let items = item("POT", "Pot", 900)["items"].clone();
    staff.patch(&format!("/v1/orders/{}", newer.id()), json!({"items": items})).await.ok();
    assert_eq!(names(&staff, "?q=tea").await, ["Straßentee 1000"]);
    staff.places(with(item("TEA-1", "Tea", 7), "currency", "USD")).await.created();
    assert_eq!(names(&staff, "?q=tea").await, ["Tea 7", "Straßentee 1000"]);
    for number in 0..25 {
        staff.places(item(&format!("N{number}"), "Number", number)).await.created();
    }
    assert_eq!(names(&staff, "?q=number").await.len(), 20);
    staff.get("/v1/items?q=").await.status(400).faults(&[("q", "too_short")]);
}

#[tokio::test]
async fn events_and_the_audit_trail_name_who_acted() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let key = admin.post("/v1/api-keys", json!({"name": "Till 3", "permissions": ["orders:create"]})).await.created();
    let till = service.anonymous().bearing(key["secret"].as_str().unwrap());
    let order = till.places(order_of(&[("tea", 1, 100)])).await.created().id();
    admin.pays(&order, json!({"amount": 100})).await.created();
    let draft = admin.places(with(order_of(&[("tea", 1, 100)]), "draft", true)).await.created().id();
    admin.delete(&format!("/v1/api-keys/{}", key.id())).await.no_content();
    let me = admin.get("/v1/auth/me").await.ok()["user"]["name"].clone();
    let events = admin.get("/v1/events").await.ok();
    let names: Vec<_> = (0..3).map(|i| events["data"][i]["actor_name"].clone()).collect();
    assert_eq!(names, [json!("Till 3"), me.clone(), me.clone()], "a revoked key keeps its name");
    let numbers: Vec<_> = (0..3).map(|i| events["data"][i]["order_number"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(1), Value::Null]);
    let of_order = admin.get(&format!("/v1/orders/{draft}/events")).await.ok();
    assert_eq!((&of_order["data"][0]["actor_name"], &of_order["data"][0]["order_number"]), (&me, &Value::Null));
    service
        .anonymous()
        .post("/v1/auth/login", json!({"email": "nobody@example.com", "password": "x"}))
        .await
        .status(401);
    let trail = admin.walk("/v1/audit").await;
    for entry in &trail {
        let expected = match entry["actor"].as_str().unwrap() {
            "system" => json!("system"),
            "anonymous" => Value::Null,
            id if id == admin.id => me.clone(),
            _ => continue,
        };
        assert_eq!(entry["actor_name"], expected, "{entry}");
    }
    assert!(trail.iter().any(|entry| entry["actor"] == "anonymous"));
}

#[tokio::test]
async fn events_are_read_from_the_newest_on() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let order = manager.places(order_of(&[("tea", 1, 100)])).await.created().id();
    for action in ["confirm", "fulfil"] {
        manager.moves(&order, action).await.ok();
    }
    manager.places(order_of(&[("tea", 1, 100)])).await.created();
    let seqs = |page: &Value| -> Vec<i64> {
        page["data"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect()
    };
    let first = manager.get("/v1/events?order=desc&limit=3&count=true").await.ok();
    assert_eq!((seqs(first.json()), &first["page"]["next"]), (vec![4, 3, 2], &json!("2")));
    assert_eq!((&first["page"]["has_more"], &first["page"]["total"]), (&json!(true), &json!(4)));
    assert_eq!(first.header("link"), "</v1/events?order=desc&limit=3&count=true&after=2>; rel=\"next\"");
    let last = manager.get("/v1/events?order=desc&limit=3&after=2").await.ok();
    assert_eq!((seqs(last.json()), &last["page"]["next"]), (vec![1], &json!("1")));
    let none = manager.get("/v1/events?order=desc&after=1").await.ok();
    assert_eq!((seqs(none.json()), &none["page"]["next"]), (vec![], &json!("1")));
    let lines = manager.get("/v1/events?order=desc").header("accept", "application/x-ndjson").await.ok();
    assert_eq!(lines.text().lines().count(), 4);
    assert!(lines.text().starts_with(r#"{"seq":4,"#));
    let versions: Vec<_> = manager.walk(&format!("/v1/orders/{order}/events?order=desc&limit=2")).await;
    assert_eq!(versions.iter().map(|event| event["version"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    manager.get("/v1/events?order=up").await.status(400).faults(&[("order", "invalid_value")]);
    manager.get("/v1/events?order=desc&wait=1").await.status(400).faults(&[("wait", "conflict")]);
    let stream = manager.get("/v1/events?order=asc").header("accept", "text/event-stream").await;
    stream.status(400).faults(&[("order", "conflict")]);
}
