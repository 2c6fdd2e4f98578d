//! What every response has: the request identifier, security headers, and errors in one format.

use crate::support::{Answer, Service, order_of};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn a_valid_request_id_is_kept() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for id in ["a", "A-1_b.c", &"x".repeat(128), "req_1"] {
        let answer = staff.get("/v1/orders").header("x-request-id", id).await.ok();
        assert_eq!(answer.header("x-request-id"), id);
        let problem = staff.get("/v1/nothing").header("x-request-id", id).await.status(404).problem("not_found");
        assert_eq!(problem["request_id"], id);
    }
}

#[tokio::test]
async fn any_other_request_id_is_replaced() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let mut seen = BTreeSet::new();
    for id in ["", "a b", "ä", "a/b", "a\"b", &"x".repeat(129)] {
        let answer = staff.get("/v1/nothing").header("x-request-id", id).await.problem("not_found");
        let fresh = answer.header("x-request-id");
        assert!(fresh.starts_with("req_") && fresh.len() == 30, "{id:?}: {answer}");
        assert!(seen.insert(fresh.to_owned()), "given twice: {answer}");
    }
    let twice = staff.get("/v1/orders").header("x-request-id", "a").header("x-request-id", "b").await.ok();
    assert!(twice.header("x-request-id").starts_with("req_"), "{twice}");
}

#[tokio::test]
async fn the_event_has_the_request_id() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let call = staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).fresh_key().header("x-request-id", "mine");
    let order = call.await.created();
    let events = staff.get(&format!("/v1/orders/{}/events", order.id())).await.ok();
    assert_eq!(events["data"][0]["request_id"], "mine");
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let api = ["/v1/orders", "/v1/nothing", "/v1/orders?a=1"];
    let others = ["/livez", "/", "/docs", "/nothing", "/openapi.json", "/assets/style.css"];
    for path in api.into_iter().chain(others) {
        let answer = staff.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer}");
        assert_eq!(answer.maybe_header("access-control-allow-origin"), None, "{answer}");
        assert_eq!(answer.maybe_header("server"), None, "{answer}");
        if path.starts_with("/v1/") {
            assert_eq!(answer.header("cache-control"), "no-store", "{answer}");
        }
    }
    let login = service.anonymous().post("/v1/auth/login", json!({"email": "a@b.c", "password": "x"})).await;
    assert_eq!(login.status(401).header("cache-control"), "no-store");
    for page in ["/", "/docs", "/problems", "/guide"] {
        let answer = staff.get(page).await.ok();
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{page}");
    }
}

/// Fails unless the problem has every member of RFC 9457 and of this service, and its page exists.
async fn is_complete(service: &Service, answer: Answer, path: &str) {
    let path = path.split('?').next().unwrap();
    assert_eq!(answer["instance"], path, "{answer}");
    for member in ["type", "title", "detail", "code", "request_id"] {
        assert!(answer[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {answer}");
    }
    assert!(answer["retryable"].is_boolean(), "{answer}");
    let slug = answer["code"].as_str().unwrap().replace('_', "-");
    assert_eq!(answer["type"], format!("/problems/{slug}"), "{answer}");
    let page = service.anonymous().get(answer["type"].as_str().unwrap()).await.ok();
    assert!(page.header("content-type").starts_with("text/html"), "{page}");
}

#[tokio::test]
async fn every_problem_has_the_same_shape_and_a_page() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for path in ["/v1/nothing", "/v1/users", "/v1/orders?a=1", "/v1/orders/x", "/v1/orders?cursor=x", "/livez/a"] {
        let answer = staff.get(path).await;
        is_complete(&service, answer, path).await;
    }
    let answer = staff.post("/v1/orders", json!({})).await.status(400);
    is_complete(&service, answer, "/v1/orders").await;
    let answer = staff.delete("/v1/orders").await.status(405);
    is_complete(&service, answer, "/v1/orders").await;
}

#[tokio::test]
async fn every_problem_of_the_catalogue_has_a_page() {
    let nobody = Service::start().await.anonymous();
    for problem in orderd::error::ALL {
        let page = nobody.get(&format!("/problems/{}", problem.slug())).await.ok();
        assert!(page.text().contains(problem.code), "{page}");
    }
    nobody.get("/problems/nothing").await.status(404).problem("not_found");
}

#[tokio::test]
async fn times_are_in_utc_with_milliseconds() {
    let service = Service::start().await;
    service.at("2026-11-23T03:14:11.120Z");
    let order = service.staff().await.places(order_of(&[("tea", 1, 100)])).await.created();
    assert_eq!(order["created_at"], "2026-11-23T03:14:11.120Z");
}

#[tokio::test]
async fn an_id_of_another_type_or_form_is_not_found() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let order = staff.places(order_of(&[("tea", 1, 100)])).await.created().id();
    let user = order.replace("ord_", "usr_");
    let upper = order.to_uppercase();
    for id in [user.as_str(), &upper, &order[..29], "1", "ord_", "%00", "%ff", "ord_zzzzzzzzzzzzzzzzzzzzzzzzzz"] {
        staff.get(&format!("/v1/orders/{id}")).await.status(404).problem("not_found");
        staff.get(&format!("/v1/transactions/{id}")).await.status(404).problem("not_found");
        admin.get(&format!("/v1/users/{id}")).await.status(404).problem("not_found");
    }
    for number in ["0", "-1", "+1", "1.0", "one", "99999999999999999999", "%31x"] {
        staff.get(&format!("/v1/orders/number/{number}")).await.status(404).problem("not_found");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let service = Service::start().await;
    let answer = service.staff().await.call(axum::http::Method::HEAD, "/v1/orders").await.ok();
    assert!(answer.bytes().is_empty(), "{answer}");
}
