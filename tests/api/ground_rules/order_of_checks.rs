//! The order in which a request is checked: authentication, permission, size and media type, syntax, idempotency key,
//! meaning, existence and ownership, replay, If-Match, state. Each test sends a request with two faults, and the
//! earlier one is reported.

use crate::support::{Call, Client, Service, order_of};
use axum::http::Method;
use serde_json::json;

const NOWHERE: &str = "/v1/orders/ord_00000000000000000000000000";

/// The service and an order on which the tests try requests with two faults.
struct Scene {
    service: Service,
    staff: Client,
    /// A confirmed order, which cannot be placed.
    order: String,
}

async fn scene() -> Scene {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 100)])).await.created().id();
    staff.moves(&order, "confirm").await.ok();
    Scene { service, staff, order }
}

impl Scene {
    fn pay(&self, who: &Client, body: &str) -> Call {
        who.post(&format!("/v1/orders/{}/payments", self.order), json!({})).body("application/json", body.to_owned())
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_come_before_authentication() {
    let service = Service::start().await;
    let nobody = service.anonymous();
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/orders/", "/v2/orders", "/v1/orders/a/b/c", "/nothing", "/livez/"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.code(), 404, "{path}: {answer}");
        answer.problem("not_found");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/v1/orders", "GET,HEAD,POST"),
        (Method::PUT, "/v1/orders/ord_1", "GET,HEAD,PATCH"),
        (Method::GET, "/v1/auth/login", "POST"),
        (Method::POST, "/v1/analytics/daily", "GET,HEAD"),
        (Method::POST, "/livez", "GET,HEAD"),
        (Method::POST, "/docs", "GET,HEAD"),
        (Method::OPTIONS, "/v1/orders", "GET,HEAD,POST"),
    ] {
        let answer = nobody.call(method.clone(), path).await;
        assert_eq!(answer.code(), 405, "{method} {path}: {answer}");
        let answer = answer.problem("method_not_allowed");
        let mut found: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        found.sort_unstable();
        assert_eq!(found.join(","), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn authentication_comes_before_permission_and_all_else() {
    let scene = scene().await;
    let nobody = scene.service.anonymous();
    for call in [
        nobody.get("/v1/users"),
        nobody.get("/v1/orders?colour=red"),
        nobody.get(NOWHERE),
        scene.pay(&nobody, "{"),
        scene.pay(&nobody, "{}").body("text/plain", "a"),
        nobody.bearing("nonsense").get("/v1/orders"),
        nobody.get("/v1/orders").header("authorization", "Basic YTpi"),
        nobody.get("/v1/orders").header("authorization", "Bearer"),
        scene.staff.get("/v1/orders").header("authorization", "Bearer x"),
    ] {
        let answer = call.await.status(401).problem("unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn permission_comes_before_media_type_and_size() {
    let scene = scene().await;
    let analyst = scene.service.analyst().await;
    scene.pay(&analyst, "{}").body("text/plain", "a").await.status(403).problem("forbidden");
    scene.pay(&analyst, "{}").header("content-length", "9999999").await.status(403).problem("forbidden");
}

#[tokio::test]
async fn size_and_media_type_come_before_syntax() {
    let scene = scene().await;
    scene.pay(&scene.staff, "{").body("text/plain", "{").await.status(415);
    scene.pay(&scene.staff, &"{".repeat((1 << 20) + 1)).await.status(413);
}

#[tokio::test]
async fn syntax_comes_before_the_idempotency_key() {
    let scene = scene().await;
    scene.pay(&scene.staff, "{").await.status(400).problem("invalid_json");
    scene.pay(&scene.staff, "{").key("a b").await.status(400).problem("invalid_json");
}

#[tokio::test]
async fn the_idempotency_key_comes_before_meaning() {
    let scene = scene().await;
    scene.pay(&scene.staff, "{}").await.status(400).problem("idempotency_key_required");
    let malformed = scene.pay(&scene.staff, "{}").key("a b").await.status(400).problem("invalid_idempotency_key");
    malformed.faults(&[("Idempotency-Key", "invalid_format")]);
    let repeated = scene.pay(&scene.staff, "{}").key("a").key("a").await.status(400);
    repeated.problem("invalid_idempotency_key").faults(&[("Idempotency-Key", "repeated")]);
}

#[tokio::test]
async fn meaning_comes_before_existence_and_ownership() {
    let scene = scene().await;
    let staff = &scene.staff;
    staff.post(&format!("{NOWHERE}/payments"), json!({"amount": 0})).fresh_key().await.status(422);
    staff.patch(NOWHERE, json!({"colour": 1})).await.status(422).problem("validation_failed");
    staff.patch("/v1/orders/nonsense", json!({"colour": 1})).await.status(422).problem("validation_failed");
    let other = scene.service.other_customer().await;
    other.patch(&format!("/v1/orders/{}", scene.order), json!({"items": []})).await.status(422);
    staff.patch("/v1/orders/nonsense", json!({})).await.status(404).problem("not_found");
}

#[tokio::test]
async fn existence_and_ownership_come_before_replay() {
    let scene = scene().await;
    let (ada, other) = (scene.service.customer().await, scene.service.other_customer().await);
    ada.post("/v1/orders", order_of(&[("tea", 1, 100)])).key("k").await.created();
    // The key was used for another request, which would be 422. That the order is another customer's comes first.
    ada.patch(&format!("/v1/orders/{}", scene.order), json!({"note": "a"})).key("k").await.status(404);
    ada.patch(NOWHERE, json!({"note": "a"})).key("k").await.status(404).problem("not_found");
    other.patch(&format!("/v1/orders/{}", scene.order), json!({"note": "a"})).key("k").await.status(404);
}

#[tokio::test]
async fn replay_comes_before_if_match_and_state() {
    let scene = scene().await;
    let staff = &scene.staff;
    let path = format!("/v1/orders/{}/fulfil", scene.order);
    let first = staff.post(&path, json!({})).key("k").if_match(2).await.ok();
    // The version and the state have changed since; the replay is the original response.
    let again = staff.post(&path, json!({})).key("k").if_match(2).await.ok();
    assert_eq!((again.text(), again.header("etag")), (first.text(), "\"3\""));
    let reused = staff.post(&format!("/v1/orders/{}/confirm", scene.order), json!({})).key("k").if_match(1).await;
    reused.status(422).problem("idempotency_key_reused");
}

#[tokio::test]
async fn a_malformed_if_match_is_syntax() {
    let scene = scene().await;
    let analyst = scene.service.analyst().await;
    let patch = |who: &Client, path: &str, body| who.patch(path, body).header("if-match", "1");
    let path = format!("/v1/orders/{}", scene.order);
    patch(&analyst, &path, json!({})).await.status(403).problem("forbidden");
    patch(&scene.staff, &path, json!({})).body("text/plain", "{}").await.status(415);
    patch(&scene.staff, &path, json!({})).key("a b").await.status(400).problem("invalid_header");
    patch(&scene.staff, &path, json!({"colour": 1})).await.status(400).problem("invalid_header");
    patch(&scene.staff, NOWHERE, json!({})).await.status(400).problem("invalid_header");
    // Replay comes later, so a used key makes no difference.
    scene.staff.patch(&path, json!({"note": "a"})).key("k").await.ok();
    patch(&scene.staff, &path, json!({"note": "a"})).key("k").await.status(400).problem("invalid_header");
}

#[tokio::test]
async fn if_match_comes_before_state() {
    let scene = scene().await;
    let place = format!("/v1/orders/{}/place", scene.order);
    let answer = scene.staff.post(&place, json!({})).if_match(1).await.status(412).problem("version_mismatch");
    assert_eq!(answer["current_version"], 2);
    scene.staff.post(&place, json!({})).if_match(2).await.status(409).problem("invalid_transition");
    let frozen = scene.staff.patch(&format!("/v1/orders/{}", scene.order), json!({"fees": []}));
    frozen.if_match(1).await.status(412).problem("version_mismatch");
}

#[tokio::test]
async fn invalid_parameters_come_before_existence() {
    let scene = scene().await;
    scene.staff.get(&format!("{NOWHERE}/events?a=1")).await.status(400).problem("invalid_parameter");
    scene.staff.get(&format!("{NOWHERE}/events?cursor=x")).await.status(400).problem("invalid_cursor");
}
