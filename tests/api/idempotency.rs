//! A request that is repeated with its key takes effect once and gets the same response every time.

use crate::support::{Answer, Service, order_of, with};
use futures_util::future::join_all;
use serde_json::json;

/// The parts of a response that a replay repeats byte for byte.
fn replayed_parts(answer: &Answer) -> (u16, &[u8], Option<&str>, Option<&str>) {
    (answer.code(), answer.bytes(), answer.maybe_header("location"), answer.maybe_header("etag"))
}

/// Fails unless `again` is a replay of `first`.
#[track_caller]
fn assert_replay(again: &Answer, first: &Answer) {
    assert_eq!(replayed_parts(again), replayed_parts(first), "{again}");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("original-request-id"), first.header("x-request-id"));
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_concurrent_posts_with_one_key_create_one_order() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let post = |_| {
        let call = ada.post("/v1/orders", order_of(&[("tea", 2, 1250)])).key("once");
        tokio::spawn(call.into_future())
    };
    let answers: Vec<_> =
        join_all((0..64).map(post)).await.into_iter().map(|answer| answer.unwrap().created()).collect();
    let firsts: Vec<_> = answers.iter().filter(|a| a.maybe_header("idempotent-replayed").is_none()).collect();
    assert_eq!(firsts.len(), 1);
    answers
        .iter()
        .filter(|a| a.maybe_header("idempotent-replayed").is_some())
        .for_each(|a| assert_replay(a, firsts[0]));
    assert_eq!(ada.walk("/v1/orders").await.len(), 1);
    assert_eq!(ada.get("/v1/orders/number/1").await.ok().text(), firsts[0].text());
}

#[tokio::test]
async fn every_kind_of_write_is_replayed_even_after_a_restart() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    let order = manager.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("create").await.created();
    let path = |rest: &str| format!("/v1/orders/{}{rest}", order.id());
    let pending = manager.pays(&order.id(), json!({"amount": 900, "status": "pending"})).await.created();
    let resolve = format!("/v1/transactions/{}", pending.id());
    let user = json!({"email": "new@example.com", "name": "New", "role": "staff", "password": "another long phrase"});
    let calls = || {
        [
            manager.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("create"),
            manager.patch(&path(""), json!({"note": "a"})).key("patch"),
            manager.patch(&path(""), json!({"note": "a"})).key("patch that changes nothing".replace(' ', "-").as_str()),
            manager.patch(&resolve, json!({"status": "succeeded"})).key("resolve"),
            manager.post(&path("/payments"), json!({"amount": 100})).key("pay"),
            manager.post(&path("/refunds"), json!({"amount": 50})).key("refund"),
            manager.post(&path("/confirm"), json!({})).key("confirm"),
            manager.post(&path("/cancel"), json!({"refund": "full"})).key("cancel"),
            manager.post(&path("/cancel"), json!({"refund": "full"})).key("cancel-again"),
            admin.post("/v1/users", user.clone()).key("user"),
        ]
    };
    let mut firsts = vec![];
    for call in calls() {
        let answer = call.await;
        assert!(answer.code() < 300, "{answer}");
        firsts.push(answer);
    }
    firsts[0] = order.clone();
    let before = manager.get(&path("")).await.ok();
    for _ in 0..2 {
        for (call, first) in calls().into_iter().zip(&firsts) {
            assert_replay(&call.await, first);
        }
        service.reopen().await;
    }
    assert_eq!(manager.get(&path("")).await.ok().text(), before.text());
    assert_eq!(manager.walk("/v1/orders").await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let body = order_of(&[("tea", 1, 1000)]);
    let order = staff.post("/v1/orders", body.clone()).key("k").await.created();
    let other_path = format!("/v1/orders/{}/payments", order.id());
    for call in [
        staff.post("/v1/orders", order_of(&[("tea", 2, 1000)])),
        staff.post("/v1/orders", with(body.clone(), "note", json!(null))),
        staff.post(&other_path, json!({"amount": 1})),
        staff.patch(&format!("/v1/orders/{}", order.id()), json!({})),
        staff.post(&format!("/v1/orders/{}/confirm", order.id()), json!({})),
    ] {
        call.key("k").await.status(422).problem("idempotency_key_reused");
    }
    assert_eq!(staff.walk("/v1/orders").await.len(), 1);
}

#[tokio::test]
async fn the_order_of_members_and_white_space_do_not_matter() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let texts = [
        r#"{"currency":"EUR","items":[{"sku":"a","name":"b","quantity":1,"unit_amount":5}]}"#,
        "{ \"items\" : [ {\"unit_amount\": 5, \"quantity\": 1,\n\"name\": \"\\u0062\", \"sku\": \"a\"} ], \"currency\" : \"EUR\" }",
        r#"{"currency":"EUR","items":[{"sku":"a","name":"b","quantity":1.0,"unit_amount":5e0}]}"#,
    ];
    let send = |text: &str| staff.post("/v1/orders", json!({})).body("application/json", text.to_owned()).key("k");
    let first = send(texts[0]).await.created();
    for text in texts {
        assert_replay(&send(text).await, &first);
    }
}

#[tokio::test]
async fn a_key_may_be_quoted_and_belongs_to_its_caller() {
    let service = Service::start().await;
    let (ada, other) = (service.customer().await, service.other_customer().await);
    let body = order_of(&[("tea", 1, 1000)]);
    let first = ada.post("/v1/orders", body.clone()).key("abc").await.created();
    assert_replay(&ada.post("/v1/orders", body.clone()).key("\"abc\"").await, &first);
    assert_ne!(other.post("/v1/orders", body.clone()).key("abc").await.created().id(), first.id());
    assert_ne!(ada.post("/v1/orders", body.clone()).key("ABC").await.created().id(), first.id());
    for key in ["", "\"\"", "a b", "\"abc", "a\tb", "ä", &"k".repeat(256)] {
        let answer = ada.post("/v1/orders", body.clone()).key(key).await;
        assert_eq!(answer.code(), 400, "{key:?}: {answer}");
        answer.problem("invalid_idempotency_key");
    }
    ada.post("/v1/orders", body).key(&"k".repeat(255)).await.created();
}

#[tokio::test]
async fn a_failed_request_does_not_use_up_its_key() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let id = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let refund = |amount: i64| manager.post(&format!("/v1/orders/{id}/refunds"), json!({"amount": amount})).key("k");
    refund(10).await.status(422).problem("refund_exceeds_paid");
    refund(0).await.status(422).problem("validation_failed");
    manager.pays(&id, json!({"amount": 100})).await.created();
    let first = refund(10).await.created();
    assert_replay(&refund(10).await, &first);
}

#[tokio::test]
async fn a_caller_without_the_right_gets_no_replay() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let order = ada.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let confirm = format!("/v1/orders/{order}/confirm");
    ada.post(&confirm, json!({})).key("k").await.status(403).problem("forbidden");
    service.anonymous().post("/v1/orders", json!({})).key("k").await.status(401);
}

#[tokio::test]
async fn the_owner_of_a_key_can_look_it_up() {
    let service = Service::start().await;
    let (ada, other) = (service.customer().await, service.other_customer().await);
    let order = ada.post("/v1/orders", order_of(&[("tea", 1, 100)])).key("a/b c%".replace(' ', "-").as_str()).await;
    let path = format!("/v1/orders/{}", order.created().id());
    let found = ada.get("/v1/idempotency-keys/a%2Fb-c%25").await.ok();
    let expected = json!({
        "key": "a/b-c%", "method": "POST", "path": "/v1/orders", "status": 201,
        "created_at": "2026-06-15T12:00:00.000Z", "resource": path,
    });
    assert_eq!(*found.json(), expected);
    ada.patch(&path, json!({"note": "n"})).key("patch").await.ok();
    let found = ada.get("/v1/idempotency-keys/patch").await.ok();
    assert_eq!((&found["method"], &found["path"], &found["resource"]), (&json!("PATCH"), &json!(path), &json!(null)));
    other.get("/v1/idempotency-keys/patch").await.status(404).problem("not_found");
    ada.get("/v1/idempotency-keys/never").await.status(404).problem("not_found");
    service.anonymous().get("/v1/idempotency-keys/patch").await.status(401);
}

#[tokio::test]
async fn a_key_is_free_again_after_its_retention() {
    let service = Service::with(&[("idempotency.retention", "24h")]).await;
    let staff = service.staff().await;
    let post = |amount| staff.post("/v1/orders", order_of(&[("tea", 1, amount)])).key("k");
    let first = post(1).await.created();
    service.pass(std::time::Duration::from_hours(24));
    assert_replay(&post(1).await, &first);
    service.pass(std::time::Duration::from_millis(1));
    staff.get("/v1/idempotency-keys/k").await.status(404);
    let second = post(2).await.created();
    assert_ne!(second.id(), first.id());
    assert_replay(&post(2).await, &second);
    post(1).await.status(422).problem("idempotency_key_reused");
}

#[tokio::test]
async fn an_erasure_takes_effect_once_and_is_replayed_without_a_document() {
    let service = Service::start().await;
    let (admin, manager, ada) = (service.admin().await, service.manager().await, service.customer().await);
    let order =
        async || manager.places(with(order_of(&[("tea", 1, 100)]), "note", json!("planted"))).await.created().id();
    let (erased, kept) = (order().await, order().await);
    let note = async |order: &str| manager.get(&format!("/v1/orders/{order}")).await.ok()["note"].clone();
    let erase_order = || admin.post(&format!("/v1/orders/{erased}/erase"), json!({}));
    let erase_user = || admin.post(&format!("/v1/users/{}/erase", ada.id), json!({}));
    let first_order = erase_order().key("order").await.no_content();
    let first_user = erase_user().key("user").await.no_content();
    manager.patch(&format!("/v1/orders/{erased}"), json!({"note": "added later"})).await.ok();
    for _ in 0..2 {
        for (again, first) in [
            (erase_order().key("order").await.no_content(), &first_order),
            (erase_order().key("order").body("application/json", String::new()).await.no_content(), &first_order),
            (erase_user().key("\"user\"").await.no_content(), &first_user),
        ] {
            assert_replay(&again, first);
            assert_eq!(again.maybe_header("content-type"), None);
        }
        assert_eq!(note(&erased).await, "added later", "a replay erases nothing");
        service.reopen().await;
    }
    let found = admin.get("/v1/idempotency-keys/user").await.ok();
    assert_eq!(
        (&found["path"], &found["status"], &found["resource"]),
        (&json!(format!("/v1/users/{}/erase", ada.id)), &json!(204), &json!(null))
    );

    let other_user = service.other_customer().await;
    for path in [format!("/v1/orders/{kept}/erase"), format!("/v1/users/{}/erase", other_user.id)] {
        admin.post(&path, json!({})).key("order").await.status(422).problem("idempotency_key_reused");
        admin.post(&path, json!({})).key("a b").await.status(400).problem("invalid_idempotency_key");
        manager.post(&path, json!({})).key("order").await.status(403).problem("forbidden");
    }
    assert_eq!(note(&kept).await, "planted");
    assert_eq!(other_user.get("/v1/auth/me").await.ok()["id"], json!(other_user.id));
    erase_order().key("again").await.no_content();
    assert_eq!(note(&erased).await, json!(null), "another key erases again");
    let list = std::fs::read_to_string(format!("{}.erasures", service.path().display())).unwrap();
    let listed: Vec<_> = list.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(listed, [&erased, &ada.id, &erased], "what was refused or replayed is not on the list");
}

#[tokio::test]
async fn the_last_administrator_is_neither_erased_nor_listed() {
    let service = Service::start().await;
    let admin = service.admin().await;
    admin.put("/v1/roles/privacy", json!({"permissions": ["personal_data:erase"]})).await.created();
    let body = json!({"email": "p@example.com", "name": "P", "role": "privacy", "password": crate::support::PASSWORD});
    admin.post("/v1/users", body).await.created();
    let officer = service.anonymous().log_in("p@example.com", crate::support::PASSWORD).await;
    let erase = || officer.post(&format!("/v1/users/{}/erase", admin.id), json!({})).key("k");
    erase().await.status(409).problem("last_admin");
    admin.get("/v1/auth/me").await.ok();
    assert!(!std::path::Path::new(&format!("{}.erasures", service.path().display())).exists());
    let second =
        json!({"email": "second@example.com", "name": "S", "role": "admin", "password": crate::support::PASSWORD});
    admin.post("/v1/users", second).await.created();
    erase().await.no_content();
    assert_eq!(erase().await.no_content().header("idempotent-replayed"), "true");
}
