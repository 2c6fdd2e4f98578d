//! What becomes of deliveries that fail, of those behind a slow endpoint, and of the endpoints themselves.

use super::{Answer, Receiver, Scene, all, secret, signed};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn a_failed_delivery_is_tried_again_by_the_schedule_and_then_given_up() {
    let scene = Scene::new().await;
    scene.receiver.answers([Answer::Status(500), Answer::Redirect("/other".into()), Answer::Status(404)]);
    scene.order().await;
    let pending = scene.deliveries(1, all("pending")).await;
    assert_eq!(pending[0]["attempts"][0]["status_code"], 500);
    let next = pending[0]["next_attempt_at"].as_str().unwrap();
    assert!(("2026-06-15T12:00:04.500Z"..="2026-06-15T12:00:05.500Z").contains(&next), "{next}");
    scene.service.pass(Duration::from_secs(6));
    scene.receiver.wait_for(2).await;
    let tried = |count: usize| move |found: &[Value]| found[0]["attempts"].as_array().unwrap().len() == count;
    let pending = scene.deliveries(1, tried(2)).await;
    assert_eq!(pending[0]["status"], "pending");
    assert!(pending[0]["attempts"][1]["error"].as_str().unwrap().contains("redirects are not followed"));
    scene.service.pass(Duration::from_mins(6));
    let failed = scene.deliveries(1, all("failed")).await;
    assert_eq!(failed[0]["attempts"].as_array().unwrap().len(), 3);
    let messages = scene.receiver.received();
    assert!(messages.iter().all(|message| message.header("webhook-id") == messages[0].header("webhook-id")));
    assert!(messages.iter().all(|message| signed(message, &secret(&scene.endpoint)).0));
    assert_ne!(messages[0].header("webhook-timestamp"), messages[2].header("webhook-timestamp"));
    let retry = scene.path(&format!("/deliveries/{}/retry", failed[0]["id"].as_str().unwrap()));
    assert_eq!(scene.admin.call(axum::http::Method::POST, &retry).await.status(202)["status"], "pending");
    scene.deliveries(1, all("delivered")).await;
    scene.stop().await;
}

#[tokio::test]
async fn a_receiver_can_ask_to_be_left_alone_for_a_while() {
    let scene = Scene::new().await;
    scene.receiver.answers([
        Answer::RetryAfter(503, "60"),
        Answer::RetryAfter(503, "Mon, 15 Jun 2026 18:00:00 GMT"),
        Answer::Body(200, 100_000),
    ]);
    scene.order().await;
    let pending = scene.deliveries(1, all("pending")).await;
    assert_eq!(pending[0]["next_attempt_at"], "2026-06-15T12:01:00.000Z");
    scene.service.pass(Duration::from_mins(1));
    scene.receiver.wait_for(2).await;
    let pending = scene.deliveries(1, |found| found[0]["attempts"].as_array().unwrap().len() == 2).await;
    assert_eq!(pending[0]["next_attempt_at"], "2026-06-15T18:00:00.000Z");
    scene.service.at("2026-06-15T18:00:00Z");
    let delivered = scene.deliveries(1, all("delivered")).await;
    assert_eq!(delivered[0]["attempts"][2]["status_code"], 200, "however long the answer is");
    scene.stop().await;
}

/// A receiver that gives each request the same bytes and hangs up.
async fn cutting_off(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            let mut request = vec![];
            // The body ends with the braces of the event and of the message.
            while !request.ends_with(b"}}") && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn the_status_counts_whatever_becomes_of_the_body() {
    let scene = Scene::new().await;
    for (answer, status, next) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "delivered", Value::Null),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", "delivered", Value::Null),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 10\r\n\r\nhalf",
            "pending",
            json!("2026-06-15T12:01:00.000Z"),
        ),
    ] {
        let body = json!({"url": cutting_off(answer).await});
        let id = scene.admin.post("/v1/webhooks", body).await.created().id();
        scene.order().await;
        let found = scene.deliveries_to(&id, 1, all(status)).await;
        assert_eq!(found[0]["next_attempt_at"], next, "{answer:?}");
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_slow_endpoint_delays_no_other() {
    let scene = Scene::new().await;
    scene.receiver.answers(vec![Answer::Hang; 8]);
    let quick = Receiver::start().await;
    scene.admin.post("/v1/webhooks", json!({"url": quick.url})).await.created();
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        scene.order().await;
    }
    quick.wait_for(20).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(scene.receiver.received().len() <= 4);
    scene.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_at_once() {
    let scene = Scene::new().await;
    scene.receiver.answers([Answer::Status(410)]);
    scene.order().await;
    scene.deliveries(1, all("failed")).await;
    let endpoint = scene.admin.get(&scene.path("")).await.ok();
    assert_eq!((&endpoint["status"], &endpoint["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    scene.order().await;
    scene.admin.call(axum::http::Method::POST, &scene.path("/ping")).await.status(409).problem("webhook_disabled");
    let trail = scene.admin.get("/v1/audit?action=webhooks.disable").await.ok();
    assert_eq!(
        (&trail["data"][0]["actor"], &trail["data"][0]["target"]),
        (&json!("system"), &json!(scene.endpoint.id()))
    );
    let enabled = scene.admin.patch(&scene.path(""), json!({"status": "active"})).await.ok();
    assert_eq!((&enabled["status"], &enabled["disabled_reason"]), (&json!("active"), &Value::Null));
    scene.order().await;
    let messages = scene.receiver.wait_for(2).await;
    let seqs: Vec<_> = messages.iter().map(|message| message.json()["data"]["seq"].clone()).collect();
    assert_eq!(seqs, [1, 3], "what happened while it was disabled is not sent");
    scene.admin.post(&scene.path("/replay"), json!({"after": 1})).await.status(202);
    let messages = scene.receiver.wait_for(4).await;
    let mut seqs: Vec<_> = messages[2..].iter().map(|message| message.json()["data"]["seq"].as_i64()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [Some(2), Some(3)]);
    scene.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_only_fails_is_disabled_after_five_days() {
    let scene = Scene::new().await;
    scene.receiver.answers(vec![Answer::Status(500); 3]);
    scene.order().await;
    scene.deliveries(1, all("pending")).await;
    let endpoint = scene.admin.get(&scene.path("")).await.ok();
    assert_eq!(endpoint["failing_since"], "2026-06-15T12:00:00.000Z");
    scene.service.pass(Duration::from_hours(5 * 24 - 1));
    scene.deliveries(1, |found| found[0]["attempts"].as_array().unwrap().len() == 2).await;
    assert_eq!(scene.admin.get(&scene.path("")).await.ok()["status"], "active");
    scene.service.pass(Duration::from_hours(1));
    scene.deliveries(1, |found| found[0]["attempts"].as_array().unwrap().len() == 3).await;
    let endpoint = scene.admin.get(&scene.path("")).await.ok();
    assert_eq!((&endpoint["status"], &endpoint["disabled_reason"]), (&json!("disabled"), &json!("failing")));
    scene.stop().await;
}
