//! API keys: their permissions, their owners and their end.

use crate::support::{Answer, Client, Service};
use orderd::service::api_keys;
use serde_json::{Value, json};
use std::time::Duration;

async fn create_key(creator: &Client, permissions: &[&str]) -> Answer {
    creator.post("/v1/api-keys", json!({"name": "export", "permissions": permissions})).await.status(201)
}

fn client_with(any: &Client, key: &Answer) -> Client {
    any.bearing(key["secret"].as_str().unwrap())
}

#[tokio::test]
async fn a_secret_is_shown_once_and_later_only_its_prefix() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let key = create_key(&admin, &["orders:read", "analytics:read"]).await;
    let secret = key["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("ork_") && secret.starts_with(key["prefix"].as_str().unwrap()));
    let mut expected = key.json().clone();
    expected.as_object_mut().unwrap().remove("secret");
    let plain = json!({"id": key.id(), "name": "export", "prefix": key["prefix"],
        "permissions": ["orders:read", "analytics:read"], "created_by": admin.id,
        "created_at": "2026-06-15T12:00:00.000Z", "expires_at": null, "last_used_at": null});
    assert_eq!(expected, plain);
    let listed = admin.get("/v1/api-keys").await.ok();
    assert_eq!(listed["data"], json!([plain]));
    assert!(!listed.text().contains(&secret));

    let program = client_with(&admin, &key);
    service.pass(Duration::from_mins(1));
    let me = program.get("/v1/auth/me").await.ok();
    let mut used = plain.clone();
    used["last_used_at"] = "2026-06-15T12:01:00.000Z".into();
    let expected = json!({"kind": "api_key", "id": key.id(), "user": null, "api_key": used, "role": null,
        "permissions": ["orders:read", "analytics:read"]});
    assert_eq!(me.json(), &expected);
    program.get("/v1/orders").await.ok();
    program.get("/v1/users").await.status(403).problem("forbidden");
    program.post("/v1/auth/logout", json!({})).await.status(403).problem("forbidden");
    let body = json!({"current_password": "x", "new_password": "quite another private phrase"});
    program.post("/v1/auth/password", body).await.status(403).problem("forbidden");
}

#[tokio::test]
async fn the_last_use_of_a_key_survives_a_restart() {
    let service = Service::start().await;
    let admin = service.admin().await;
    client_with(&admin, &create_key(&admin, &["orders:read"]).await).get("/v1/orders").await.ok();
    api_keys::keep_last_use(&service.app()).await.unwrap();
    service.reopen().await;
    assert_eq!(admin.get("/v1/api-keys").await.ok()["data"][0]["last_used_at"], "2026-06-15T12:00:00.000Z");
}

#[tokio::test]
async fn a_key_may_do_only_what_its_owner_still_may() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let second = service.person("second", "admin").await;
    let program = client_with(&second, &create_key(&second, &["orders:read", "users:read"]).await);
    program.get("/v1/users").await.ok();
    admin.patch(&format!("/v1/users/{}", second.id), json!({"role": "analyst"})).await.ok();
    program.get("/v1/users").await.status(403);
    program.get("/v1/orders").await.ok();
    admin.patch(&format!("/v1/users/{}", second.id), json!({"status": "disabled"})).await.ok();
    program.get("/v1/orders").await.status(401).problem("unauthenticated");
    service.reopen().await;
    program.get("/v1/orders").await.status(401);
    admin.patch(&format!("/v1/users/{}", second.id), json!({"status": "active"})).await.ok();
    program.get("/v1/orders").await.ok();
}

#[tokio::test]
async fn revoked_and_expired_keys_are_refused() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let key = create_key(&admin, &["orders:read"]).await;
    let program = client_with(&admin, &key);
    admin.delete(&format!("/v1/api-keys/{}", key.id())).await.no_content();
    program.get("/v1/orders").await.status(401).problem("unauthenticated");
    admin.delete(&format!("/v1/api-keys/{}", key.id())).await.status(404);

    let body = |at: &str| json!({"name": "brief", "permissions": ["orders:read"], "expires_at": at});
    let brief = admin.post("/v1/api-keys", body("2026-06-15T14:00:00+02:00")).await;
    brief.status(422).faults(&[("#/expires_at", "too_small")]);
    let brief = admin.post("/v1/api-keys", body("2026-06-15T14:01:00+02:00")).await.status(201);
    assert_eq!(brief["expires_at"], "2026-06-15T12:01:00.000Z");
    let program = client_with(&admin, &brief);
    program.get("/v1/orders").await.ok();
    service.pass(Duration::from_mins(1));
    program.get("/v1/orders").await.status(401);
}

#[tokio::test]
async fn a_key_has_no_permission_that_its_creator_lacks() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let body = |permissions: &[&str]| json!({"name": "k", "permissions": permissions});
    admin.put("/v1/roles/creator", json!({"permissions": ["api_keys:write", "orders:read"]})).await.created();
    let creator = service.person("creator", "creator").await;
    creator.post("/v1/api-keys", body(&["users:read"])).await.status(403).problem("permission_not_held");
    let own = admin.post("/v1/api-keys", body(&["orders:read", "orders:read_own"])).await.status(422);
    own.faults(&[("#/permissions/1", "invalid_value")]);
    admin.post("/v1/api-keys", body(&["orders:burn"])).await.status(422);
    service.manager().await.post("/v1/api-keys", body(&["orders:read"])).await.status(403).problem("forbidden");

    let factory = client_with(&admin, &create_key(&admin, &["api_keys:write", "orders:read"]).await);
    factory.post("/v1/api-keys", body(&["users:read"])).await.status(403).problem("permission_not_held");
    let child = factory.post("/v1/api-keys", body(&["orders:read"])).await.status(201);
    assert_eq!(child["created_by"], admin.id);
}

#[tokio::test]
async fn a_key_counts_as_its_owner_where_users_may_not_change_themselves() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let program = client_with(&admin, &create_key(&admin, &["users:read", "users:write"]).await);
    let path = format!("/v1/users/{}", admin.id);
    program.patch(&path, json!({"role": "staff"})).await.status(403).problem("own_role_or_status");
    // It lacks most permissions of an administrator, so it may not set the password of one either.
    let second = service.person("second", "admin").await;
    let body = json!({"password": "quite another private phrase"});
    program.patch(&format!("/v1/users/{}", second.id), body).await.status(403).problem("permission_not_held");
}

#[tokio::test]
async fn keys_are_listed_newest_first() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let mut ids: Vec<Value> = vec![];
    for _ in 0..3 {
        ids.insert(0, create_key(&admin, &["orders:read"]).await["id"].clone());
    }
    let listed = admin.walk("/v1/api-keys?limit=1").await;
    assert_eq!(listed.iter().map(|key| key["id"].clone()).collect::<Vec<_>>(), ids);
    assert_eq!(admin.get("/v1/api-keys?count=true&limit=2").await.ok()["page"]["total"], 3);
}
