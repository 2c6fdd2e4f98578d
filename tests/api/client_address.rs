//! The client address is that of the peer, unless the peer is a trusted proxy.

use crate::support::{PASSWORD, Service};
use serde_json::json;

async fn address_of_session(service: &Service, peer: &str, forwarded: &str) -> String {
    service.customer().await;
    let body = json!({"email": "customer@example.com", "password": PASSWORD});
    let login =
        service.anonymous().post("/v1/auth/login", body).from(peer).header("x-forwarded-for", forwarded).await.ok();
    let ada = service.anonymous().bearing(login["access_token"].as_str().unwrap());
    let path = format!("/v1/users/{}/sessions", login["user"]["id"].as_str().unwrap());
    let sessions = ada.get(&path).await.ok();
    sessions["data"][0]["ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_proxy_is_trusted_by_default() {
    let service = Service::start().await;
    assert_eq!(address_of_session(&service, "203.0.113.9", "198.51.100.7").await, "203.0.113.9");
}

#[tokio::test]
async fn a_trusted_proxy_sets_the_address_and_earlier_entries_do_not() {
    let service = Service::with(&[("server.trusted_proxies", "10.0.0.0/8")]).await;
    assert_eq!(address_of_session(&service, "10.0.0.1", "192.0.2.66, 198.51.100.7").await, "198.51.100.7");
    assert_eq!(address_of_session(&service, "203.0.113.9", "198.51.100.7").await, "203.0.113.9");
}

#[tokio::test]
async fn failed_log_ins_count_against_the_client_and_not_the_proxy() {
    let service = Service::with(&[("server.trusted_proxies", "10.0.0.0/8"), ("limits.login_per_minute", "2")]).await;
    service.admin().await;
    let attempt = |i: u8, client: &str| {
        let body = json!({"email": format!("nobody{i}@example.com"), "password": PASSWORD});
        service.anonymous().post("/v1/auth/login", body).from("10.0.0.1").header("x-forwarded-for", client)
    };
    for i in 0..2 {
        attempt(i, "198.51.100.7").await.status(401);
    }
    attempt(2, "198.51.100.7").await.status(429).problem("rate_limited");
    attempt(3, "198.51.100.8").await.status(401);
    // Entries that the client adds to the header itself have no effect.
    attempt(4, "198.51.100.9, 198.51.100.7").await.status(429);
}
