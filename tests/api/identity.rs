//! Identity: the first administrator, users, log-in and access tokens.

use crate::support::{PASSWORD, Service};
use base64::Engine;
use orderd::service::sessions;
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_holder_of_the_set_up_token_creates_the_first_administrator_once() {
    let service = Service::start().await;
    let anonymous = service.anonymous();
    let token = sessions::offer_setup(&service.app()).await.unwrap().unwrap().reveal().to_owned();
    let body = |token: &str, password: &str| json!({"token": token, "email": "Ada@Example.com", "name": "Ada", "password": password});
    let wrong = anonymous.post("/v1/setup", body(&token.replace(&token[8..12], "0000"), PASSWORD)).await.status(401);
    wrong.problem("invalid_setup_token");
    anonymous.post("/v1/setup", body("guess", PASSWORD)).await.status(401).problem("invalid_setup_token");
    let weak = anonymous.post("/v1/setup", body(&token, "short")).await.status(422).problem("validation_failed");
    weak.faults(&[("#/password", "too_short")]);
    let admin = anonymous.post("/v1/setup", body(&token, PASSWORD)).await.created();
    let expected = json!({"id": admin.id(), "email": "ada@example.com", "name": "Ada", "role": "admin",
        "status": "active", "created_at": "2026-06-15T12:00:00.000Z", "updated_at": "2026-06-15T12:00:00.000Z",
        "last_login_at": null, "second_factor": false});
    assert_eq!(admin.json(), &expected);
    anonymous.post("/v1/setup", body(&token, PASSWORD)).await.status(409).problem("already_set_up");
    anonymous.post("/v1/setup", body("guess", PASSWORD)).await.status(409).problem("already_set_up");
    service.reopen().await;
    assert!(sessions::offer_setup(&service.app()).await.unwrap().is_none(), "a user exists");
}

#[tokio::test]
async fn the_set_up_token_is_valid_for_a_day() {
    let service = Service::start().await;
    let token = sessions::offer_setup(&service.app()).await.unwrap().unwrap().reveal().to_owned();
    service.pass(Duration::from_hours(24));
    let body = json!({"token": token, "email": "a@b.example", "name": "A", "password": PASSWORD});
    service.anonymous().post("/v1/setup", body).await.status(401).problem("invalid_setup_token");
}

#[tokio::test]
async fn logging_in_returns_credentials() {
    let service = Service::with(&[("auth.access_ttl", "15m")]).await;
    let ada = service.customer().await;
    let session = &ada.session;
    let plain = ["token_type", "expires_in", "refresh_expires_in"].map(|member| session[member].clone());
    assert_eq!(plain, [json!("Bearer"), json!(900), json!(2_592_000)]);
    assert_eq!(session["user"]["email"], "customer@example.com");
    let me = ada.get("/v1/auth/me").await.ok();
    assert_eq!((&me["kind"], &me["id"], &me["role"]), (&json!("user"), &json!(ada.id), &json!("customer")));
    assert_eq!(me["user"], session["user"]);
    let permissions = json!(["orders:read_own", "orders:create_own", "orders:update_own", "orders:cancel_own"]);
    assert_eq!(me["permissions"], permissions);
    // E-mail addresses are compared in lower case.
    service.anonymous().log_in("CUSTOMER@example.com", PASSWORD).await.get("/v1/auth/me").await.ok();
}

#[tokio::test]
async fn blanks_around_the_address_of_a_log_in_do_not_count() {
    let service = Service::start().await;
    service.customer().await;
    let body = json!({"email": " Customer@example.com ", "password": PASSWORD});
    service.anonymous().post("/v1/auth/login", body).await.ok();
}

#[tokio::test]
async fn a_refused_log_in_does_not_reveal_the_reason() {
    let service = Service::start().await;
    service.customer().await;
    let anonymous = service.anonymous();
    let mut refusals = vec![];
    for (email, password) in [
        ("customer@example.com", "another long and private phrase"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("customer@example.com", ""),
    ] {
        let body = json!({"email": email, "password": password});
        let call = anonymous.post("/v1/auth/login", body).header("x-request-id", "same");
        let answer = call.await;
        if password.is_empty() {
            answer.status(422);
        } else {
            refusals.push(answer.status(401).problem("invalid_credentials").text().to_owned());
        }
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
}

#[tokio::test]
async fn after_five_failures_a_log_in_must_wait() {
    let service = Service::start().await;
    service.customer().await;
    let anonymous = service.anonymous();
    let attempt = |password: &str| {
        anonymous.post("/v1/auth/login", json!({"email": "customer@example.com", "password": password}))
    };
    for _ in 0..5 {
        attempt("a wrong but long phrase").await.status(401);
    }
    let delayed = attempt(PASSWORD).await.status(429).problem("login_delayed");
    let wait: u64 = delayed.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{delayed}");
    // Other accounts are not delayed, and an attempt during the delay does not lengthen it.
    service.anonymous().log_in("admin@example.com", PASSWORD).await;
    service.pass(Duration::from_secs(wait));
    attempt(PASSWORD).await.ok();
}

#[tokio::test]
async fn an_address_may_fail_a_limited_number_of_log_ins_a_minute() {
    let service = Service::with(&[("limits.login_per_minute", "3")]).await;
    service.customer().await;
    let anonymous = service.anonymous();
    let attempt = |i: usize, address: &str| {
        let body = json!({"email": format!("nobody{i}@example.com"), "password": PASSWORD});
        anonymous.post("/v1/auth/login", body).from(address)
    };
    for i in 0..3 {
        attempt(i, "198.51.100.7").await.status(401);
    }
    let refused = attempt(4, "198.51.100.7").await.status(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1, "{refused}");
    attempt(5, "198.51.100.8").await.status(401);
    service.pass(MINUTE);
    attempt(6, "198.51.100.7").await.status(401);
}

#[tokio::test]
async fn an_access_token_expires() {
    let service = Service::with(&[("auth.access_ttl", "15m")]).await;
    let ada = service.customer().await;
    service.pass(14 * MINUTE);
    ada.get("/v1/auth/me").await.ok();
    service.pass(2 * MINUTE);
    let answer = ada.get("/v1/auth/me").await.status(401).problem("unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn tokens_survive_a_restart_and_altered_ones_are_refused() {
    let service = Service::start().await;
    let ada = service.customer().await;
    service.reopen().await;
    ada.get("/v1/auth/me").await.ok();
    let parts: Vec<_> = ada.token().split('.').collect();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let head: Value = serde_json::from_slice(&text.decode(parts[0]).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&text.decode(parts[1]).unwrap()).unwrap();
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        assert!(!claims[claim].is_null(), "{claim}");
    }
    assert!(head["kid"].is_string());
    let encode = |value: &Value| text.encode(value.to_string());
    let mut other = claims.clone();
    other["sub"] = json!(service.admin().await.id);
    let mut longer = claims.clone();
    longer["exp"] = json!(claims["exp"].as_i64().unwrap() + 1);
    let none = json!({"alg": "none", "typ": "JWT", "kid": head["kid"]});
    for token in [
        format!("{}.{}.{}", parts[0], encode(&other), parts[2]),
        format!("{}.{}.{}", parts[0], encode(&longer), parts[2]),
        format!("{}.{}.", encode(&none), parts[1]),
        format!("{}.{}.{}", encode(&none), parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        ada.session["refresh_token"].as_str().unwrap().to_owned(),
        String::new(),
    ] {
        ada.bearing(&token).get("/v1/auth/me").await.status(401).problem("unauthenticated");
    }
}

#[tokio::test]
async fn creating_and_reading_users_needs_permission() {
    let service = Service::start().await;
    let (admin, manager, ada) = (service.admin().await, service.manager().await, service.customer().await);
    let body = |email: &str, role: &str| json!({"email": email, "name": "Grace", "role": role, "password": "another long phrase"});
    let grace = admin.post("/v1/users", body("grace@example.com", "staff")).await.created();
    assert_eq!(grace.header("location"), format!("/v1/users/{}", grace.id()));
    assert!(!grace.text().contains("password"), "{grace}");
    assert_eq!(admin.get(grace.header("location")).await.ok().json(), grace.json());
    admin.post("/v1/users", body("GRACE@example.com", "staff")).await.status(409).problem("email_taken");
    admin.post("/v1/users", body("no address", "staff")).await.status(422).faults(&[("#/email", "invalid_format")]);
    admin.post("/v1/users", body("b@example.com", "king")).await.status(422).faults(&[("#/role", "unknown")]);
    for password in ["short", "grace@example.com", "passwordpassword"] {
        let mut weak = body("grace@example.com", "staff");
        weak["password"] = password.into();
        let answer = admin.post("/v1/users", weak).await;
        assert_eq!(answer.code(), 422, "{password}: {answer}");
    }
    for who in [&manager, &ada, &service.staff().await, &service.analyst().await] {
        who.post("/v1/users", body("c@example.com", "customer")).await.status(403).problem("forbidden");
    }
    manager.get(&format!("/v1/users/{}", ada.id)).await.ok();
    ada.get(&format!("/v1/users/{}", ada.id)).await.ok();
    ada.get(&format!("/v1/users/{}", admin.id)).await.status(404).problem("not_found");
    ada.get("/v1/users").await.status(403).problem("forbidden");
}

#[tokio::test]
async fn users_are_listed_newest_first() {
    let service = Service::start().await;
    let (admin, _, _) = (service.admin().await, service.staff().await, service.customer().await);
    let emails =
        |users: Vec<Value>| users.iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let expected = ["customer@example.com", "staff@example.com", "admin@example.com"];
    assert_eq!(emails(admin.walk("/v1/users").await), expected);
    assert_eq!(emails(admin.walk("/v1/users?limit=1").await), expected);
}
