//! Events and audit entries record the trace of their request if the caller or a collector knows it too.

use crate::support::{Service, order_of};
use axum::http::Method;
use orderd::store::{Store, verify};
use rusqlite::Connection;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const ANOTHER: &str = "00-11111111111111111111111111111111-00f067aa0ba902b7-01";

/// The trace of each entry of a page; null if the entry has none.
fn traces(page: &Value) -> Vec<Value> {
    let entries = page["data"].as_array().unwrap();
    let of = |entry: &Value| entry.get("trace_id").inspect(|id| assert!(id.is_string(), "{entry}")).cloned();
    entries.iter().map(|entry| of(entry).unwrap_or_default()).collect()
}

#[tokio::test]
async fn events_and_audit_entries_record_only_the_trace_of_the_caller() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let order = staff.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("one").header("traceparent", PARENT);
    let order = order.await.created();
    let again = staff.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("one").header("traceparent", ANOTHER);
    assert_eq!(again.await.created().bytes(), order.bytes());
    let pay = |parent: &str| {
        let payment = staff.post(&format!("/v1/orders/{}/payments", order.id()), json!({"amount": 1}));
        payment.fresh_key().header("traceparent", parent).into_future()
    };
    pay(PARENT).await.created();
    pay("00-malformed").await.created();
    staff.pays(&order.id(), json!({"amount": 1})).await.created();
    let feed = admin.get("/v1/events").await.ok();
    assert_eq!(traces(feed.json()), [json!(TRACE), json!(TRACE), Value::Null, Value::Null]);
    let history = staff.get(&format!("/v1/orders/{}/events", order.id())).await.ok();
    assert_eq!(history["data"], feed["data"]);
    let trail = admin.get("/v1/audit?action=payments.create").await.ok();
    assert_eq!(traces(trail.json()), [Value::Null, Value::Null, json!(TRACE)]);
}

#[tokio::test]
async fn refused_requests_record_their_trace_too() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let wrong = json!({"email": "customer@example.com", "password": "a wrong but long phrase"});
    service.anonymous().post("/v1/auth/login", wrong).header("traceparent", PARENT).await.status(401);
    ada.get("/v1/users").header("traceparent", PARENT).await.status(403);
    let trail = admin.get("/v1/audit?limit=3").await.ok();
    assert_eq!(traces(trail.json()), [json!(TRACE), json!(TRACE), Value::Null]);
}

#[tokio::test]
async fn a_new_trace_is_recorded_if_a_collector_is_configured() {
    let service = Service::with(&[("traces.otlp_endpoint", "http://127.0.0.1:9/v1/traces")]).await;
    let admin = service.admin().await;
    admin.places(order_of(&[("tea", 1, 1000)])).await.created();
    let trail = admin.get("/v1/audit").await.ok();
    let named = traces(admin.get("/v1/events").await.ok().json()).into_iter().chain(traces(trail.json()));
    let named: Vec<_> = named.map(|id| id.as_str().expect("a trace").to_owned()).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(named.iter().all(|id| id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit())), "{named:?}");
    assert_ne!(named[0], named[1]);
}

#[tokio::test]
async fn ndjson_exports_have_the_trace_and_csv_exports_do_not() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let key = json!({"name": "k", "permissions": ["orders:read"]});
    admin.post("/v1/api-keys", key).header("traceparent", PARENT).await.status(201);
    let export = |media: &str| admin.call(Method::GET, "/v1/audit?action=api_keys.create").header("accept", media);
    let line: Value = serde_json::from_str(export("application/x-ndjson").await.ok().text()).unwrap();
    assert_eq!(line["trace_id"], TRACE);
    let csv = export("text/csv").await.ok();
    assert!(
        csv.text().starts_with("id,occurred_at,actor,actor_name,action,target,address,request_id,outcome,changes\r\n")
    );
}

#[tokio::test]
async fn verify_finds_a_changed_trace() {
    for (table, check) in [("events", "event_chain"), ("audit", "audit_chain")] {
        for change in ["randomblob(16)", "NULL"] {
            let service = Service::start().await;
            let admin = service.admin().await;
            let order = admin.post("/v1/orders", order_of(&[("tea", 1, 1000)])).fresh_key();
            let order = order.header("traceparent", PARENT).await.created();
            let pay = admin.post(&format!("/v1/orders/{}/payments", order.id()), json!({"amount": 1})).fresh_key();
            pay.header("traceparent", PARENT).await.created();
            service.stop().await;
            let faults = || {
                let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
                checks.into_iter().filter(|check| check.fault.is_some()).map(|check| check.name).collect::<Vec<_>>()
            };
            assert_eq!(faults(), [""; 0]);
            let raw = Connection::open(service.path()).unwrap();
            raw.execute_batch(&format!(
                "DROP TRIGGER {table}_{}",
                if table == "audit" { "is_not_changed" } else { "are_not_changed" }
            ))
            .unwrap();
            let sql = format!("UPDATE {table} SET trace_id = {change} WHERE trace_id IS NOT NULL");
            assert!(raw.execute(&sql, []).unwrap() > 0);
            assert!(faults().contains(&check), "{table} {change}");
        }
    }
}
