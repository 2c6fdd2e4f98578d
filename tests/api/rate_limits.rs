//! How many requests a caller may make in a minute, and what they are told of it.

use crate::support::{Answer, PASSWORD, Service};
use serde_json::json;
use std::time::Duration;

/// Somebody may make 6 requests a minute, and a stranger 3.
async fn limited() -> Service {
    Service::with(&[("limits.requests_per_minute", "6")]).await
}

fn standing(answer: &Answer) -> (String, String) {
    (answer.header("ratelimit-policy").to_owned(), answer.header("ratelimit").to_owned())
}

fn said(allowed: u32, left: u32, seconds: u32) -> (String, String) {
    (format!("\"default\";q={allowed};w=60"), format!("\"default\";r={left};t={seconds}"))
}

#[tokio::test]
async fn every_answer_says_what_is_left_until_nothing_is() {
    let service = limited().await;
    let admin = service.admin().await;
    for (left, path) in [(5, "/v1/orders"), (4, "/v1/orders?a=1"), (3, "/v1/orders/x"), (2, "/v1/users")] {
        assert_eq!(standing(&admin.get(path).await), said(6, left, 60), "{path}");
    }
    service.pass(Duration::from_millis(19_500));
    assert_eq!(standing(&admin.get("/v1/auth/me").await.ok()), said(6, 1, 41));
    assert_eq!(standing(&admin.get("/v1/auth/me").await.ok()), said(6, 0, 41));
    let refused = admin.get("/v1/auth/me").await.status(429).problem("rate_limited");
    assert_eq!((standing(&refused), refused.header("retry-after")), (said(6, 0, 41), "41"));
    assert_eq!(refused["retryable"], true);
    service.pass(Duration::from_millis(40_500));
    assert_eq!(standing(&admin.get("/v1/auth/me").await.ok()), said(6, 5, 60));
}

#[tokio::test]
async fn callers_count_apart_and_all_sessions_of_one_together() {
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
    let again = service.anonymous().log_in("admin@example.com", PASSWORD).await;
    for _ in 0..3 {
        admin.get("/v1/auth/me").await.ok();
        again.get("/v1/auth/me").await.ok();
    }
    again.get("/v1/auth/me").await.status(429);
}

#[tokio::test]
async fn strangers_count_with_their_address() {
    let service = limited().await;
    let nobody = service.anonymous();
    let wrong = json!({"refresh_token": "ort_nothing"});
    let first = nobody.get("/v1/orders").from("198.51.100.7").await.status(401);
    assert_eq!(standing(&first), said(3, 2, 60));
    nobody.bearing("nonsense").get("/v1/orders").from("198.51.100.7").await.status(401);
    nobody.post("/v1/auth/refresh", wrong).from("198.51.100.7").await.status(401);
    nobody.get("/v1/orders").from("198.51.100.7").await.status(429).problem("rate_limited");
    nobody.get("/v1/orders").from("198.51.100.8").await.status(401);
    // Good credentials are no stranger's.
    service.admin().await.get("/v1/orders").from("198.51.100.7").await.ok();
}

#[tokio::test]
async fn what_does_not_exist_counts_too() {
    let service = limited().await;
    let (admin, nobody) = (service.admin().await, service.anonymous());
    assert_eq!(standing(&admin.get("/v1/nothing").await.status(404)), said(6, 5, 60));
    assert_eq!(standing(&admin.delete("/v1/orders").await.status(405)), said(6, 4, 60));
    assert_eq!(standing(&nobody.get("/v1/nothing").from("198.51.100.7").await.status(404)), said(3, 2, 60));
    nobody.bearing("nonsense").get("/v1/nothing").from("198.51.100.7").await.status(404);
    nobody.delete("/v1/orders").from("198.51.100.7").await.status(405);
    for path in ["/v1/nothing", "/v1/orders"] {
        let refused = nobody.delete(path).from("198.51.100.7").await.status(429).problem("rate_limited");
        assert_eq!((standing(&refused), refused.header("retry-after")), (said(3, 0, 60), "60"));
        assert_eq!(refused.maybe_header("allow").is_some(), path == "/v1/orders");
    }
    assert_eq!(nobody.get("/nothing").from("198.51.100.7").await.status(404).maybe_header("ratelimit"), None);
}

#[tokio::test]
async fn probes_and_pages_are_not_limited_and_zero_is_no_limit() {
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
