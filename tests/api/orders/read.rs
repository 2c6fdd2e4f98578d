//! `orders.get`, by identifier, number and reference.

use crate::support::{Service, order_of, with};
use serde_json::json;

#[tokio::test]
async fn an_order_is_found_by_id_number_and_reference() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let order = ada.places(with(order_of(&[("tea", 2, 1250)]), "external_ref", "web/1 ä?")).await.created();
    for path in [
        format!("/v1/orders/{}", order.id()),
        "/v1/orders/number/1".to_owned(),
        "/v1/orders/ref/web%2F1%20%C3%A4%3F".to_owned(),
    ] {
        let found = ada.get(&path).await.ok();
        assert_eq!((found.text(), found.header("etag")), (order.text(), "\"1\""), "{path}");
    }
    ada.get("/v1/orders/number/2").await.status(404).problem("not_found");
    ada.get("/v1/orders/ref/web").await.status(404).problem("not_found");
}

#[tokio::test]
async fn the_order_of_another_customer_looks_like_none() {
    let service = Service::start().await;
    let (ada, other) = (service.customer().await, service.other_customer().await);
    let order = ada.places(with(order_of(&[("tea", 1, 100)]), "external_ref", "mine")).await.created();
    let id = order.id();
    let foreign = other.get(&format!("/v1/orders/{id}")).header("x-request-id", "r").await.status(404);
    let absent = id.replace(&id[25..], "00000");
    let nothing = other.get(&format!("/v1/orders/{absent}")).header("x-request-id", "r").await.status(404);
    assert_eq!(foreign.text().replace(&id, "?"), nothing.text().replace(&absent, "?"));
    for path in ["number/1".to_owned(), "ref/mine".to_owned(), format!("{id}/events"), format!("{id}/transactions")] {
        other.get(&format!("/v1/orders/{path}")).await.status(404).problem("not_found");
    }
    for action in ["place", "cancel"] {
        other.moves(&id, action).await.status(404).problem("not_found");
    }
    for reader in [service.staff().await, service.manager().await, service.analyst().await, service.admin().await] {
        reader.get(&format!("/v1/orders/{id}")).await.ok();
    }
}

#[tokio::test]
async fn if_none_match_with_the_current_version_gives_304() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(with(order_of(&[("tea", 1, 100)]), "external_ref", "mine")).await.created();
    let path = format!("/v1/orders/{}", order.id());
    for tags in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = staff.get(&path).header("if-none-match", tags).await.status(304);
        assert!(answer.bytes().is_empty(), "{answer}");
        assert_eq!(answer.header("etag"), "\"1\"");
    }
    for path in ["/v1/orders/number/1", "/v1/orders/ref/mine"] {
        staff.get(path).header("if-none-match", "\"1\"").await.status(304);
    }
    for tags in ["\"2\"", "1", ""] {
        staff.get(&path).header("if-none-match", tags).await.ok();
    }
    staff.moves(&order.id(), "confirm").await.ok();
    let changed = staff.get(&path).header("if-none-match", "\"1\"").await.ok();
    assert_eq!((changed.header("etag"), &changed["version"]), ("\"2\"", &2.into()));
}

/// The service answers from its cache what it answers after a restart, when the cache is empty.
#[tokio::test]
async fn an_order_is_read_as_it_is_in_the_file_after_each_change() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let mut body = with(order_of(&[("tea", 2, 1250)]), "external_ref", "mine");
    body["customer"] = json!({"name": "Ada Example", "email": "ada@example.com"});
    let order = staff.places(body).await.created().id();
    staff.places(order_of(&[("cup", 1, 300)])).await.created();
    let paths = [
        format!("/v1/orders/{order}"),
        "/v1/orders/number/1".to_owned(),
        "/v1/orders/ref/mine".to_owned(),
        "/v1/orders".to_owned(),
        "/v1/orders?status=pending,confirmed,cancelled&sort=-total_amount".to_owned(),
    ];
    let read = async || {
        let mut texts = vec![];
        for path in &paths {
            texts.push(admin.get(path).await.ok().text().to_owned());
        }
        texts
    };
    let mut versions = 0;
    let mut check = async || {
        let (first, again) = (read().await, read().await);
        service.reopen().await;
        let from_the_file = read().await;
        assert_eq!((&first, &again), (&from_the_file, &from_the_file));
        versions += 1;
        assert!(first[0].contains(&format!(r#""version":{versions},"#)), "{}", first[0]);
        assert!(first[3].contains(&first[0]) && first[4].contains(&first[0]));
    };
    check().await;
    staff.patch(&paths[0], json!({"metadata": {"colour": "red"}})).await.ok();
    check().await;
    let payment = staff.pays(&order, json!({"amount": 2500})).await.created().id();
    check().await;
    staff.moves(&order, "confirm").await.ok();
    check().await;
    let refund = json!({"amount": 100, "payment_id": payment, "reason": "chipped"});
    service.manager().await.refunds(&order, refund).await.created();
    check().await;
    admin.post(&format!("{}/erase", paths[0]), json!({})).await.no_content();
    check().await;
    assert!(!read().await.concat().contains("Ada Example"));
}

#[tokio::test]
async fn orders_survive_a_restart() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 2, 1250)])).await.created();
    staff.pays(&order.id(), json!({"amount": 500})).await.created();
    let before = staff.get(order.header("location")).await.ok();
    service.reopen().await;
    assert_eq!(staff.get(order.header("location")).await.ok().text(), before.text());
}
