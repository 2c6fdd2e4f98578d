//! Query parameters: unknown, repeated and invalid ones are refused, and the valid ones listed.

use crate::support::{Service, order_of};
use serde_json::json;

#[tokio::test]
async fn the_error_names_wrong_parameters_and_lists_the_valid_ones() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let answer = staff.get("/v1/orders?colour=red&limit=1&limit=2&status=gone&user_id=ada").await.status(400);
    let answer = answer.problem("invalid_parameter").faults(&[
        ("colour", "unknown_parameter"),
        ("limit", "repeated"),
        ("status", "invalid_value"),
        ("user_id", "invalid_format"),
    ]);
    let detail = answer["detail"].as_str().unwrap();
    for valid in ["limit", "cursor", "status", "payment_status", "user_id"] {
        assert!(detail.contains(valid), "{detail}");
    }
    for (query, place, code) in [
        ("limit=0", "limit", "too_small"),
        ("limit=-1", "limit", "too_small"),
        ("limit=ten", "limit", "wrong_type"),
        ("limit=", "limit", "wrong_type"),
        ("limit=1.5", "limit", "wrong_type"),
        ("status=", "status", "invalid_value"),
        ("status=pending,", "status", "invalid_value"),
        ("status=%zz", "status", "invalid_format"),
        ("Limit=1", "Limit", "unknown_parameter"),
    ] {
        let answer = staff.get(&format!("/v1/orders?{query}")).await.status(400);
        answer.problem("invalid_parameter").faults(&[(place, code)]);
    }
}

#[tokio::test]
async fn parameters_are_refused_where_none_are_defined() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 100)])).await.created();
    let id = order.id();
    for path in [
        format!("/v1/orders/{id}?expand=items"),
        format!("/v1/orders/number/{}?a=1", order["number"]),
        "/v1/auth/me?a".to_owned(),
        format!("/v1/users/{}?a=1", staff.id),
    ] {
        let answer = staff.get(&path).await;
        assert_eq!(answer.code(), 400, "{path}: {answer}");
        answer.problem("invalid_parameter");
    }
    for path in ["/livez?a=1", "/version?a=1", "/openapi.json?a=1", "/docs?a=1"] {
        staff.get(path).await.ok();
    }
    let answer = staff.post("/v1/orders?dry_run=true", order_of(&[("tea", 1, 100)])).fresh_key().await.status(400);
    answer.problem("invalid_parameter").faults(&[("dry_run", "unknown_parameter")]);
    let call = staff.post(&format!("/v1/orders/{id}/confirm?force=1"), json!({}));
    call.await.status(400).problem("invalid_parameter");
}

#[tokio::test]
async fn a_limit_above_the_maximum_is_lowered() {
    let service = Service::start().await;
    let page = service.staff().await.get("/v1/orders?limit=99999999999999999999").await.ok();
    assert_eq!(page["page"]["limit"], 200);
    assert_eq!(service.staff().await.get("/v1/orders").await.ok()["page"]["limit"], 50);
}
