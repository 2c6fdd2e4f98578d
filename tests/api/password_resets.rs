//! Reset tokens and invitations.

use crate::support::{Answer, Client, PASSWORD, Service};
use axum::http::Method;
use serde_json::json;
use std::time::Duration;

const NEW_PASSWORD: &str = "quite another private phrase";

async fn token_for(who: &Client, user: &str) -> Answer {
    who.call(Method::POST, &format!("/v1/users/{user}/reset")).await
}

async fn redeem(service: &Service, token: &str, password: &str) -> Answer {
    service.anonymous().post("/v1/auth/reset", json!({"token": token, "new_password": password})).await
}

fn token(answer: &Answer) -> &str {
    answer["token"].as_str().unwrap()
}

#[tokio::test]
async fn a_reset_token_sets_a_password_once_and_ends_all_sessions() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let browser = service.anonymous().sign_in("customer@example.com", PASSWORD).await;
    let made = token_for(&admin, &ada.id).await.created();
    assert!(token(&made).starts_with("orr_"), "{made}");
    assert_eq!(made["expires_at"], "2026-06-16T12:00:00.000Z");
    assert_eq!(made.json().as_object().unwrap().len(), 2);
    ada.get("/v1/auth/me").await.ok();

    redeem(&service, token(&made), "short").await.status(422).faults(&[("#/new_password", "too_short")]);
    redeem(&service, token(&made), "customer@example.com").await.status(422);
    redeem(&service, token(&made), NEW_PASSWORD).await.no_content();
    for ended in [&ada, &browser] {
        ended.get("/v1/auth/me").await.status(401);
    }
    service.anonymous().log_in("customer@example.com", NEW_PASSWORD).await;
    redeem(&service, token(&made), PASSWORD).await.status(401).problem("invalid_reset_token");
    let trail = admin.get("/v1/audit?action=auth.reset").await.ok();
    let entry = &trail["data"][0];
    assert_eq!([&entry["actor"], &entry["target"]], [&json!(ada.id), &json!(ada.id)]);
    assert_eq!(entry["changes"], json!({"sessions_ended": 2}));
}

#[tokio::test]
async fn unknown_older_late_and_superseded_tokens_are_refused_alike() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let older = token_for(&admin, &ada.id).await.created();
    let newer = token_for(&admin, &ada.id).await.created();
    let altered = token(&newer).replace("orr_", "orc_");
    for wrong in [token(&older), &altered, "orr_guess", ada.token(), "x"] {
        redeem(&service, wrong, NEW_PASSWORD).await.status(401).problem("invalid_reset_token");
    }
    service.pass(Duration::from_hours(24) - Duration::from_millis(1));
    redeem(&service, token(&newer), "short").await.status(422);
    service.pass(Duration::from_millis(1));
    redeem(&service, token(&newer), NEW_PASSWORD).await.status(401).problem("invalid_reset_token");

    let changed = token_for(&admin, &ada.id).await.created();
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ada.post("/v1/auth/password", body).await.no_content();
    redeem(&service, token(&changed), PASSWORD).await.status(401);
    let set = token_for(&admin, &ada.id).await.created();
    admin.patch(&format!("/v1/users/{}", ada.id), json!({"password": PASSWORD})).await.ok();
    redeem(&service, token(&set), NEW_PASSWORD).await.status(401);
}

#[tokio::test]
async fn only_one_of_two_requests_with_the_same_token_succeeds() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let made = token_for(&admin, &ada.id).await.created();
    let (one, other) = tokio::join!(
        redeem(&service, token(&made), NEW_PASSWORD),
        redeem(&service, token(&made), "a third and private phrase")
    );
    let mut statuses = [one.code(), other.code()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 401]);
}

#[tokio::test]
async fn a_user_made_without_a_password_is_invited_to_set_one() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let body = json!({"email": "grace@example.com", "name": "Grace", "role": "staff"});
    let grace = admin.post("/v1/users", body).await.created();
    assert_eq!((&grace["status"], &grace["second_factor"]), (&json!("active"), &json!(false)));
    for password in [PASSWORD, "x"] {
        let login = json!({"email": "grace@example.com", "password": password});
        service.anonymous().post("/v1/auth/login", login).await.status(401).problem("invalid_credentials");
    }
    let invitation = token_for(&admin, &grace.id()).await.created();
    redeem(&service, token(&invitation), PASSWORD).await.no_content();
    let grace = service.anonymous().log_in("grace@example.com", PASSWORD).await;
    assert_eq!(grace.get("/v1/auth/me").await.ok()["role"], "staff");
}

#[tokio::test]
async fn a_reset_does_not_enable_a_user() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    admin.patch(&format!("/v1/users/{}", ada.id), json!({"status": "disabled"})).await.ok();
    let made = token_for(&admin, &ada.id).await.created();
    redeem(&service, token(&made), NEW_PASSWORD).await.no_content();
    let login = json!({"email": "customer@example.com", "password": NEW_PASSWORD});
    service.anonymous().post("/v1/auth/login", login).await.status(401);
    assert_eq!(admin.get(&format!("/v1/users/{}", ada.id)).await.ok()["status"], "disabled");
}

#[tokio::test]
async fn whoever_lacks_what_the_user_may_do_cannot_become_the_user() {
    let service = Service::start().await;
    let admin = service.admin().await;
    admin.put("/v1/roles/clerk", json!({"permissions": ["users:read", "users:write"]})).await.created();
    let clerk = service.person("clerk", "clerk").await;
    let key = service.program(&["users:write"]).await;
    let (of_admin, of_clerk) = (format!("/v1/users/{}", admin.id), format!("/v1/users/{}", clerk.id));
    for who in [&clerk, &key] {
        token_for(who, &admin.id).await.status(403).problem("permission_not_held");
        who.delete(&format!("{of_admin}/totp")).await.status(403).problem("permission_not_held");
        who.patch(&of_admin, json!({"password": NEW_PASSWORD})).await.status(403).problem("permission_not_held");
        who.patch(&of_admin, json!({"email": "mine@example.com"})).await.status(403).problem("permission_not_held");
    }
    token_for(&clerk, &clerk.id).await.created();
    clerk.delete(&format!("{of_clerk}/totp")).await.no_content();
    token_for(&service.manager().await, &clerk.id).await.status(403).problem("forbidden");
    token_for(&clerk, "usr_00000000000000000000000000").await.status(404);
}

#[tokio::test]
async fn wrong_reset_tokens_count_as_failed_log_ins_of_their_address() {
    let service = Service::with(&[("limits.login_per_minute", "3")]).await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let made = token_for(&admin, &ada.id).await.created();
    for _ in 0..2 {
        redeem(&service, "orr_guess", NEW_PASSWORD).await.status(401);
    }
    let wrong = json!({"email": "customer@example.com", "password": "a wrong but long phrase"});
    service.anonymous().post("/v1/auth/login", wrong).await.status(401);
    redeem(&service, token(&made), NEW_PASSWORD).await.status(429).problem("rate_limited");
    service.pass(Duration::from_mins(1));
    redeem(&service, token(&made), NEW_PASSWORD).await.no_content();
}

#[tokio::test]
async fn a_reset_token_is_not_stored() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let made = token_for(&admin, &ada.id).await.created();
    let text = token(&made).to_owned();
    service.stop().await;
    let bytes = std::fs::read(service.path()).unwrap();
    assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()));
}
