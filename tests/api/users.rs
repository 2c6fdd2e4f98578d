//! Changing users: what users may change themselves, what needs a permission, and what nobody may change.

use crate::support::{Client, PASSWORD, Service};
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "quite another private phrase";

fn path(of: &Client) -> String {
    format!("/v1/users/{}", of.id)
}

/// A user with a new role of this name with these permissions.
async fn user_with_permissions(service: &Service, name: &str, permissions: &[&str]) -> Client {
    let admin = service.admin().await;
    let body = json!({"permissions": permissions});
    admin.put(&format!("/v1/roles/{name}"), body).await.created();
    service.person(name, name).await
}

#[tokio::test]
async fn users_may_change_their_own_name_and_nothing_else() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let changed = ada.patch(&path(&ada), json!({"name": "Ada Lovelace"})).await.ok();
    assert_eq!(changed["name"], "Ada Lovelace");
    for (body, code) in [
        (json!({"role": "admin"}), "own_role_or_status"),
        (json!({"status": "disabled"}), "own_role_or_status"),
        (json!({"email": "new@example.com"}), "forbidden"),
        (json!({"password": NEW_PASSWORD}), "forbidden"),
        (json!({"name": "Eve", "role": "admin"}), "own_role_or_status"),
    ] {
        ada.patch(&path(&ada), body).await.status(403).problem(code);
    }
    ada.patch(&path(&admin), json!({"name": "Eve"})).await.status(404).problem("not_found");
    service.manager().await.patch(&path(&ada), json!({"name": "Eve"})).await.status(404);
    assert_eq!(admin.get(&path(&ada)).await.ok()["name"], "Ada Lovelace");
}

#[tokio::test]
async fn every_fault_of_a_patch_is_reported() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let body = json!({"email": "nowhere", "role": "king", "password": "short"});
    let faults = [("#/email", "invalid_format"), ("#/role", "unknown"), ("#/password", "too_short")];
    admin.patch(&path(&ada), body.clone()).await.status(422).faults(&faults);
    let mut new = body;
    new["name"] = "Eve".into();
    admin.post("/v1/users", new).await.status(422).faults(&faults);
    let body = json!({"id": ada.id, "created_at": "2026-01-01T00:00:00Z", "name": null, "status": "gone"});
    admin.patch(&path(&ada), body).await.status(422).faults(&[
        ("#/id", "unknown_field"),
        ("#/created_at", "unknown_field"),
        ("#/name", "wrong_type"),
        ("#/status", "invalid_value"),
    ]);
    admin.patch("/v1/users/usr_01h455vb4pex5vsknk084sn02q", json!({"name": "X"})).await.status(404);
    service.staff().await;
    let taken = admin.patch(&path(&ada), json!({"email": "STAFF@example.com"})).await;
    taken.status(409).problem("email_taken");
}

#[tokio::test]
async fn a_changed_role_applies_at_once_and_keeps_the_session() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    ada.get("/v1/users").await.status(403);
    admin.patch(&path(&ada), json!({"role": "manager"})).await.ok();
    ada.get("/v1/users").await.ok();
    admin.patch(&path(&ada), json!({"role": "customer"})).await.ok();
    ada.get("/v1/users").await.status(403);
    assert_eq!(ada.get("/v1/auth/me").await.ok()["role"], "customer");
}

#[tokio::test]
async fn a_disabled_user_is_refused_at_once_and_must_log_in_again() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    admin.patch(&path(&ada), json!({"status": "disabled"})).await.ok();
    ada.get("/v1/auth/me").await.status(401).problem("unauthenticated");
    let anonymous = service.anonymous();
    let refresh = json!({"refresh_token": ada.session["refresh_token"]});
    anonymous.post("/v1/auth/refresh", refresh.clone()).await.status(401);
    let login = || anonymous.post("/v1/auth/login", json!({"email": "customer@example.com", "password": PASSWORD}));
    login().await.status(401).problem("invalid_credentials");
    admin.patch(&path(&ada), json!({"status": "active"})).await.ok();
    ada.get("/v1/auth/me").await.status(401);
    anonymous.post("/v1/auth/refresh", refresh).await.status(401);
    login().await.ok();
}

#[tokio::test]
async fn setting_the_password_of_a_user_ends_their_sessions() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let answer = admin.patch(&path(&ada), json!({"password": NEW_PASSWORD})).await.ok();
    assert!(!answer.text().contains("password"));
    ada.get("/v1/auth/me").await.status(401);
    service.anonymous().log_in("customer@example.com", NEW_PASSWORD).await;
}

#[tokio::test]
async fn the_last_active_administrator_cannot_be_removed() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let all = ["users:read", "users:write"];
    let clerk = user_with_permissions(&service, "clerk", &all).await;
    clerk.patch(&path(&admin), json!({"status": "disabled"})).await.status(409).problem("last_admin");
    admin.patch(&path(&admin), json!({"status": "disabled"})).await.status(403).problem("own_role_or_status");
    admin.patch(&path(&admin), json!({"role": "customer"})).await.status(403).problem("own_role_or_status");
    let second = service.person("second", "admin").await;
    second.patch(&path(&admin), json!({"role": "staff"})).await.ok();
    clerk.patch(&path(&second), json!({"status": "disabled"})).await.status(409).problem("last_admin");
    admin.get("/v1/users").await.status(403);
}

#[tokio::test]
async fn nobody_grants_permissions_that_they_do_not_hold() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let clerk =
        user_with_permissions(&service, "clerk", &["users:read", "users:write", "roles:write", "orders:read_own"])
            .await;
    let new = |role: &str| json!({"email": "n@example.com", "name": "N", "role": role, "password": PASSWORD});
    clerk.post("/v1/users", new("admin")).await.status(403).problem("permission_not_held");
    clerk.patch(&path(&staff), json!({"role": "analyst"})).await.status(403).problem("permission_not_held");
    clerk
        .put("/v1/roles/clerk", json!({"permissions": ["orders:read"]}))
        .await
        .status(403)
        .problem("permission_not_held");
    clerk.put("/v1/roles/reader", json!({"permissions": ["users:read", "orders:read_own"]})).await.created();
    clerk.post("/v1/users", new("reader")).await.created();
    // Whoever sets the password or address of a user could log in as that user.
    for body in [json!({"password": NEW_PASSWORD}), json!({"email": "mine@example.com"})] {
        clerk.patch(&path(&admin), body.clone()).await.status(403).problem("permission_not_held");
        clerk.patch(&path(&staff), body).await.status(403).problem("permission_not_held");
    }
    clerk.patch(&path(&staff), json!({"name": "Grace"})).await.ok();
}

#[tokio::test]
async fn a_change_repeated_with_its_key_happens_once() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let first = admin.patch(&path(&ada), json!({"name": "Ada", "password": NEW_PASSWORD})).key("k").await.ok();
    let ada_again = service.anonymous().log_in("customer@example.com", NEW_PASSWORD).await;
    let again = admin.patch(&path(&ada), json!({"password": NEW_PASSWORD, "name": "Ada"})).key("k").await.ok();
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), "true"));
    ada_again.get("/v1/auth/me").await.ok();
    let other = admin.patch(&path(&ada), json!({"password": PASSWORD, "name": "Ada"})).key("k").await;
    other.status(422).problem("idempotency_key_reused");
    let nothing = admin.patch(&path(&ada), json!({"name": "Ada"})).await.ok();
    assert_eq!(nothing.text(), first.text(), "an unchanged user keeps its version");
}

#[tokio::test]
async fn lists_are_counted_on_request() {
    let service = Service::start().await;
    let (admin, _, _) = (service.admin().await, service.staff().await, service.customer().await);
    assert_eq!(admin.get("/v1/users?limit=1").await.ok()["page"].get("total"), None::<&Value>);
    assert_eq!(admin.get("/v1/users?limit=1&count=true").await.ok()["page"]["total"], 3);
    admin.get("/v1/users?count=maybe").await.status(400).problem("invalid_parameter");
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_the_next_log_in() {
    use argon2::PasswordHasher;
    use orderd::{domain::id::Identifier, store::users};
    let service = Service::start().await;
    let id = Identifier::parse(&service.customer().await.id).unwrap();
    let stored_hash = || service.app().store.read_blocking("test", |tx| users::password_hash(tx, id)).unwrap().unwrap();
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let old = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x10, params);
    let old = old.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let stored = old.clone();
    service.app().store.write("test", move |tx| users::set_password(tx, id, &stored)).await.unwrap();
    service.anonymous().log_in("customer@example.com", PASSWORD).await;
    let new_hash = stored_hash();
    assert!(old.contains("v=16") && new_hash.contains("v=19"), "{old} {new_hash}");
    service.anonymous().log_in("customer@example.com", PASSWORD).await;
    assert_eq!(stored_hash(), new_hash);
}

#[tokio::test]
async fn lists_of_users_roles_keys_and_audit_entries_are_exported() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let key = json!({"name": "=1+1", "permissions": ["orders:read", "users:read"]});
    admin.post("/v1/api-keys", key).await.status(201);
    let csv = async |path: &str| admin.get(path).header("accept", "text/csv").await.ok().text().to_owned();
    let users = csv("/v1/users").await;
    let lines: Vec<_> = users.split("\r\n").collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (4, "id,email,name,role,status,second_factor,created_at,updated_at,last_login_at")
    );
    assert!(
        lines[1].starts_with(&format!("{},customer@example.com,customer,customer,active,false,2026", ada.id)),
        "{users}"
    );
    assert!(csv("/v1/roles").await.contains("\r\nanalyst,orders:read analytics:read,true\r\n"));
    assert!(csv("/v1/api-keys").await.contains(",'=1+1,ork_"));
    assert!(csv(&format!("/v1/users/{}/sessions", ada.id)).await.ends_with(",192.0.2.1,,false\r\n"));
    assert!(csv("/v1/audit?action=api_keys.create").await.contains(",api_keys.create,key_"));
    let lines = admin.get("/v1/audit").header("accept", "application/x-ndjson").await.ok();
    // The export is in the trail, but not in itself.
    assert_eq!(lines.text().lines().count() + 1, admin.walk("/v1/audit").await.len());
    admin.get("/v1/users?limit=1").header("accept", "text/csv").await.status(400).problem("invalid_parameter");
}

#[tokio::test]
async fn the_events_and_transactions_of_an_order_are_counted_on_request() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let order = admin.places(crate::support::order_of(&[("tea", 2, 1250)])).await.created().id();
    for amount in [100, 200] {
        admin.pays(&order, json!({"amount": amount})).await.created();
    }
    for (list, total) in [("transactions", 2), ("events", 3)] {
        let page = admin.get(&format!("/v1/orders/{order}/{list}?count=true&limit=1")).await.ok();
        assert_eq!(page["page"]["total"], total, "{list}");
    }
}

#[tokio::test]
async fn users_are_found_by_address_role_status_and_text() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let make = async |email: &str, name: &str, role: &str| {
        let body = json!({"email": email, "name": name, "role": role, "password": PASSWORD});
        admin.post("/v1/users", body).await.created().id()
    };
    let grace = make("grace@example.com", "Grace Groß", "staff").await;
    let alan = make("alan@example.org", "Alan", "staff").await;
    admin.patch(&format!("/v1/users/{alan}"), json!({"status": "disabled"})).await.ok();
    for (query, expected) in [
        ("email=GRACE%40Example.com", vec![&grace]),
        ("email=race%40example.com", vec![]),
        ("role=staff", vec![&alan, &grace]),
        ("role=staff&status=active", vec![&grace]),
        ("status=disabled", vec![&alan]),
        ("q=GROSS", vec![&grace]),
        ("q=example.ORG", vec![&alan]),
        ("q=nobody", vec![]),
        ("role=analyst", vec![]),
    ] {
        let found = admin.walk(&format!("/v1/users?limit=1&{query}")).await;
        let ids: Vec<_> = found.iter().map(|user| user["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
        let total = admin.get(&format!("/v1/users?count=true&{query}")).await.ok()["page"]["total"].clone();
        assert_eq!(total, expected.len(), "{query}");
    }
    let answer = admin.get("/v1/users?role=chef&status=gone&email=nobody").await.status(400);
    answer.problem("invalid_parameter").faults(&[("status", "invalid_value")]);
    let answer = admin.get("/v1/users?role=chef&email=nobody").await.status(400);
    answer.problem("invalid_parameter").faults(&[("role", "unknown"), ("email", "invalid_format")]);
    // A user who has not logged in yet, and the same user after it.
    let path = format!("/v1/users/{grace}");
    assert_eq!(admin.get(&path).await.ok()["last_login_at"], Value::Null);
    service.anonymous().log_in("grace@example.com", PASSWORD).await;
    let user = admin.get(&path).await.ok();
    assert_eq!(
        (&user["last_login_at"], &user["updated_at"]),
        (&json!("2026-06-15T12:00:00.000Z"), &user["created_at"])
    );
}
