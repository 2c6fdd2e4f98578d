//! The audit trail: it contains every change of access and money, and no secrets.

use crate::support::{PASSWORD, Service, order_of};
use orderd::store::{Store, audit};
use serde_json::{Value, json};
use std::time::Duration;

fn actions(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_change_of_access_or_money_is_recorded() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let path = format!("/v1/users/{}", ada.id);
    admin.patch(&path, json!({"role": "staff"})).await.ok();
    admin.put("/v1/roles/night", json!({"permissions": ["orders:read"]})).await.created();
    admin.delete("/v1/roles/night").await.no_content();
    let key = admin.post("/v1/api-keys", json!({"name": "k", "permissions": ["orders:read"]})).await.status(201);
    admin.delete(&format!("/v1/api-keys/{}", key.id())).await.no_content();
    let order = admin.places(order_of(&[("tea", 2, 1250)])).await.created().id();
    admin.pays(&order, json!({"amount": 1000})).await.created();
    admin.refunds(&order, json!({"amount": 100})).await.created();
    let pending = admin.pays(&order, json!({"amount": 500, "status": "pending"})).await.created();
    admin.patch(&format!("/v1/transactions/{}", pending.id()), json!({"status": "succeeded"})).await.ok();
    admin.post(&format!("/v1/orders/{order}/cancel"), json!({"refund": "full"})).await.ok();
    ada.post("/v1/auth/logout", json!({})).await.no_content();
    admin.delete(&format!("{path}/sessions")).await.no_content();

    let trail = admin.walk("/v1/audit?limit=4").await;
    let expected = [
        "sessions.delete_all",
        "auth.logout",
        "orders.cancel",
        "transactions.update",
        "payments.create",
        "refunds.create",
        "payments.create",
        "api_keys.delete",
        "api_keys.create",
        "roles.delete",
        "roles.put",
        "users.update",
        "auth.login",
        "users.create",
        "auth.login",
        "auth.setup",
    ];
    assert_eq!(actions(&trail), expected);
    let update = &trail[11];
    assert_eq!(update["changes"], json!({"role": {"from": "customer", "to": "staff"}}));
    assert_eq!(
        (&update["actor"], &update["target"], &update["outcome"], &update["address"], &update["occurred_at"]),
        (&json!(admin.id), &json!(ada.id), &json!("success"), &json!("192.0.2.1"), &json!("2026-06-15T12:00:00.000Z"))
    );
    assert_eq!(trail[2]["changes"]["amount"], 1400);
}

#[tokio::test]
async fn the_trail_is_filtered_by_actor_action_and_time() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    service.pass(Duration::from_hours(1));
    ada.post("/v1/auth/logout", json!({})).await.no_content();
    let listed = async |query: &str| actions(&admin.walk(&format!("/v1/audit?{query}")).await);
    assert_eq!(listed(&format!("actor_id={}", ada.id)).await, ["auth.logout", "auth.login"]);
    assert_eq!(listed("action=auth.login").await, ["auth.login", "auth.login"]);
    assert_eq!(listed(&format!("actor_id={}&action=auth.logout", ada.id)).await, ["auth.logout"]);
    assert_eq!(listed("from=2026-06-15T12:00:00.001Z").await, ["auth.logout"]);
    assert_eq!(listed("from=2026-06-15T12:00:00Z&to=2026-06-15T13:00:00Z").await.len(), 4);
    assert_eq!(listed("to=2026-06-15T12:00:00Z").await, [""; 0]);
    assert_eq!(admin.get("/v1/audit?action=auth.login&count=true&limit=1").await.ok()["page"]["total"], 2);
    for (parameter, value) in [("from", "yesterday"), ("from", "2026-02-30T00:00:00Z"), ("to", "2026-06-31T00:00:00Z")]
    {
        let answer = admin.get(&format!("/v1/audit?{parameter}={value}")).await.status(400);
        answer.problem("invalid_parameter").faults(&[(parameter, "invalid_format")]);
    }
    let next = admin.get("/v1/audit?limit=1").await.ok()["page"]["next"].as_str().unwrap().to_owned();
    admin.get(&format!("/v1/audit?action=auth.login&cursor={next}")).await.status(400).problem("invalid_cursor");
    service.manager().await.get("/v1/audit").await.ok();
    service.staff().await.get("/v1/audit").await.status(403).problem("forbidden");
}

#[tokio::test]
async fn failures_and_denials_are_recorded_up_to_a_limit() {
    let service = Service::with(&[("limits.login_per_minute", "0")]).await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let anonymous = service.anonymous();
    let attempt = |email: String| {
        anonymous.post("/v1/auth/login", json!({"email": email, "password": "a wrong but long phrase"}))
    };
    attempt("customer@example.com".to_owned()).await.status(401);
    ada.get("/v1/users").await.status(403);
    let trail = admin.get("/v1/audit?limit=2").await.ok();
    let [denied, failed] = trail["data"].as_array().unwrap().as_slice() else { panic!("{trail}") };
    assert_eq!(
        [&denied["action"], &denied["outcome"], &denied["actor"], &denied["changes"]["code"]],
        [&json!("users.list"), &json!("denied"), &json!(ada.id), &json!("forbidden")]
    );
    assert_eq!(
        [&failed["action"], &failed["outcome"], &failed["actor"], &failed["target"]],
        [&json!("auth.login"), &json!("failure"), &json!("anonymous"), &json!(ada.id)]
    );
    for i in 0..120 {
        attempt(format!("stranger{i}@example.com")).await.status(401);
    }
    let counted = admin.get("/v1/audit?actor_id=anonymous&count=true").await.ok();
    assert_eq!(counted["page"]["total"], 101);
}

#[tokio::test]
async fn a_changed_or_missing_entry_is_detected() {
    let service = Service::start().await;
    service.customer().await;
    let verify = || service.app().store.read_blocking("test", audit::verify).unwrap();
    assert_eq!(verify(), None);
    service.stop().await;
    let raw = rusqlite::Connection::open(service.path()).unwrap();
    raw.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted").unwrap();
    raw.execute_batch("CREATE TABLE original AS SELECT * FROM audit WHERE seq = 3").unwrap();
    let found = || Store::inspect(&service.path(), audit::verify).unwrap().unwrap();
    let damages = [
        "occurred_at = occurred_at + 1",
        "actor = 'system'",
        "action = 'x'",
        "target = NULL",
        "address_seq = NULL",
        "details_seq = NULL",
        "request_id = 'x'",
        "outcome = 'denied'",
        "changes = '{}'",
        "hash = zeroblob(32)",
        "id = zeroblob(16)",
    ];
    for damage in damages {
        raw.execute_batch(&format!("UPDATE audit SET {damage} WHERE seq = 3")).unwrap();
        assert_eq!(found(), Some(3), "{damage}");
        raw.execute_batch("INSERT OR REPLACE INTO audit SELECT * FROM original").unwrap();
        assert_eq!(found(), None);
    }
    raw.execute_batch("DELETE FROM audit WHERE seq = 2").unwrap();
    assert_eq!(found(), Some(2));
}

#[tokio::test]
async fn no_secret_is_stored_or_shown() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let key = admin.post("/v1/api-keys", json!({"name": "k", "permissions": ["orders:read"]})).await.status(201);
    let next = service.anonymous().post("/v1/auth/refresh", json!({"refresh_token": ada.session["refresh_token"]}));
    let next = next.await.ok();
    let canary = "canary-password-7f0c4b1e";
    let new = json!({"email": "c@example.com", "name": "C", "role": "customer", "password": canary});
    admin.post("/v1/users", new).key("k").await.created();
    let typed = service.anonymous().post("/v1/auth/login", json!({"email": canary, "password": canary})).await;
    assert!(!typed.status(401).text().contains(canary));
    let trail = admin.get("/v1/audit").await.ok();
    let secrets: Vec<String> =
        [&ada.session["refresh_token"], &ada.session["access_token"], &next["refresh_token"], &key["secret"]]
            .iter()
            .map(|secret| secret.as_str().unwrap().to_owned())
            .chain([PASSWORD.to_owned(), canary.to_owned()])
            .collect();
    assert!(secrets.iter().all(|secret| !trail.text().contains(secret)));
    for file in std::fs::read_dir(service.folder()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn entries_are_found_by_target_and_outcome() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    admin.patch(&format!("/v1/users/{}", ada.id), json!({"role": "staff"})).await.ok();
    admin.put("/v1/roles/night", json!({"permissions": ["orders:read"]})).await.created();
    service.other_customer().await.get("/v1/audit").await.status(403);
    service.anonymous().post("/v1/auth/login", json!({"email": "a@example.com", "password": "x"})).await.status(401);
    let found = async |query: &str| actions(&admin.walk(&format!("/v1/audit?limit=1&{query}")).await);
    assert_eq!(found(&format!("target={}", ada.id)).await, ["users.update", "users.create"]);
    assert_eq!(found(&format!("target={}&action=users.update", ada.id)).await, ["users.update"]);
    assert_eq!(found("target=night").await, ["roles.put"]);
    assert_eq!(found("outcome=denied").await, ["audit.list"]);
    assert_eq!(found("outcome=failure").await, ["auth.login"]);
    assert_eq!(found(&format!("outcome=failure&actor_id={}", admin.id)).await, <[String; 0]>::default());
    admin.get("/v1/audit?outcome=bad").await.status(400).faults(&[("outcome", "invalid_value")]);
}
