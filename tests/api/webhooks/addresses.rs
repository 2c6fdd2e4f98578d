//! Hosts that lead inside, tried as endpoints of a real server: none is reached, neither by its spelling nor by a name
//! that turns inside between two look-ups.

use super::{PRIVATE, RETRIES, Scene, all, receiver::Receiver};
use crate::support::Service;
use orderd::{outbound::Resolver, worker};
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// Public by its form, and assigned to nobody (RFC 3701), so no connection to it succeeds.
const PUBLIC: &str = "3ffe::1";

/// A resolver that gives its first look-up the first answer, and so on, and the names that were looked up.
fn answering(answers: &'static [&'static [&'static str]]) -> (Resolver, Arc<Mutex<Vec<String>>>) {
    let (count, names) = (AtomicUsize::new(0), Arc::new(Mutex::new(vec![])));
    let asked = Arc::clone(&names);
    let resolver = Resolver::from_fn(move |name| {
        asked.lock().unwrap().push(name.to_owned());
        let index = count.fetch_add(1, Relaxed).min(answers.len() - 1);
        Ok(answers[index].iter().map(|text| text.parse::<IpAddr>().unwrap()).collect())
    });
    (resolver, names)
}

/// A service that delivers to a receiver on this machine under the name `hooks.example`.
async fn scene(settings: &[(&str, &str)], resolver: Resolver) -> Scene {
    let service = Service::resolving(settings, resolver).await;
    let worker = worker::start(&service.app());
    let (admin, receiver) = (service.admin().await, Receiver::start().await);
    let scheme = if settings.contains(&PRIVATE) { "http" } else { "https" };
    let url = receiver.url.replace("http://127.0.0.1", &format!("{scheme}://hooks.example"));
    let endpoint = admin.post("/v1/webhooks", json!({"url": url})).await.created();
    Scene { service, worker, admin, receiver, endpoint }
}

fn attempts(count: usize) -> impl Fn(&[Value]) -> bool {
    move |found| found[0]["attempts"].as_array().unwrap().len() == count
}

#[tokio::test]
async fn a_name_that_turns_inside_is_not_followed() {
    let (resolver, names) = answering(&[&[PUBLIC], &["127.0.0.1"]]);
    let scene = scene(&[RETRIES], resolver).await;
    scene.order().await;
    let first = scene.deliveries(1, attempts(1)).await;
    assert_eq!(
        names.lock().unwrap().as_slice(),
        ["hooks.example"],
        "one look-up, whose address is the one connected to"
    );
    assert_ne!(first[0]["attempts"][0]["error"], "the host has an address that is not public");
    scene.service.pass(Duration::from_secs(6));
    let second = scene.deliveries(1, attempts(2)).await;
    assert_eq!(names.lock().unwrap().len(), 2);
    assert_eq!(second[0]["attempts"][1]["error"], "the host has an address that is not public");
    assert!(scene.receiver.received().is_empty());
    scene.stop().await;
}

#[tokio::test]
async fn a_name_with_a_public_and_an_inside_address_is_refused() {
    let (resolver, _) = answering(&[&[PUBLIC, "127.0.0.1"]]);
    let scene = scene(&[RETRIES], resolver).await;
    scene.order().await;
    let pending = scene.deliveries(1, all("pending")).await;
    assert_eq!(pending[0]["attempts"][0]["error"], "the host has an address that is not public");
    assert!(scene.receiver.received().is_empty());
    scene.stop().await;
}

#[tokio::test]
async fn a_name_for_an_inside_address_is_reached_where_that_is_allowed() {
    let (resolver, _) = answering(&[&["127.0.0.1"]]);
    let scene = scene(&[RETRIES, PRIVATE], resolver).await;
    scene.order().await;
    assert!(scene.receiver.wait_for(1).await[0].header("host").starts_with("hooks.example:"));
    scene.stop().await;
}

#[tokio::test]
async fn no_spelling_of_an_inside_address_is_reached() {
    let (resolver, names) = answering(&[&["127.0.0.1"]]);
    let scene = scene(&[RETRIES], resolver).await;
    let port = scene.receiver.url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    let (mut refused, mut tried) = (0, vec![]);
    for host in [
        "127.0.0.1",
        "127.8.8.8",
        "2130706433",
        "0x7f000001",
        "0x7f.0x0.0x0.0x1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "127。0。0。1",
        "①②⑦.⓪.⓪.①",
        "localhost.",
        "localhost",
        "localhost.localdomain",
        "127.0.0.1.nip.example",
    ] {
        let answer = scene.admin.post("/v1/webhooks", json!({"url": format!("https://{host}:{port}/hook")})).await;
        match answer.code() {
            422 => refused += 1,
            _ => tried.push(answer.created().id()),
        }
    }
    assert_eq!((refused, tried.len()), (27, 3), "a name is looked up when something is sent");
    scene.order().await;
    for id in &tried {
        let found = scene.deliveries_to(id, 1, attempts(1)).await;
        assert_eq!(found[0]["attempts"][0]["error"], "the host has an address that is not public", "{id}");
    }
    assert!(names.lock().unwrap().len() >= 4);
    assert!(scene.receiver.received().is_empty());
    scene.stop().await;
}
