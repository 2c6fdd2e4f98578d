//! Rate limits: how many requests a caller may send in a minute, and the headers that say so.

use crate::support::{Answer, PASSWORD, Service};
use serde_json::json;
use std::time::Duration;

const ADDRESS: &str = "198.51.100.7";

/// A caller with credentials may send 6 requests a minute, an address without them 3.
async fn limited() -> Service {
    Service::with(&[("limits.requests_per_minute", "6")]).await
}

fn rate_limit(answer: &Answer) -> (String, String) {
    (answer.header("ratelimit-policy").to_owned(), answer.header("ratelimit").to_owned())
}

fn headers(limit: u32, remaining: u32, seconds: u32) -> (String, String) {
    (format!("\"default\";q={limit};w=60"), format!("\"default\";r={remaining};t={seconds}"))
}

#[tokio::test]
async fn every_response_says_how_many_requests_remain() {
    let service = limited().await;
    let admin = service.admin().await;
    for (remaining, path) in [(5, "/v1/orders"), (4, "/v1/orders?a=1"), (3, "/v1/orders/x"), (2, "/v1/users")] {
        assert_eq!(rate_limit(&admin.get(path).await), headers(6, remaining, 60), "{path}");
    }
    service.pass(Duration::from_millis(19_500));
    assert_eq!(rate_limit(&admin.get("/v1/auth/me").await.ok()), headers(6, 1, 41));
    assert_eq!(rate_limit(&admin.get("/v1/auth/me").await.ok()), headers(6, 0, 41));
    let refused = admin.get("/v1/auth/me").await.status(429).problem("rate_limited");
    assert_eq!((rate_limit(&refused), refused.header("retry-after")), (headers(6, 0, 41), "41"));
    assert_eq!(refused["retryable"], true);
    service.pass(Duration::from_millis(40_500));
    assert_eq!(rate_limit(&admin.get("/v1/auth/me").await.ok()), headers(6, 5, 60));
}

#[tokio::test]
async fn each_caller_has_its_own_limit_and_all_sessions_of_a_user_share_one() {
    let service = limited().await;
    let admin = service.admin().await;
    let key = json!({"name": "till", "permissions": ["orders:read"]});
    let key = admin.post("/v1/api-keys", key).await.created()["secret"].as_str().unwrap().to_owned();
    let program = service.anonymous().bearing(&key);
    for _ in 0..5 {
        admin.get("/v1/auth/me").await.ok();
    }
    admin.get("/v1/auth/me").await.status(429);
    program.get("/v1/orders").await.ok();
    service.pass(Duration::from_mins(1));
    let second_session = service.anonymous().log_in("admin@example.com", PASSWORD).await;
    for _ in 0..3 {
        admin.get("/v1/auth/me").await.ok();
        second_session.get("/v1/auth/me").await.ok();
    }
    second_session.get("/v1/auth/me").await.status(429);
}

#[tokio::test]
async fn requests_without_good_credentials_count_against_their_address() {
    let service = limited().await;
    let anonymous = service.anonymous();
    let wrong = json!({"refresh_token": "ort_nothing"});
    let first = anonymous.get("/v1/orders").from(ADDRESS).await.status(401);
    assert_eq!(rate_limit(&first), headers(3, 2, 60));
    anonymous.bearing("nonsense").get("/v1/orders").from(ADDRESS).await.status(401);
    anonymous.post("/v1/auth/refresh", wrong).from(ADDRESS).await.status(401);
    anonymous.get("/v1/orders").from(ADDRESS).await.status(429).problem("rate_limited");
    anonymous.get("/v1/orders").from("198.51.100.8").await.status(401);
    // Requests with good credentials count against the user instead.
    service.admin().await.get("/v1/orders").from(ADDRESS).await.ok();
}

#[tokio::test]
async fn other_anonymous_requests_do_not_use_up_the_log_ins_of_their_address() {
    let service = limited().await;
    service.customer().await;
    let anonymous = service.anonymous();
    for _ in 0..3 {
        anonymous.get("/v1/nothing").from(ADDRESS).await.status(404);
    }
    anonymous.get("/v1/orders").from(ADDRESS).await.status(429).problem("rate_limited");
    let log_in = |password: &str| {
        let body = json!({"email": "customer@example.com", "password": password});
        anonymous.post("/v1/auth/login", body).from(ADDRESS)
    };
    assert_eq!(rate_limit(&log_in(PASSWORD).await.ok()), headers(3, 2, 60));
    log_in("a wrong but long phrase").await.status(401).problem("invalid_credentials");
    log_in(PASSWORD).await.ok();
    let refused = log_in(PASSWORD).await.status(429).problem("rate_limited");
    assert_eq!((rate_limit(&refused), refused.header("retry-after")), (headers(3, 0, 60), "60"));
    service.pass(Duration::from_mins(1));
    log_in(PASSWORD).await.ok();
    assert_eq!(rate_limit(&anonymous.get("/v1/orders").from(ADDRESS).await.status(401)), headers(3, 2, 60));
}

#[tokio::test]
async fn requests_for_paths_and_methods_that_do_not_exist_count_too() {
    let service = limited().await;
    let (admin, anonymous) = (service.admin().await, service.anonymous());
    assert_eq!(rate_limit(&admin.get("/v1/nothing").await.status(404)), headers(6, 5, 60));
    assert_eq!(rate_limit(&admin.delete("/v1/orders").await.status(405)), headers(6, 4, 60));
    assert_eq!(rate_limit(&anonymous.get("/v1/nothing").from(ADDRESS).await.status(404)), headers(3, 2, 60));
    anonymous.bearing("nonsense").get("/v1/nothing").from(ADDRESS).await.status(404);
    anonymous.delete("/v1/orders").from(ADDRESS).await.status(405);
    for path in ["/v1/nothing", "/v1/orders"] {
        let refused = anonymous.delete(path).from(ADDRESS).await.status(429).problem("rate_limited");
        assert_eq!((rate_limit(&refused), refused.header("retry-after")), (headers(3, 0, 60), "60"));
        assert_eq!(refused.maybe_header("allow").is_some(), path == "/v1/orders");
    }
    assert_eq!(anonymous.get("/nothing").from(ADDRESS).await.status(404).maybe_header("ratelimit"), None);
}

#[tokio::test]
async fn probes_and_pages_are_not_limited_and_zero_turns_the_limit_off() {
    let service = limited().await;
    for path in ["/livez", "/readyz", "/version", "/openapi.json", "/", "/docs", "/guide", "/problems"] {
        for _ in 0..4 {
            assert_eq!(service.anonymous().get(path).await.ok().maybe_header("ratelimit"), None, "{path}");
        }
    }
    let unlimited = Service::start().await;
    let answer = unlimited.admin().await.get("/v1/orders").await.ok();
    assert_eq!((answer.maybe_header("ratelimit"), answer.maybe_header("ratelimit-policy")), (None, None));
}
