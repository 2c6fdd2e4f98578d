//! Endpoints over the API: who may have them, which URLs they may have, and what is shown of them.

use crate::support::{Answer, Service};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_endpoint_shows_its_secret_once() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let body = json!({"url": "https://Example.com/hook?a=b", "events": ["order.placed", "order.created"], "description": "Stock"});
    let created = manager.post("/v1/webhooks", body).await.created();
    assert_eq!(created.header("location"), format!("/v1/webhooks/{}", created.id()));
    assert!(created.id().starts_with("whk_"));
    let read = manager.get(&format!("/v1/webhooks/{}", created.id())).await.ok();
    let mut expected = created.json().clone();
    let secret = expected.as_object_mut().unwrap().remove("secret").unwrap();
    assert_eq!(read.json(), &expected);
    assert_eq!(read["url"], "https://example.com/hook?a=b");
    assert_eq!(read["events"], json!(["order.created", "order.placed"]));
    assert_eq!((&read["status"], &read["disabled_reason"]), (&json!("active"), &Value::Null));
    assert_eq!(manager.get("/v1/webhooks").await.ok()["data"], json!([expected]));
    let trail = service.admin().await.get("/v1/audit").await.ok();
    let secret = secret.as_str().unwrap();
    assert!(!trail.json().to_string().contains(&secret[6..]));
    service.stop().await;
    let file = std::fs::read(service.path()).unwrap();
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &secret[6..]).unwrap();
    assert!(!file.windows(key.len()).any(|part| part == key), "the file does not have the secret");
    service.open();
}

#[tokio::test]
async fn an_endpoint_is_changed_by_a_merge_patch() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let body = json!({"url": "https://example.com/a", "events": ["order.placed"], "description": "Stock"});
    let path = format!("/v1/webhooks/{}", admin.post("/v1/webhooks", body).await.created().id());
    let changed = admin.patch(&path, json!({"events": null, "description": null})).await.ok();
    assert_eq!((&changed["events"], &changed["description"]), (&Value::Null, &Value::Null));
    let changed = admin.patch(&path, json!({"url": "https://example.com/b", "status": "disabled"})).await.ok();
    assert_eq!((&changed["url"], &changed["status"]), (&json!("https://example.com/b"), &json!("disabled")));
    for action in ["/ping", "/replay"] {
        let body = if action == "/replay" { json!({"after": 0}) } else { json!({}) };
        admin.post(&format!("{path}{action}"), body).await.status(409).problem("webhook_disabled");
    }
    let actions: Vec<_> = admin.get("/v1/audit").await.ok()["data"].as_array().unwrap().clone();
    let of_webhooks = actions.iter().filter(|entry| entry["action"].as_str().unwrap().starts_with("webhooks."));
    assert_eq!(of_webhooks.count(), 3, "{actions:?}");
}

#[track_caller]
fn at_the_url(answer: &Answer) {
    assert_eq!(answer["errors"][0]["pointer"], "#/url", "{answer}");
}

#[tokio::test]
async fn urls_that_may_not_be_used_are_refused() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let too_long = format!("https://example.com/{}", "a".repeat(2_048));
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "example.com",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://example.com/#part",
        "https://",
        &too_long,
    ] {
        at_the_url(&admin.post("/v1/webhooks", json!({"url": url})).await.status(422));
    }
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::127.0.0.1]",
    ] {
        let url = format!("https://{host}/");
        at_the_url(&admin.post("/v1/webhooks", json!({"url": url})).await.status(422));
    }
    admin.post("/v1/webhooks", json!({"url": "https://example.com/", "events": []})).await.status(422);
    admin.post("/v1/webhooks", json!({"url": "https://example.com/", "events": ["order.eaten"]})).await.status(422);
    let id = admin.post("/v1/webhooks", json!({"url": "https://8.8.8.8/"})).await.created().id();
    let patch = json!({"url": "https://127.0.0.1/"});
    at_the_url(&admin.patch(&format!("/v1/webhooks/{id}"), patch).await.status(422));
}

#[tokio::test]
async fn endpoints_need_their_permission() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let created = admin.post("/v1/webhooks", json!({"url": "https://example.com/"})).await.created();
    for who in [service.staff().await, service.analyst().await, service.customer().await] {
        who.get("/v1/webhooks").await.status(403);
        who.post("/v1/webhooks", json!({"url": "https://example.com/"})).await.status(403);
        who.delete(&format!("/v1/webhooks/{}", created.id())).await.status(403);
    }
    let key = admin.post("/v1/api-keys", json!({"name": "hooks", "permissions": ["webhooks:write"]})).await.created();
    let program = service.anonymous().bearing(key["secret"].as_str().unwrap());
    program.get("/v1/webhooks").await.ok();
    program.call(Method::POST, &format!("/v1/webhooks/{}/ping", created.id())).await.status(202);
    program.delete(&format!("/v1/webhooks/{}", created.id())).await.no_content();
    program.delete(&format!("/v1/webhooks/{}", created.id())).await.status(404);
    program.get("/v1/webhooks/whk_x").await.status(404);
}

#[tokio::test]
async fn there_are_fifty_endpoints_at_most() {
    let service = Service::start().await;
    let admin = service.admin().await;
    for _ in 0..50 {
        admin.post("/v1/webhooks", json!({"url": "https://example.com/"})).await.created();
    }
    admin.post("/v1/webhooks", json!({"url": "https://example.com/"})).await.status(409).problem("too_many_webhooks");
    assert_eq!(admin.walk("/v1/webhooks?limit=20").await.len(), 50);
    let csv = admin.get("/v1/webhooks").header("accept", "text/csv").await.ok();
    assert_eq!(std::str::from_utf8(csv.bytes()).unwrap().lines().count(), 51);
}
