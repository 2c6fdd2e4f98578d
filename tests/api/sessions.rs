//! Sessions: refreshing, listing and ending them. An ended session is refused from the next request on.

use crate::support::{Client, PASSWORD, Service};
use serde_json::json;
use std::time::Duration;

const NEW_PASSWORD: &str = "quite another private phrase";

/// Exchanges a refresh token.
async fn refresh(service: &Service, token: &str) -> crate::support::Answer {
    service.anonymous().post("/v1/auth/refresh", json!({"refresh_token": token})).await
}

fn refresh_token(client: &Client) -> &str {
    client.session["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_credentials() {
    let service = Service::with(&[("auth.access_ttl", "15m")]).await;
    let ada = service.customer().await;
    service.pass(Duration::from_mins(20));
    ada.get("/v1/auth/me").await.status(401);
    let next = refresh(&service, refresh_token(&ada)).await.ok();
    let plain = ["token_type", "expires_in", "refresh_expires_in", "user"].map(|member| next[member].clone());
    assert_eq!(plain, [json!("Bearer"), json!(900), json!(2_592_000), ada.session["user"].clone()]);
    assert_ne!(next["refresh_token"], ada.session["refresh_token"]);
    let ada = ada.bearing(next["access_token"].as_str().unwrap());
    ada.get("/v1/auth/me").await.ok();
    let second = refresh(&service, next["refresh_token"].as_str().unwrap()).await.ok();
    assert_ne!(second["refresh_token"], next["refresh_token"]);
}

#[tokio::test]
async fn a_used_refresh_token_gets_the_same_successor_for_ten_seconds() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let first = refresh(&service, refresh_token(&ada)).await.ok();
    service.pass(Duration::from_secs(10));
    service.reopen().await;
    let again = refresh(&service, refresh_token(&ada)).await.ok();
    assert_eq!(first["refresh_token"], again["refresh_token"]);
    service.pass(Duration::from_millis(1));
    refresh(&service, refresh_token(&ada)).await.status(401).problem("invalid_refresh_token");
    refresh(&service, first["refresh_token"].as_str().unwrap()).await.status(401);
    ada.get("/v1/auth/me").await.status(401).problem("unauthenticated");
}

#[tokio::test]
async fn reusing_an_old_refresh_token_ends_its_session_and_no_other() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let elsewhere = service.anonymous().log_in("customer@example.com", PASSWORD).await;
    let mut token = refresh_token(&ada).to_owned();
    for _ in 0..3 {
        token = refresh(&service, &token).await.ok()["refresh_token"].as_str().unwrap().to_owned();
    }
    refresh(&service, refresh_token(&ada)).await.status(401).problem("invalid_refresh_token");
    refresh(&service, &token).await.status(401).problem("invalid_refresh_token");
    ada.get("/v1/auth/me").await.status(401);
    elsewhere.get("/v1/auth/me").await.ok();
    let trail = admin.get("/v1/audit?action=auth.refresh").await.ok();
    let entry = &trail["data"][0];
    assert_eq!((&entry["outcome"], &entry["actor"]), (&json!("denied"), &json!(ada.id)));
}

#[tokio::test]
async fn all_invalid_refresh_tokens_are_refused_alike() {
    let service = Service::start().await;
    let ada = service.customer().await;
    for token in ["ort_guess", ada.token(), &refresh_token(&ada).to_uppercase(), "x"] {
        refresh(&service, token).await.status(401).problem("invalid_refresh_token");
    }
    service.pass(Duration::from_hours(24 * 30));
    refresh(&service, refresh_token(&ada)).await.status(401).problem("invalid_refresh_token");
}

#[tokio::test]
async fn logging_out_ends_the_session_at_once() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let elsewhere = service.anonymous().log_in("customer@example.com", PASSWORD).await;
    ada.post("/v1/auth/logout", json!({})).await.no_content();
    ada.get("/v1/auth/me").await.status(401).problem("unauthenticated");
    ada.post("/v1/auth/logout", json!({})).await.status(401);
    refresh(&service, refresh_token(&ada)).await.status(401).problem("invalid_refresh_token");
    elsewhere.get("/v1/auth/me").await.ok();
    service.reopen().await;
    ada.get("/v1/auth/me").await.status(401);
    elsewhere.get("/v1/auth/me").await.ok();
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let elsewhere = service.anonymous().log_in("customer@example.com", PASSWORD).await;
    let change = |current: &str, new: &str| {
        ada.post("/v1/auth/password", json!({"current_password": current, "new_password": new}))
    };
    change("a wrong but long phrase", NEW_PASSWORD)
        .await
        .status(422)
        .faults(&[("#/current_password", "wrong_password")]);
    change(PASSWORD, "short").await.status(422).faults(&[("#/new_password", "too_short")]);
    let both = change("a wrong but long phrase", "short").await.status(422);
    both.faults(&[("#/current_password", "wrong_password"), ("#/new_password", "too_short")]);
    change(PASSWORD, NEW_PASSWORD).await.no_content();
    ada.get("/v1/auth/me").await.ok();
    elsewhere.get("/v1/auth/me").await.status(401);
    refresh(&service, refresh_token(&elsewhere)).await.status(401);
    refresh(&service, refresh_token(&ada)).await.ok();
    let anonymous = service.anonymous();
    anonymous.post("/v1/auth/login", json!({"email": "customer@example.com", "password": PASSWORD})).await.status(401);
    anonymous.log_in("customer@example.com", NEW_PASSWORD).await;
}

#[tokio::test]
async fn guessing_the_current_password_is_delayed() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let body = json!({"current_password": "a wrong but long phrase", "new_password": NEW_PASSWORD});
    for attempt in 0..5 {
        if attempt == 4 {
            // The right password does not reset the count unless the whole request is right.
            let weak = json!({"current_password": PASSWORD, "new_password": "short"});
            ada.post("/v1/auth/password", weak).await.status(422).faults(&[("#/new_password", "too_short")]);
        }
        ada.post("/v1/auth/password", body.clone()).await.status(422);
    }
    ada.post("/v1/auth/password", body).await.status(429).problem("login_delayed");
}

#[tokio::test]
async fn sessions_are_managed_by_their_user_and_by_whoever_may_write_users() {
    let service = Service::start().await;
    let (admin, manager, ada) = (service.admin().await, service.manager().await, service.customer().await);
    let path = format!("/v1/users/{}/sessions", ada.id);
    service.pass(Duration::from_mins(1));
    let login =
        service.anonymous().post("/v1/auth/login", json!({"email": "customer@example.com", "password": PASSWORD}));
    let phone = login.header("user-agent", "phone/1.0").from("198.51.100.7").await.ok();
    let phone = ada.bearing(phone["access_token"].as_str().unwrap());

    let listed = phone.get(&path).await.ok();
    let entries = listed["data"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let newest = entries[0].as_object().unwrap();
    let mut names: Vec<_> = newest.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["created_at", "current", "expires_at", "id", "ip", "last_used_at", "user_agent"]);
    assert_eq!((&newest["ip"], &newest["user_agent"]), (&json!("198.51.100.7"), &json!("phone/1.0")));
    assert_eq!((&newest["current"], &entries[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(phone.get(&format!("{path}?count=true&limit=1")).await.ok()["page"]["total"], 2);
    assert_eq!(phone.walk(&format!("{path}?limit=1")).await.len(), 2);

    let one = format!("{path}/{}", newest["id"].as_str().unwrap());
    for stranger in [&manager, &service.other_customer().await, &service.staff().await] {
        stranger.get(&path).await.status(404).problem("not_found");
        stranger.delete(&path).await.status(404).problem("not_found");
        stranger.delete(&one).await.status(404).problem("not_found");
    }
    admin.delete(&format!("/v1/users/{}/sessions/{}", admin.id, newest["id"].as_str().unwrap())).await.status(404);
    ada.delete(&one).await.no_content();
    phone.get("/v1/auth/me").await.status(401);
    ada.delete(&one).await.status(404);
    ada.delete(&format!("{path}/ses_nonsense")).await.status(404);
    admin.delete(&path).await.no_content();
    ada.get("/v1/auth/me").await.status(401);
}

#[tokio::test]
async fn beyond_a_hundred_sessions_the_least_recently_used_one_ends() {
    let service = Service::start().await;
    let (admin, first) = (service.admin().await, service.customer().await);
    let mut others = vec![];
    for _ in 0..99 {
        service.pass(Duration::from_secs(1));
        others.push(service.anonymous().log_in("customer@example.com", PASSWORD).await);
    }
    service.pass(Duration::from_secs(1));
    let path = format!("/v1/users/{}/sessions?count=true&limit=200", first.id);
    let first_credentials = refresh(&service, refresh_token(&first)).await.ok();
    let first = first.bearing(first_credentials["access_token"].as_str().unwrap());
    let listed = admin.get(&path).await.ok();
    assert_eq!(listed["page"]["total"], 100);
    others[0].get("/v1/auth/me").await.ok();
    let newest = service.anonymous().log_in("customer@example.com", PASSWORD).await;
    others[0].get("/v1/auth/me").await.status(401);
    refresh(&service, refresh_token(&others[0])).await.status(401);
    for active in [&first, &others[1], &newest] {
        active.get("/v1/auth/me").await.ok();
    }
    admin.get("/v1/auth/me").await.ok();
    assert_eq!(admin.get(&path).await.ok()["page"]["total"], 100);
    let trail = admin.get("/v1/audit?action=auth.login&limit=2").await.ok();
    let ended = &listed["data"][98]["id"];
    assert_eq!(trail["data"][0]["changes"], json!({"ended_sessions": [ended]}));
    assert_eq!(trail["data"][1]["changes"], json!({}));
    service.reopen().await;
    others[0].get("/v1/auth/me").await.status(401);
}

#[tokio::test]
async fn a_password_that_changes_during_a_log_in_is_refused() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    for round in 0..20 {
        let old = if round == 0 { PASSWORD.to_owned() } else { format!("private phrase number {round}") };
        let new = format!("private phrase number {}", round + 1);
        let login =
            service.anonymous().post("/v1/auth/login", json!({"email": "customer@example.com", "password": old}));
        let change = admin.patch(&format!("/v1/users/{}", ada.id), json!({"password": new}));
        let (login, change) = tokio::join!(login.into_future(), change.into_future());
        change.ok();
        if login.code() == 200 {
            ada.bearing(login["access_token"].as_str().unwrap()).get("/v1/auth/me").await.status(401);
        } else {
            login.status(401).problem("invalid_credentials");
        }
    }
}
