//! What is sent of an order whose personal data was erased while a delivery waited.

use super::{Answer, Message, Scene, all, secret, signed};
use crate::erasure::{PLANTED, found, personal_order};
use serde_json::{Value, json};
use std::time::Duration;

/// Which of the planted texts a message has.
fn planted(message: &Message) -> Vec<&'static str> {
    let body = String::from_utf8_lossy(&message.body).into_owned();
    PLANTED.into_iter().filter(|text| body.contains(text)).collect()
}

#[tokio::test]
async fn a_delivery_that_waits_across_an_erasure_is_sent_without_the_data() {
    let mut scene = Scene::new().await;
    scene.receiver.answers(vec![Answer::Status(500); 2]);
    let order = scene.admin.places(personal_order()).await.created().id();
    let cancel = json!({"reason": PLANTED[5]});
    scene.admin.post(&format!("/v1/orders/{order}/cancel"), cancel).await.ok();
    let waiting = scene.deliveries(2, all("pending")).await;
    assert_eq!(waiting.len(), 2);
    let before = scene.receiver.wait_for(2).await;
    assert!(before.iter().all(|message| planted(message).len() >= 5), "they had it all before");
    assert!(!found(&scene.service.path(), &PLANTED).is_empty());

    scene.admin.post(&format!("/v1/orders/{order}/erase"), json!({})).key("erase").await.no_content();
    assert_eq!(found(&scene.service.path(), &PLANTED), [""; 0], "in the file or its log");
    // That of the erasure itself is recorded before the crash, so that it is not repeated.
    scene.deliveries(3, |found| found.iter().any(|delivery| delivery["status"] == "delivered")).await;
    scene.crash().await;
    scene.service.pass(Duration::from_secs(6));
    let delivered = scene.deliveries(3, all("delivered")).await;
    scene.admin.post(&scene.path("/replay"), json!({"after": 0})).await.status(202);

    let after = scene.receiver.wait_for(8).await.split_off(2);
    let feed = scene.admin.get("/v1/events").await.ok();
    for message in &after {
        assert_eq!(planted(message), [""; 0]);
        let body = message.json();
        let event = &feed["data"][usize::try_from(body["data"]["seq"].as_u64().unwrap()).unwrap() - 1];
        assert_eq!(body, json!({"type": event["type"], "timestamp": event["occurred_at"], "data": event}));
        for field in ["customer", "note", "cancel_reason"] {
            assert_eq!(body["data"]["data"][field], Value::Null, "{field}");
        }
        assert_eq!(signed(message, &secret(&scene.endpoint)), (true, 1));
    }
    for first in &before {
        let again = after.iter().filter(|message| message.header("webhook-id") == first.header("webhook-id"));
        assert_eq!(again.count(), 2, "tried again once, replayed once");
    }
    let text = json!([delivered, scene.admin.get(&scene.path("/deliveries")).await.ok().json()]).to_string();
    assert!(PLANTED.iter().all(|planted| !text.contains(planted)), "{text}");
    assert_eq!(found(&scene.service.path(), &PLANTED), [""; 0]);
    scene.stop().await;
}
