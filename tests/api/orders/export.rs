//! `orders.list` and the other lists as CSV and NDJSON: all rows, streamed.

use super::list::ids;
use crate::support::{Answer, Client, Service, order_of, with};
use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt;
use orderd::api;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn export(who: &Client, path: &str, media: &str) -> Answer {
    who.call(Method::GET, path).header("accept", media).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const HEADER: &str = "id,number,status,payment_status,currency,prices_include_tax,user_id,external_ref,subtotal_amount,\
    order_discount_amount,discount_amount,fee_amount,tax_amount,total_amount,paid_amount,refunded_amount,\
    credited_amount,credited_tax_amount,balance_amount,note,version,created_by,created_at,updated_at,placed_at,confirmed_at,fulfilled_at,cancelled_at,\
    cancel_reason,customer_name,customer_email";

#[tokio::test]
async fn csv_has_the_scalar_fields_in_order_and_escapes_formulas() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let mut body = with(order_of(&[("tea", 2, 1250)]), "external_ref", "@SUM(A1)");
    body["note"] = json!("=cmd|' /C calc'!A0, \"quoted\"\nnext line");
    body["customer"] = json!({"name": "-2+3", "email": "+49@example.com"});
    let order = manager.places(body).await.created();
    manager.pays(&order.id(), json!({"amount": 3000})).await.created();
    let draft = manager.places(with(order_of(&[("tea", 1, 5)]), "draft", true)).await.created();
    let answer = export(&manager, "/v1/orders?sort=created_at", "text/csv").await.ok();
    assert!(answer.header("content-type").starts_with("text/csv"), "{answer}");
    let (id, me, at) = (order.id(), &manager.id, "2026-06-15T12:00:00.000Z");
    let expected = [
        HEADER.to_owned(),
        format!(
            "{id},1,pending,overpaid,EUR,false,{me},'@SUM(A1),2500,0,0,0,0,2500,3000,0,0,0,-500,\
             \"'=cmd|' /C calc'!A0, \"\"quoted\"\"\nnext line\",2,{me},{at},{at},{at},,,,,'-2+3,'+49@example.com"
        ),
        format!("{},,draft,unpaid,EUR,false,{me},,5,0,0,0,0,5,0,0,0,0,5,,1,{me},{at},{at},,,,,,,", draft.id()),
        String::new(),
    ];
    assert_eq!(answer.text(), expected.join("\r\n"));
}

#[tokio::test]
async fn ndjson_lines_are_the_entries_of_the_list() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    for n in 0..7 {
        staff.places(order_of(&[("tea", 1, n)])).await.created();
        ada.places(order_of(&[("cup", 1, n)])).await.created();
    }
    for query in ["", "?sku=cup&sort=-total_amount", "?sort=updated_at", "?q=nothing"] {
        let path = format!("/v1/orders{query}");
        let answer = export(&staff, &path, "application/x-ndjson").await.ok();
        assert_eq!(lines(&answer), staff.walk(&path).await, "{query}");
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
    }
    let hers = export(&ada, "/v1/orders", "application/x-ndjson").await.ok();
    assert_eq!(ids(&lines(&hers)), ids(&ada.walk("/v1/orders").await));
}

/// An export builds orders from their columns. A single order or a page usually takes them from their newest events.
#[tokio::test]
async fn an_order_is_the_same_from_its_event_and_from_its_columns() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let mut body = order_of(&[("tea", 2, 1250), ("cup", 1, 333)]);
    body["items"][1]["tax_rate"] = "8.875".into();
    body["fees"] = json!([{"name": "Post", "amount": 490}]);
    body["customer"] = json!({"name": "Ada \"L.\" \u{2028}", "address": "1\n2"});
    body["metadata"] = json!({"colour": "red", "a": "ä"});
    body["draft"] = true.into();
    let order = manager.places(body).await.created().id();
    let path = format!("/v1/orders/{order}");
    let same = async |after: &str| {
        let alone = manager.get(&path).await.ok();
        assert_eq!(
            lines(&export(&manager, "/v1/orders", "application/x-ndjson").await.ok()),
            [alone.json().clone()],
            "{after}"
        );
        assert_eq!(manager.walk("/v1/orders").await, [alone.json().clone()], "{after}");
    };
    same("making").await;
    manager.patch(&path, json!({"note": "=1", "customer": {"phone": "1"}})).await.ok();
    same("a change").await;
    manager.moves(&order, "place").await.ok();
    same("placing").await;
    manager.pays(&order, json!({"amount": 3000})).await.created();
    same("a payment").await;
    manager.moves(&order, "confirm").await.ok();
    same("confirming a paid order").await;
    manager.refunds(&order, json!({"amount": 10})).await.created();
    same("a refund").await;
    manager.post(&format!("{path}/cancel"), json!({"refund": "full", "reason": "lost"})).await.ok();
    same("a cancellation with a refund").await;
}

#[tokio::test]
async fn an_export_is_not_limited_to_a_page() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let body: String = (0..1_203)
        .map(|n| with(order_of(&[("tea", 1, n)]), "external_ref", n.to_string()).to_string() + "\n")
        .collect();
    staff.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", body).await.ok();
    let csv = export(&staff, "/v1/orders", "text/csv").await.ok();
    let rows: Vec<_> = csv.text().lines().collect();
    assert_eq!((rows.len(), rows[0]), (1_204, HEADER));
    let mut numbers: Vec<u64> = rows[1..].iter().map(|row| row.split(',').nth(1).unwrap().parse().unwrap()).collect();
    numbers.reverse();
    assert_eq!(numbers, (1..=1_203).collect::<Vec<_>>());
    let events = export(&staff, "/v1/events?after=3", "application/x-ndjson").await.ok();
    let seqs: Vec<_> = lines(&events).iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (4..=1_203).collect::<Vec<_>>());
}

/// Reads an export part by part and makes `change` after the first. Returns the number of parts, and whether the export
/// was complete.
async fn parts(service: &Service, who: &Client, change: impl AsyncFnOnce()) -> (usize, bool) {
    let request = Request::get("/v1/orders").header("accept", "text/csv");
    let request = request.header("authorization", format!("Bearer {}", who.token())).body(Body::empty()).unwrap();
    let Ok(response) = api::router(service.app()).oneshot(request).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    change().await;
    let mut parts = 1;
    while let Some(part) = body.frame().await {
        if part.is_err() {
            return (parts, false);
        }
        parts += 1;
    }
    (parts, true)
}

#[tokio::test]
async fn an_export_aborts_when_its_caller_loses_a_right() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let body: String = (0..1_100)
        .map(|n| with(order_of(&[("tea", 1, n)]), "external_ref", n.to_string()).to_string() + "\n")
        .collect();
    staff.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", body).await.ok();
    let user = format!("/v1/users/{}", staff.id);
    assert_eq!(parts(&service, &staff, async || {}).await, (3, true));
    let change = async |body: Value| drop(admin.patch(&user, body).await.ok());
    let promoted = parts(&service, &staff, async || change(json!({"role": "manager"})).await).await;
    assert_eq!(promoted, (3, true));
    let demoted = parts(&service, &staff, async || change(json!({"role": "customer"})).await).await;
    assert_eq!(demoted, (1, false), "a customer may list orders too, but not these");
    change(json!({"role": "staff"})).await;
    let disabled = parts(&service, &staff, async || change(json!({"status": "disabled"})).await).await;
    assert_eq!(disabled, (1, false));
    let key = json!({"name": "till", "permissions": ["orders:read"]});
    let key = admin.post("/v1/api-keys", key).await.created();
    let till = admin.bearing(key["secret"].as_str().unwrap());
    let revoke = async || drop(admin.delete(&format!("/v1/api-keys/{}", key.id())).await.no_content());
    assert_eq!(parts(&service, &till, revoke).await, (1, false));
}

#[tokio::test]
async fn other_lists_can_be_exported() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let order = manager.places(order_of(&[("tea", 2, 1250)])).await.created().id();
    let payment = manager.pays(&order, json!({"amount": 1000, "provider": "bank"})).await.created().id();
    let body = json!({"amount": 10, "payment_id": payment, "reason": "=1"});
    let refund = manager.refunds(&order, body).await.created().id();
    let path = format!("/v1/orders/{order}/transactions");
    let at = "2026-06-15T12:00:00.000Z";
    let csv = export(&manager, &path, "text/csv").await.ok();
    let expected = [
        "id,order_id,order_number,kind,status,amount,credit_amount,credit_tax_amount,currency,provider,provider_ref,\
            payment_id,reason,occurred_at,recorded_at,reversed_at"
            .to_owned(),
        format!("{refund},{order},1,refund,succeeded,10,10,0,EUR,,,{payment},'=1,{at},{at},"),
        format!("{payment},{order},1,payment,succeeded,1000,0,0,EUR,bank,,,,{at},{at},"),
        String::new(),
    ];
    assert_eq!(csv.text(), expected.join("\r\n"));
    let all = export(&manager, &path, "application/x-ndjson").await.ok();
    assert_eq!(lines(&all), manager.walk(&path).await);
    for path in [format!("/v1/orders/{order}/events"), "/v1/events".to_owned()] {
        let csv = export(&manager, &path, "text/csv").await.ok();
        assert!(csv.text().starts_with(
            "seq,id,type,order_id,order_number,version,actor,actor_name,request_id,occurred_at,data\r\n1,evt_"
        ));
        let all = export(&manager, &path, "application/x-ndjson").await.ok();
        assert_eq!(lines(&all), *manager.get(&path).await.ok()["data"].as_array().unwrap());
    }
}

#[tokio::test]
async fn paging_parameters_are_refused_for_exports_and_json_is_the_default() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 1)])).await.created().id();
    let refused = export(&staff, "/v1/orders?limit=1&cursor=x", "text/csv").await.status(400);
    refused.problem("invalid_parameter").faults(&[("limit", "conflict"), ("cursor", "conflict")]);
    for path in [format!("/v1/orders/{order}/events?limit=1"), format!("/v1/orders/{order}/transactions?cursor=a")] {
        export(&staff, &path, "application/x-ndjson").await.status(400).problem("invalid_parameter");
    }
    export(&staff, "/v1/events?wait=1", "text/csv").await.status(400).problem("invalid_parameter");
    for accept in ["*/*", "image/png", "text/html, */*;q=0.8", "text/csv;q=0", "application/json, text/csv;q=0.9"] {
        let page = export(&staff, "/v1/orders", accept).await.ok();
        assert_eq!(page["page"]["has_more"], false, "{accept}");
    }
    service.anonymous().call(Method::GET, "/v1/orders").header("accept", "text/csv").await.status(401);
    let foreign = format!("/v1/orders/{order}/transactions");
    export(&service.customer().await, &foreign, "text/csv").await.status(404).problem("not_found");
}
