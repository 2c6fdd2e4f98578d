//! Responses to failures that the request did not cause: slow bodies, time limits, expensive queries, internal errors.

use crate::support::{Service, order_of, with};
use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use std::{convert::Infallible, sync::mpsc, time::Duration};
use tokio::{runtime, task, time};

#[tokio::test]
async fn a_body_that_does_not_arrive_gives_408() {
    let service = Service::start().await;
    let staff = service.staff().await;
    if service.journal().is_some() {
        // Answers of PostgreSQL do not come while the clock is paused.
        return;
    }
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let call = staff.post("/v1/orders", json!({})).body("application/json", never).key("slow");
    // With the clock paused, the 30 seconds pass as soon as nothing else is left to do.
    time::pause();
    let answer = call.await.status(408).problem("slow_body");
    assert_eq!(answer["retryable"], true);
    time::resume();
    staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).key("slow").await.created();
}

#[test]
fn a_request_past_its_time_limit_gives_a_timeout() {
    let one_thread = runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    one_thread.block_on(async {
        let service = Service::start().await;
        let admin = service.admin().await;
        if service.journal().is_some() {
            // Answers of PostgreSQL do not come while the clock is paused.
            return;
        }
        // The only thread that could do the work is busy.
        let (done, busy) = mpsc::channel::<()>();
        let busy = task::spawn_blocking(move || busy.recv());
        time::pause();
        let answer = task::spawn(async move { admin.get("/v1/analytics/reconcile").await });
        while !answer.is_finished() {
            task::yield_now().await;
            time::advance(Duration::from_secs(1)).await;
        }
        let answer = answer.await.unwrap().status(503).problem("timeout");
        assert_eq!((&answer["retryable"], answer.header("retry-after")), (&json!(true), "1"));
        drop(done);
        busy.await.unwrap().unwrap_err();
    });
}

#[tokio::test]
async fn a_query_past_its_time_limit_is_interrupted() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let order = |i: i32| with(order_of(&[("tea", 1, 100), ("mug", 2, 900)]), "external_ref", i.to_string()).to_string();
    let lines: Vec<_> = (0..500).map(order).collect();
    let import = admin.post("/v1/orders/import", json!({})).body("application/x-ndjson", lines.join("\n")).await.ok();
    assert_eq!(import.text().matches("created").count(), lines.len());
    admin.get("/v1/analytics/reconcile").await.ok();
    service.stop().await;
    // Comparing all rollups with all rows takes many times as long as 1 ms.
    service.open_with(&[("server.request_timeout", "1ms")]);
    let answer = admin.get("/v1/analytics/reconcile").await.status(503).problem("query_too_expensive");
    assert_eq!(answer["retryable"], true);
}

#[tokio::test]
async fn an_internal_error_does_not_reveal_its_cause() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let other = rusqlite::Connection::open(service.path()).unwrap();
    other.execute_batch("ALTER TABLE idempotency_keys RENAME TO stolen").unwrap();
    let answer = admin.get("/v1/idempotency-keys/mine").await.status(500).problem("internal");
    assert_eq!(answer["retryable"], false);
    assert!(!answer.text().contains("table") && !answer.text().contains("SQL"), "{answer}");
}
