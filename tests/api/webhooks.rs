//! Webhooks: endpoints, signed deliveries to a real receiver, and what becomes of deliveries that fail.

mod addresses;
mod endpoints;
mod erasure;
mod receiver;

use crate::support::{Answer as Reply, Client, Service, order_of};
use hmac::{Hmac, KeyInit as _, Mac as _};
use orderd::worker::{self, Supervisor};
use receiver::{Answer, Message, Receiver};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const RETRIES: (&str, &str) = ("webhooks.retries", "5s,5m");
const PRIVATE: (&str, &str) = ("webhooks.allow_private", "true");

/// A service that delivers, its administrator and an endpoint at a receiver.
struct Scene {
    service: Service,
    worker: Supervisor,
    admin: Client,
    receiver: Receiver,
    endpoint: Reply,
}

impl Scene {
    async fn new() -> Self {
        let service = Service::with(&[RETRIES, PRIVATE]).await;
        let worker = worker::start(&service.app());
        let (admin, receiver) = (service.admin().await, Receiver::start().await);
        let endpoint = admin.post("/v1/webhooks", json!({"url": receiver.url})).await.created();
        Self { service, worker, admin, receiver, endpoint }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/webhooks/{}{rest}", self.endpoint.id())
    }

    async fn order(&self) -> String {
        self.admin.places(order_of(&[("tea", 1, 1000)])).await.created().id()
    }

    /// The deliveries, newest first, once there are `count` of them and they fit.
    async fn deliveries(&self, count: usize, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.deliveries_to(&self.endpoint.id(), count, fits).await
    }

    async fn deliveries_to(&self, endpoint: &str, count: usize, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let path = format!("/v1/webhooks/{endpoint}/deliveries?limit=200");
        let found = async {
            loop {
                let page = self.admin.get(&path).await.ok();
                let found = page["data"].as_array().unwrap().clone();
                if found.len() >= count && fits(&found) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("deliveries in time")
    }

    async fn stop(self) {
        self.worker.stop().await;
    }

    /// Stops the server as a crash would: nothing is recorded any more. Then it starts again.
    async fn crash(&mut self) {
        // Dropping the supervisor aborts its tasks.
        let idle = Supervisor::idle();
        drop(std::mem::replace(&mut self.worker, idle));
        self.service.reopen().await;
        self.worker = worker::start(&self.service.app());
    }
}

/// Whether one of the message's signatures is that of `secret`, and how many there are.
fn signed(message: &Message, secret: &str) -> (bool, usize) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", message.header("webhook-id"), message.header("webhook-timestamp")).as_bytes());
    mac.update(&message.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let signatures: Vec<_> = message.header("webhook-signature").split(' ').collect();
    (signatures.contains(&expected.as_str()), signatures.len())
}

fn secret(reply: &Reply) -> String {
    reply["secret"].as_str().unwrap().to_owned()
}

fn all(status: &'static str) -> impl Fn(&[Value]) -> bool {
    move |found| found.iter().all(|delivery| delivery["status"] == status)
}

#[tokio::test]
async fn an_event_is_delivered_signed_and_stands_among_the_deliveries() {
    let scene = Scene::new().await;
    let id = scene.order().await;
    scene.admin.moves(&id, "confirm").await.ok();
    let messages = scene.receiver.wait_for(2).await;
    let feed = scene.admin.get("/v1/events").await.ok();
    for message in &messages {
        let body = message.json();
        let seq = usize::try_from(body["data"]["seq"].as_u64().unwrap()).unwrap();
        let event = &feed["data"][seq - 1];
        assert_eq!(body, json!({"type": event["type"], "timestamp": event["occurred_at"], "data": event}));
        let expected = format!("{}-{}", event["id"].as_str().unwrap(), scene.endpoint.id());
        assert_eq!(message.header("webhook-id"), expected);
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(message.header("webhook-timestamp"), scene.service.now().seconds().to_string());
        assert_eq!(signed(message, &secret(&scene.endpoint)), (true, 1));
    }
    let deliveries = scene.deliveries(2, all("delivered")).await;
    for delivery in &deliveries {
        assert!(delivery["id"].as_str().unwrap().starts_with("dlv_"));
        assert!(delivery["next_attempt_at"].is_null());
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(
            (attempts.len(), &attempts[0]["status_code"], &attempts[0]["error"]),
            (1, &json!(200), &Value::Null)
        );
    }
    let page = scene.admin.get(&scene.path("/deliveries?status=failed&count=true")).await.ok();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["page"]["total"]), (0, &json!(0)));
    scene.stop().await;
}

#[tokio::test]
async fn an_endpoint_gets_its_types_from_its_creation_on() {
    let scene = Scene::new().await;
    let id = scene.order().await;
    let late = Receiver::start().await;
    let body = json!({"url": late.url, "events": ["order.confirmed", "order.cancelled"]});
    scene.admin.post("/v1/webhooks", body).await.created();
    scene.admin.moves(&id, "confirm").await.ok();
    scene.order().await;
    scene.admin.moves(&id, "fulfil").await.ok();
    let other = scene.order().await;
    scene.admin.moves(&other, "cancel").await.ok();
    let types: Vec<_> = late.wait_for(2).await.iter().map(|message| message.json()["type"].clone()).collect();
    assert_eq!(types, ["order.confirmed", "order.cancelled"]);
    assert_eq!(scene.receiver.wait_for(6).await.len(), 6);
    assert_eq!(late.received().len(), 2);
    scene.stop().await;
}

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

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let scene = Scene::new().await;
    let rotated = scene.admin.call(axum::http::Method::POST, &scene.path("/rotate")).await.ok();
    let (old, new) = (secret(&scene.endpoint), secret(&rotated));
    assert_ne!(old, new);
    scene.order().await;
    let message = &scene.receiver.wait_for(1).await[0];
    assert_eq!((signed(message, &old), signed(message, &new)), ((true, 2), (true, 2)));
    scene.service.pass(Duration::from_hours(24));
    scene.order().await;
    let message = &scene.receiver.wait_for(2).await[1];
    assert_eq!((signed(message, &old), signed(message, &new)), ((false, 1), (true, 1)));
    scene.stop().await;
}

#[tokio::test]
async fn a_ping_is_tried_once() {
    let scene = Scene::new().await;
    scene.receiver.answers([Answer::Status(500)]);
    let ping = scene.admin.call(axum::http::Method::POST, &scene.path("/ping")).await.status(202);
    assert_eq!((&ping["type"], &ping["status"]), (&json!("ping"), &json!("pending")));
    let failed = scene.deliveries(1, all("failed")).await;
    assert_eq!((&failed[0]["id"], &failed[0]["type"]), (&ping["id"], &json!("ping")));
    let message = &scene.receiver.wait_for(1).await[0];
    assert_eq!(message.json()["type"], "ping");
    assert!(signed(message, &secret(&scene.endpoint)).0);
    scene.admin.call(axum::http::Method::POST, &scene.path("/ping")).await.status(202);
    scene.deliveries(2, |found| found[0]["status"] == "delivered").await;
    scene.stop().await;
}

#[tokio::test]
async fn nothing_is_lost_in_a_crash() {
    let mut scene = Scene::new().await;
    scene.receiver.answers((0..60).map(|i| if i % 3 == 0 { Answer::Status(500) } else { Answer::Status(200) }));
    for round in 0..3 {
        for _ in 0..20 {
            scene.order().await;
        }
        scene.receiver.wait_for(round * 20 + 5).await;
        scene.crash().await;
    }
    scene.service.pass(Duration::from_mins(10));
    let seqs = || {
        let received = scene.receiver.received();
        let mut seqs: Vec<_> = received.iter().map(|message| message.json()["data"]["seq"].as_i64().unwrap()).collect();
        seqs.sort_unstable();
        seqs.dedup();
        (seqs.len() == 60).then_some(())
    };
    receiver::eventually(seqs).await;
    scene.service.pass(Duration::from_mins(10));
    scene.deliveries(60, all("delivered")).await;
    assert!(scene.receiver.received().iter().all(|message| signed(message, &secret(&scene.endpoint)).0));
    scene.stop().await;
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_and_its_deliveries_are_gone() {
    let scene = Scene::new().await;
    scene.receiver.answers([Answer::Status(500)]);
    scene.order().await;
    scene.deliveries(1, all("pending")).await;
    scene.admin.delete(&scene.path("")).await.no_content();
    scene.admin.get(&scene.path("")).await.status(404);
    scene.admin.get(&scene.path("/deliveries")).await.status(404);
    scene.service.pass(Duration::from_mins(10));
    scene.order().await;
    let other = Receiver::start().await;
    scene.admin.post("/v1/webhooks", json!({"url": other.url})).await.created();
    scene.order().await;
    other.wait_for(1).await;
    assert_eq!(scene.receiver.received().len(), 1);
    scene.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_without_a_signature_when_the_key_file_is_another_one() {
    let mut scene = Scene::new().await;
    std::fs::remove_file(scene.service.folder().join("orders.db.key")).unwrap();
    scene.crash().await;
    let admin = scene.service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    scene.admin = admin;
    scene.order().await;
    let pending = scene.deliveries(1, all("pending")).await;
    assert!(pending[0]["attempts"][0]["error"].as_str().unwrap().contains("rotate the secret"));
    assert!(scene.receiver.received().is_empty());
    let rotated = scene.admin.call(axum::http::Method::POST, &scene.path("/rotate")).await.ok();
    scene.service.pass(Duration::from_secs(10));
    scene.deliveries(1, all("delivered")).await;
    assert_eq!(signed(&scene.receiver.received()[0], &secret(&rotated)), (true, 1));
    scene.stop().await;
}

#[tokio::test]
async fn private_addresses_are_not_reached_by_name_either() {
    let service = Service::with(&[RETRIES]).await;
    let worker = worker::start(&service.app());
    let (admin, receiver) = (service.admin().await, Receiver::start().await);
    let url = receiver.url.replace("http://127.0.0.1", "https://localhost");
    let endpoint = admin.post("/v1/webhooks", json!({"url": url})).await.created().id();
    let scene =
        Scene { endpoint: admin.get(&format!("/v1/webhooks/{endpoint}")).await.ok(), service, worker, admin, receiver };
    scene.order().await;
    let pending = scene.deliveries(1, all("pending")).await;
    assert_eq!(pending[0]["attempts"][0]["error"], "the host has an address that is not public");
    assert!(scene.receiver.received().is_empty());
    scene.stop().await;
}

#[tokio::test]
async fn deliveries_are_kept_for_thirty_days() {
    let scene = Scene::new().await;
    scene.order().await;
    scene.deliveries(1, all("delivered")).await;
    scene.service.pass(Duration::from_hours(30 * 24 - 1));
    orderd::service::pruning::prune_deliveries(&scene.service.app()).await.unwrap();
    scene.deliveries(1, all("delivered")).await;
    scene.service.pass(Duration::from_hours(2));
    orderd::service::pruning::prune_deliveries(&scene.service.app()).await.unwrap();
    let admin = scene.service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    let page = admin.get(&scene.path("/deliveries")).await.ok();
    assert_eq!(page["data"], json!([]));
    scene.stop().await;
}
