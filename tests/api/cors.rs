//! Cross-origin requests: refused by default, allowed for the configured origins.

use crate::support::{Answer, Client, PASSWORD, Service};
use axum::http::Method;

const SHOP: &str = "https://shop.example";

async fn preflight(client: &Client, origin: &str) -> Answer {
    let call = client.call(Method::OPTIONS, "/v1/orders").header("origin", origin);
    call.header("access-control-request-method", "POST").header("access-control-request-headers", "authorization").await
}

async fn service_with_shop_origin() -> Service {
    Service::with(&[("server.cors_origins", "https://shop.example,http://localhost:3000")]).await
}

#[tokio::test]
async fn no_origin_is_allowed_by_default() {
    let service = Service::start().await;
    let answer = preflight(&service.anonymous(), SHOP).await.status(405);
    assert!(answer.header_names().all(|name| !name.starts_with("access-control-")), "{answer}");
    let answer = service.staff().await.get("/v1/orders").header("origin", SHOP).await.ok();
    assert!(answer.header_names().all(|name| !name.starts_with("access-control-")), "{answer}");
}

#[tokio::test]
async fn a_configured_origin_may_send_requests_and_read_responses() {
    let service = service_with_shop_origin().await;
    let answer = preflight(&service.anonymous(), SHOP).await.status(204);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    assert!(answer.header("access-control-allow-methods").contains("PATCH"), "{answer}");
    for name in ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-Request-Id"] {
        assert!(answer.header("access-control-allow-headers").contains(name), "{name}: {answer}");
    }
    // What a browser would add by itself stays with the pages of this server.
    for name in ["x-console-key", "cookie", "*"] {
        assert!(!answer.header("access-control-allow-headers").to_lowercase().contains(name), "{name}: {answer}");
    }
    assert_eq!(answer.maybe_header("access-control-allow-credentials"), None, "{answer}");
    let refused = service.anonymous().get("/v1/orders").header("origin", SHOP).await.status(401);
    let listed = service.staff().await.get("/v1/orders").header("origin", SHOP).await.ok();
    for answer in [refused, listed] {
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_eq!(answer.header("vary"), "Accept, Accept-Encoding, Origin");
        for name in ["ETag", "Location", "Link", "RateLimit", "Retry-After", "Idempotent-Replayed", "X-Request-Id"] {
            assert!(answer.header("access-control-expose-headers").contains(name), "{name}: {answer}");
        }
        assert_eq!(answer.maybe_header("access-control-allow-credentials"), None, "{answer}");
    }
}

#[tokio::test]
async fn no_page_of_another_origin_can_use_the_session_of_a_browser() {
    let service = service_with_shop_origin().await;
    let call = service.anonymous().call(Method::OPTIONS, "/v1/auth/session").header("origin", SHOP);
    let call = call.header("access-control-request-method", "DELETE");
    let answer = call.header("access-control-request-headers", "x-console-key").await.status(204);
    assert!(!answer.header("access-control-allow-headers").to_lowercase().contains("console"), "{answer}");
    service.admin().await;
    let browser = service.anonymous().sign_in("admin@example.com", PASSWORD).await;
    for answer in [answer, browser.get("/v1/auth/me").header("origin", SHOP).await.ok()] {
        assert_eq!(answer.maybe_header("access-control-allow-credentials"), None, "{answer}");
        assert!(!answer.header("access-control-expose-headers").to_lowercase().contains("cookie"), "{answer}");
    }
}

#[tokio::test]
async fn other_origins_are_not_allowed() {
    let service = service_with_shop_origin().await;
    let staff = service.staff().await;
    for origin in ["https://shop.example.evil", "http://shop.example", "https://shop.example:8443", "null", "*", ""] {
        let asked = preflight(&staff, origin).await.status(405);
        let listed = staff.get("/v1/orders").header("origin", origin).await.ok();
        for (answer, vary) in [(asked, "Accept-Encoding, Origin"), (listed, "Accept, Accept-Encoding, Origin")] {
            assert_eq!(answer.header("vary"), vary);
            assert!(answer.header_names().all(|name| !name.starts_with("access-control-")), "{origin}: {answer}");
        }
    }
    let answer = staff.get("/v1/auth/me").await.ok();
    assert_eq!(
        (answer.header("vary"), answer.maybe_header("access-control-allow-origin")),
        ("Accept-Encoding, Origin", None)
    );
}
