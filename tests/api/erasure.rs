//! Personal data is erased everywhere, and the rest stays as it was.

use crate::support::{Client, PASSWORD, Service, order_of, with};
use orderd::store::{Store, verify};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// What must not be left of the customer.
pub const PLANTED: [&str; 6] =
    ["Rosalind Planted", "rosalind@planted.example", "+44 700 900123", "7 Planted Lane", "ring twice", "double charge"];

pub fn personal_order() -> Value {
    let mut body = order_of(&[("tea", 2, 1250)]);
    body["customer"] = json!({"name": PLANTED[0], "email": PLANTED[1], "phone": PLANTED[2], "address": PLANTED[3]});
    body["note"] = PLANTED[4].into();
    body["metadata"] = json!({"customer": "null", "note": "\"note\":null"});
    body
}

/// Places an order, and pays, refunds and cancels it.
async fn story(manager: &Client) -> String {
    let order = manager.post("/v1/orders", personal_order()).key("create").await.created().id();
    let path = format!("/v1/orders/{order}");
    manager.patch(&path, json!({"customer": {"phone": "+44 700 900124"}})).key("patch").await.ok();
    manager.pays(&order, json!({"amount": 2500, "reason": PLANTED[5]})).await.created();
    manager.patch(&path, json!({"note": PLANTED[4]})).key("unchanged").await.ok();
    let cancel = json!({"reason": "changed by Rosalind Planted", "refund": "full"});
    manager.post(&format!("{path}/cancel"), cancel).key("cancel").await.ok();
    order
}

/// The names of the planted texts in the file and its log.
pub fn found(path: &Path, texts: &[&'static str]) -> Vec<&'static str> {
    let read = |suffix: &str| fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
    let bytes = [read(""), read("-wal")].concat();
    let is_there = |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    texts.iter().copied().filter(is_there).collect()
}

fn assert_sound(service: &Service) {
    let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter(|check| check.fault.is_some()).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

/// Every answer that shows the order.
async fn answers(admin: &Client, order: &str) -> Vec<String> {
    let mut all = vec![];
    for path in [
        format!("/v1/orders/{order}"),
        format!("/v1/orders/{order}/events"),
        format!("/v1/orders/{order}/transactions"),
        "/v1/events?after=0".to_owned(),
        "/v1/orders".to_owned(),
    ] {
        all.push(admin.get(&path).await.ok().text().to_owned());
    }
    all
}

#[tokio::test]
async fn an_erased_order_keeps_everything_but_its_personal_data() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    let order = story(&manager).await;
    let before = admin.get(&format!("/v1/orders/{order}")).await.ok();
    let events = admin.get(&format!("/v1/orders/{order}/events")).await.ok();
    assert!(events.text().contains("+44 700 900123") && events.text().contains("double charge"));
    let replay = manager.post("/v1/orders", personal_order()).key("create").await.created();
    assert_eq!(replay.json(), &events["data"][0]["data"]);
    assert!(!found(&service.path(), &PLANTED).is_empty() && service.app().document_cache.count() > 0);
    assert_sound(&service);

    admin.post(&format!("/v1/orders/{order}/erase"), json!({})).await.no_content();
    assert_eq!(found(&service.path(), &PLANTED), [""; 0], "in the file or its log");
    assert_eq!(service.app().document_cache.count(), 0);
    for answer in answers(&admin, &order).await {
        let left: Vec<_> = PLANTED.iter().filter(|text| answer.contains(**text)).collect();
        assert!(left.is_empty(), "{left:?} in {answer}");
    }
    let after = admin.get(&format!("/v1/orders/{order}")).await.ok();
    for (field, value) in before.json().as_object().unwrap() {
        match field.as_str() {
            "customer" | "note" | "cancel_reason" => assert!(after[field].is_null() && !value.is_null(), "{field}"),
            "version" => assert_eq!(after[field], value.as_i64().unwrap() + 1),
            "updated_at" => {}
            _ => assert_eq!(after[field], *value, "{field}"),
        }
    }
    let erased = admin.get(&format!("/v1/orders/{order}/events")).await.ok();
    let last = erased["data"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["data"]), (&json!("order.erased"), after.json()));
    let entry = admin.get("/v1/audit?action=orders.erase").await.ok();
    assert_eq!((&entry["data"][0]["target"], &entry["data"][0]["changes"]), (&json!(order), &json!({})));

    for (again, key) in [
        (manager.post("/v1/orders", personal_order()).key("create").await.created(), "create"),
        (
            manager.patch(&format!("/v1/orders/{order}"), json!({"note": PLANTED[4]})).key("unchanged").await.ok(),
            "unchanged",
        ),
    ] {
        assert_eq!(again.header("idempotent-replayed"), "true", "{key}");
        assert_eq!((&again["customer"], &again["note"]), (&Value::Null, &Value::Null), "{key}");
    }
    assert_sound(&service);
    assert_eq!(admin.get("/v1/analytics/reconcile").await.ok()["ok"], true);

    admin.post(&format!("/v1/orders/{order}/erase"), json!({})).await.no_content();
    assert_eq!(admin.get(&format!("/v1/orders/{order}")).await.ok().json(), after.json(), "erased already");
    service.reopen().await;
    assert_eq!(admin.get(&format!("/v1/orders/{order}")).await.ok().json(), after.json());
    assert_sound(&service);
}

#[tokio::test]
async fn what_is_added_after_an_erasure_can_be_erased_again() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    let order = story(&manager).await;
    let erase = || admin.post(&format!("/v1/orders/{order}/erase"), json!({}));
    erase().await.no_content();
    let changed = manager.patch(&format!("/v1/orders/{order}"), json!({"note": "for Rosalind Planted"})).await.ok();
    assert_eq!(changed["note"], "for Rosalind Planted");
    assert_sound(&service);
    erase().await.no_content();
    assert_eq!(found(&service.path(), &PLANTED), [""; 0]);
    let after = admin.get(&format!("/v1/orders/{order}")).await.ok();
    assert_eq!((&after["note"], &after["version"]), (&Value::Null, &json!(changed["version"].as_i64().unwrap() + 1)));
    assert_sound(&service);
}

#[tokio::test]
async fn an_erased_user_is_gone_with_all_their_orders() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let planted = ["Grace Planted", "grace@planted.example", "203.0.113.77", "PlantedBrowser/7", "Gracia Planted"];
    let new = json!({"email": planted[1], "name": planted[0], "role": "customer", "password": PASSWORD});
    let id = admin.post("/v1/users", new.clone()).key("new").await.created().id();
    let log_in = || {
        let body = json!({"email": planted[1], "password": PASSWORD});
        service.anonymous().post("/v1/auth/login", body).from(planted[2]).header("user-agent", planted[3])
    };
    let wrong = json!({"email": planted[1], "password": "another long phrase"});
    service.anonymous().post("/v1/auth/login", wrong).from(planted[2]).await.problem("invalid_credentials");
    let session = log_in().await.ok();
    let grace = service.anonymous().bearing(session["access_token"].as_str().unwrap());
    grace.patch(&format!("/v1/users/{id}"), json!({"name": planted[4]})).await.ok();
    let order = grace.post("/v1/orders", personal_order()).key("create").await.created().id();
    assert!(admin.get("/v1/audit").await.ok().text().contains("203.0.113.77"));
    assert!(found(&service.path(), &planted).len() == planted.len());
    assert_sound(&service);

    let path = format!("/v1/users/{id}");
    service.manager().await.post(&format!("{path}/erase"), json!({})).await.problem("forbidden");
    admin.post(&format!("/v1/users/{}/erase", admin.id), json!({})).await.problem("forbidden");
    admin.post(&format!("{path}/erase"), json!({})).await.no_content();
    let user = admin.get(&path).await.ok();
    assert_eq!(
        (&user["email"], &user["name"], &user["status"], &user["role"]),
        (&Value::Null, &Value::Null, &json!("disabled"), &json!("customer"))
    );
    assert_eq!(found(&service.path(), &[&planted[..], &PLANTED[..]].concat()), [""; 0]);
    for answer in answers(&admin, &order).await.iter().chain([&admin.get("/v1/audit").await.ok().text().to_owned()]) {
        let left: Vec<_> = planted.iter().chain(&PLANTED).filter(|text| answer.contains(**text)).collect();
        assert!(left.is_empty(), "{left:?} in {answer}");
    }
    grace.get("/v1/auth/me").await.problem("unauthenticated");
    log_in().await.problem("invalid_credentials");
    let again = admin.post("/v1/users", new.clone()).key("new").await.created();
    assert_eq!(
        (again["id"].as_str(), &again["email"], &again["name"]),
        (Some(id.as_str()), &Value::Null, &Value::Null)
    );
    let freed = admin.post("/v1/users", new).key("newer").await.created().id();
    assert_ne!(freed, id, "the address is free again");
    assert_sound(&service);

    let entries = admin.get("/v1/audit?action=users.erase&outcome=success").await.ok();
    assert_eq!(entries["data"].as_array().unwrap().len(), 1);
    admin.post(&format!("{path}/erase"), json!({})).await.no_content();
    assert_eq!(
        admin.get("/v1/audit?action=users.erase&outcome=success").await.ok()["data"],
        entries["data"],
        "erased already"
    );
    admin.post("/v1/users/usr_01h455vb4pex5vsknk084sn02q/erase", json!({})).await.problem("not_found");
    admin.post("/v1/orders/ord_01h455vb4pex5vsknk084sn02q/erase", json!({})).await.problem("not_found");
}

#[tokio::test]
async fn nothing_brings_an_erased_user_back() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let new = json!({"email": PLANTED[1], "name": PLANTED[0], "password": PASSWORD, "role": "staff"});
    let id = admin.post("/v1/users", new).await.created().id();
    let path = format!("/v1/users/{id}");
    admin.post(&format!("{path}/erase"), json!({})).await.status(204);
    for change in [
        json!({"name": "Rosa"}),
        json!({"email": "rosa@planted.example"}),
        json!({"email": "rosa@planted.example", "name": "Rosa"}),
        json!({"status": "active"}),
        json!({"password": PASSWORD}),
        json!({"role": "manager"}),
    ] {
        admin.patch(&path, change).await.status(409).problem("user_erased");
    }
    admin.post(&format!("{path}/reset"), json!({})).await.status(409).problem("user_erased");
    let of_user = |body| with(body, "user_id", id.as_str());
    let order = admin.places(of_user(order_of(&[("tea", 1, 100)]))).await;
    order.status(422).faults(&[("#/user_id", "unknown")]);
    let nobodys = with(order_of(&[("tea", 1, 100)]), "user_id", json!(null));
    let order = admin.places(nobodys).await.created().id();
    let given = admin.patch(&format!("/v1/orders/{order}"), of_user(json!({}))).await;
    given.status(422).faults(&[("#/user_id", "unknown")]);
    admin.post(&format!("{path}/erase"), json!({})).await.status(204);
    let user = admin.get(&path).await.ok();
    assert_eq!((&user["email"], &user["status"]), (&json!(null), &json!("disabled")));
    admin.get("/v1/users").await.ok();
    assert_sound(&service);
}

#[tokio::test]
async fn data_that_was_lost_is_told_from_data_that_was_erased() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    let (erased, lost) = (story(&manager).await, manager.places(personal_order()).await.created().id());
    admin.post(&format!("/v1/orders/{erased}/erase"), json!({})).await.no_content();
    service.stop().await;
    assert_sound(&service);
    let raw = Connection::open(service.path()).unwrap();
    raw.execute(
        "UPDATE personal SET salt = zeroblob(16), content = printf('%*s', length(CAST(content AS BLOB)), '')
         WHERE seq = (SELECT max(personal_seq) FROM events)",
        [],
    )
    .unwrap();
    let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter_map(|check| check.fault.as_deref()).collect();
    assert!(faults.len() == 1 && faults[0].contains("of an order that was not erased"), "{lost}: {faults:?}");
}

#[tokio::test]
async fn orders_that_ended_long_ago_are_erased_when_configured() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    let old = story(&manager).await;
    let open = manager.places(personal_order()).await.created().id();
    service.stop().await;
    service.open_with(&[("privacy.erase_after", "30d")]);
    orderd::service::erasure::due_orders(&service.app()).await.unwrap();
    assert!(!admin.get(&format!("/v1/orders/{old}")).await.ok()["customer"].is_null());
    service.at("2026-07-16T12:00:01.000Z");
    let admin = service.anonymous().log_in("admin@example.com", PASSWORD).await;
    orderd::service::erasure::due_orders(&service.app()).await.unwrap();
    assert!(admin.get(&format!("/v1/orders/{old}")).await.ok()["customer"].is_null());
    assert!(!admin.get(&format!("/v1/orders/{open}")).await.ok()["customer"].is_null(), "it has not ended");
    let list = fs::read_to_string(format!("{}.erasures", service.path().display())).unwrap();
    assert_eq!(list.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), [old]);
    assert_sound(&service);
}

#[tokio::test]
async fn an_account_with_many_orders_is_erased_in_several_transactions() {
    let service = Service::with(&[("limits.requests_per_minute", "0")]).await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    for _ in 0..120 {
        ada.places(personal_order()).await.created();
    }
    let path = format!("/v1/users/{}/erase", ada.id);
    let erase = |key: &str| admin.post(&path, json!({})).key(key);
    let (first, second) = tokio::join!(erase("one").into_future(), erase("two").into_future());
    first.no_content();
    second.no_content();
    assert_eq!(found(&service.path(), &PLANTED), [""; 0]);
    let orders = admin.walk(&format!("/v1/orders?user_id={}", ada.id)).await;
    assert_eq!(orders.len(), 120);
    assert!(orders.iter().all(|order| order["customer"].is_null() && order["version"] == 2), "each is erased once");
    let entry = admin.get("/v1/audit?action=users.erase&outcome=success").await.ok();
    assert_eq!((entry["data"].as_array().unwrap().len(), &entry["data"][0]["changes"]["orders"]), (1, &json!(120)));
    assert_eq!(erase("one").await.no_content().header("idempotent-replayed"), "true");
    let raw = Connection::open(service.path()).unwrap();
    let left: i64 = raw.query_row("SELECT count(*) FROM unfinished_erasures", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    assert_sound(&service);
}
