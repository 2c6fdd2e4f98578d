//! Webhooks: signed deliveries to a real receiver, across rotations of the secret, crashes and a lost key.

mod addresses;
mod endpoints;
mod erasure;
mod failures;
mod receiver;

use crate::support::{Answer as Reply, Client, Service, order_of};
use hmac::{Hmac, KeyInit as _, Mac as _};
use orderd::worker::{self, Supervisor};
use receiver::{Answer, Message, Receiver};
use serde_json::{Value, json};
use std::time::Duration;

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
