//! Sessions of browsers: two halves, of which neither is of any use alone.

use crate::support::{Client, PASSWORD, Service};
use serde_json::json;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

async fn ada(service: &Service) -> Client {
    service.customer().await;
    service.anonymous().sign_in("customer@example.com", PASSWORD).await
}

#[tokio::test]
async fn signing_in_from_a_browser_gives_a_cookie_and_a_console_key() {
    let service = Service::start().await;
    service.customer().await;
    let body = json!({"email": "customer@example.com", "password": PASSWORD});
    let answer = service.anonymous().post("/v1/auth/session", body).await.created();
    let members: Vec<_> = answer.json().as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["console_key", "expires_at", "user"]);
    assert_eq!(answer["user"]["email"], "customer@example.com");
    assert_eq!(answer["expires_at"], "2026-06-16T00:00:00.000Z");
    let (key, set) = (answer["console_key"].as_str().unwrap(), answer.header("set-cookie"));
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert!(key.starts_with("orc_") && cookie.starts_with("orderd=orb_"), "{answer}");
    assert_eq!(attributes, "Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict");

    let browser = service.anonymous().with_cookie(cookie).with_console_key(key);
    let me = browser.get("/v1/auth/me").await.ok();
    assert_eq!((&me["kind"], &me["role"]), (&json!("user"), &json!("customer")));
}

#[tokio::test]
async fn half_a_session_is_refused() {
    let service = Service::start().await;
    let (ada, other) = (ada(&service).await, ada(&service).await);
    let foreign = ada.without_console_key().with_console_key(other.session["console_key"].as_str().unwrap());
    for half in [ada.without_cookie(), ada.without_console_key(), foreign] {
        let refused = half.get("/v1/auth/me").await.status(401).problem("unauthenticated");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        half.delete("/v1/auth/session").await.status(401);
    }
    let twice = ada.get("/v1/auth/me").header("x-console-key", ada.session["console_key"].as_str().unwrap());
    twice.await.status(401);
    let swapped = service.anonymous().with_cookie(&format!("orderd={}", ada.session["console_key"].as_str().unwrap()));
    swapped.with_console_key(ada.cookie().split_once('=').unwrap().1).get("/v1/auth/me").await.status(401);
    service.anonymous().bearing(ada.session["console_key"].as_str().unwrap()).get("/v1/auth/me").await.status(401);
    service.anonymous().bearing(ada.cookie().split_once('=').unwrap().1).get("/v1/auth/me").await.status(401);
    ada.get("/v1/auth/me").await.ok();
}

#[tokio::test]
async fn a_request_with_authorization_is_judged_by_that_alone() {
    let service = Service::start().await;
    let (ada, admin) = (ada(&service).await, service.admin().await);
    let me = ada.get("/v1/auth/me").header("authorization", &format!("Bearer {}", admin.token())).await.ok();
    assert_eq!(me["id"], admin.id);
    ada.get("/v1/auth/me").header("authorization", "Bearer nonsense").await.status(401);
    ada.get("/v1/auth/me").header("authorization", "Basic YTpi").await.status(401);
}

#[tokio::test]
async fn cookies_of_others_on_the_same_host_neither_help_nor_disturb() {
    let service = Service::start().await;
    let ada = ada(&service).await;
    let key = ada.session["console_key"].as_str().unwrap().to_owned();
    let anonymous = service.anonymous().with_console_key(&key);
    for cookies in [
        format!("theme=dark; {}; lang=de", ada.cookie()),
        format!("orderd=planted; {}", ada.cookie()),
        format!("orderd=; {}", ada.cookie()),
    ] {
        anonymous.with_cookie(&cookies).get("/v1/auth/me").await.ok();
    }
    let value = ada.cookie().split_once('=').unwrap().1;
    for cookies in [format!("__Host-Http-orderd={value}"), format!("Orderd={value}"), format!("orderd2={value}")] {
        anonymous.with_cookie(&cookies).get("/v1/auth/me").await.status(401);
    }
}

#[tokio::test]
async fn over_https_the_cookie_has_the_name_that_no_other_host_and_no_script_can_set() {
    let service = Service::with(&[("server.trusted_proxies", "10.0.0.1")]).await;
    service.customer().await;
    let body = json!({"email": "customer@example.com", "password": PASSWORD});
    let login = |peer: &'static str, scheme: &str| {
        let call = service.anonymous().post("/v1/auth/session", body.clone()).from(peer);
        call.header("x-forwarded-for", "198.51.100.7").header("x-forwarded-proto", scheme)
    };
    let answer = login("10.0.0.1", "https").await.created();
    let (cookie, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    assert!(cookie.starts_with("__Host-Http-orderd=orb_"), "{answer}");
    assert_eq!(attributes, "Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Strict");
    let browser = service.anonymous().with_cookie(cookie).with_console_key(answer["console_key"].as_str().unwrap());
    browser.get("/v1/auth/me").from("10.0.0.1").header("x-forwarded-proto", "https").await.ok();
    browser.get("/v1/auth/me").from("10.0.0.1").await.status(401);
    let plain = cookie.replace("__Host-Http-orderd", "orderd");
    let call = browser.with_cookie(&plain).get("/v1/auth/me").from("10.0.0.1");
    call.header("x-forwarded-proto", "https").await.status(401);
    for (peer, scheme) in [("10.0.0.1", "http"), ("198.51.100.9", "https"), ("10.0.0.1", "https, http")] {
        let answer = login(peer, scheme).await.created();
        assert!(answer.header("set-cookie").starts_with("orderd="), "{peer} {scheme}: {answer}");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once_and_takes_the_cookie_back() {
    let service = Service::start().await;
    let (tab, elsewhere) = (ada(&service).await, ada(&service).await);
    let answer = tab.delete("/v1/auth/session").await.no_content();
    assert_eq!(answer.header("set-cookie"), "orderd=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
    tab.get("/v1/auth/me").await.status(401);
    elsewhere.get("/v1/auth/me").await.ok();
    let answer = elsewhere.post("/v1/auth/logout", json!({})).await.no_content();
    assert!(answer.header("set-cookie").starts_with("orderd=; Max-Age=0;"), "{answer}");
    elsewhere.get("/v1/auth/me").await.status(401);
    let program = service.anonymous().log_in("customer@example.com", PASSWORD).await;
    let answer = program.post("/v1/auth/logout", json!({})).await.no_content();
    assert_eq!(answer.maybe_header("set-cookie"), None);
    service.reopen().await;
    tab.get("/v1/auth/me").await.status(401);
}

#[tokio::test]
async fn a_session_ends_when_nothing_is_asked_and_at_its_maximum_age() {
    let settings = [("auth.session_idle", "12h"), ("auth.session_max", "24h")];
    let service = Service::with(&settings).await;
    let (idle, busy) = (ada(&service).await, ada(&service).await);
    service.pass(HOUR * 11);
    busy.get("/v1/auth/me").await.ok();
    service.pass(HOUR);
    idle.get("/v1/auth/me").await.status(401);
    service.pass(HOUR * 10);
    busy.get("/v1/auth/me").await.ok();
    service.pass(HOUR + Duration::from_mins(59));
    busy.get("/v1/auth/me").await.ok();
    service.pass(Duration::from_mins(1));
    busy.get("/v1/auth/me").await.status(401);
}

#[tokio::test]
async fn the_last_request_of_a_browser_is_kept_and_survives_a_restart() {
    let service = Service::start().await;
    let (browser, program) = (ada(&service).await, service.customer().await);
    service.pass(HOUR * 11);
    browser.get("/v1/auth/me").await.ok();
    service.pass(HOUR * 2);
    let path = format!("/v1/users/{}/sessions", browser.id);
    let listed = program.get(&path).await.ok();
    let entry = &listed["data"][0];
    assert_eq!((&entry["last_used_at"], &entry["current"]), (&json!("2026-06-15T23:00:00.000Z"), &json!(false)));
    assert_eq!(entry["expires_at"], "2026-06-16T11:00:00.000Z");
    service.reopen().await;
    browser.get("/v1/auth/me").await.ok();
    service.reopen().await;
    browser.get("/v1/auth/me").await.ok();
    assert_eq!(browser.get(&path).await.ok()["data"][0]["current"], true);
    orderd::service::pruning::prune_sessions(&service.app()).await.unwrap();
    service.pass(HOUR * 11);
    browser.get("/v1/auth/me").await.ok();
    orderd::service::pruning::prune_sessions(&service.app()).await.unwrap();
    browser.get("/v1/auth/me").await.ok();
    service.pass(HOUR * 12);
    orderd::service::pruning::prune_sessions(&service.app()).await.unwrap();
    assert_eq!(program.get(&path).await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_ends_with_everything_that_ends_sessions() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let first = ada(&service).await;
    let (user, sessions) = (format!("/v1/users/{}", first.id), format!("/v1/users/{}/sessions", first.id));
    admin.patch(&user, json!({"status": "disabled"})).await.ok();
    first.get("/v1/auth/me").await.status(401);
    admin.patch(&user, json!({"status": "active"})).await.ok();
    first.get("/v1/auth/me").await.status(401);

    let one = service.anonymous().sign_in("customer@example.com", PASSWORD).await;
    let id = admin.get(&sessions).await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("{sessions}/{id}")).await.no_content();
    one.get("/v1/auth/me").await.status(401);

    let (own, other) = (
        service.anonymous().sign_in("customer@example.com", PASSWORD).await,
        service.anonymous().sign_in("customer@example.com", PASSWORD).await,
    );
    let new = "quite another private phrase";
    own.post("/v1/auth/password", json!({"current_password": PASSWORD, "new_password": new})).await.no_content();
    own.get("/v1/auth/me").await.ok();
    other.get("/v1/auth/me").await.status(401);
    admin.patch(&user, json!({"password": PASSWORD})).await.ok();
    own.get("/v1/auth/me").await.status(401);

    let all = service.anonymous().sign_in("customer@example.com", PASSWORD).await;
    admin.delete(&sessions).await.no_content();
    all.get("/v1/auth/me").await.status(401);
}

#[tokio::test]
async fn signing_in_is_refused_and_limited_as_logging_in_is() {
    let service = Service::start().await;
    let ada = ada(&service).await;
    let attempt = |email: &str, password: &str| {
        service.anonymous().post("/v1/auth/session", json!({"email": email, "password": password}))
    };
    attempt("customer@example.com", "a wrong but long phrase").await.status(401).problem("invalid_credentials");
    attempt("nobody@example.com", PASSWORD).await.status(401).problem("invalid_credentials");
    let login = |password: &str| {
        service.anonymous().post("/v1/auth/login", json!({"email": "customer@example.com", "password": password}))
    };
    for _ in 0..2 {
        attempt("customer@example.com", "a wrong but long phrase").await.status(401);
        login("a wrong but long phrase").await.status(401);
    }
    attempt("customer@example.com", PASSWORD).await.status(429).problem("login_delayed");
    login(PASSWORD).await.status(429).problem("login_delayed");
    ada.get("/v1/auth/me").await.ok();
    let trail = service.admin().await.get("/v1/audit?action=auth.start_session").await.ok();
    let outcomes: Vec<_> = trail["data"].as_array().unwrap().iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "failure").count(), 4);
    assert_eq!(outcomes.last(), Some(&json!("success")));
}

#[tokio::test]
async fn neither_half_is_stored() {
    let service = Service::start().await;
    let ada = ada(&service).await;
    ada.get("/v1/auth/me").await.ok();
    service.stop().await;
    let bytes = std::fs::read(service.path()).unwrap();
    for half in [ada.session["console_key"].as_str().unwrap(), ada.cookie().split_once('=').unwrap().1] {
        assert!(!bytes.windows(half.len()).any(|part| part == half.as_bytes()));
    }
}
