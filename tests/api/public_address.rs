//! Behind a proxy that publishes the server below a path, every reference leads to that path.

use crate::support::{Service, order_of};

#[tokio::test]
async fn references_begin_with_the_configured_address() {
    let service = Service::with(&[("server.public_url", "https://shop.example/api/")]).await;
    let staff = service.staff().await;
    let orders = [(); 2].map(|()| order_of(&[("tea", 1, 100)]));
    let mut created = vec![];
    for order in orders {
        created.push(staff.places(order).await.created());
    }
    let expected = format!("https://shop.example/api/v1/orders/{}", created[0].id());
    assert_eq!(created[0].header("location"), expected);
    let link = staff.get("/v1/orders?limit=1").await.ok().header("link").to_owned();
    assert!(link.starts_with("<https://shop.example/api/v1/orders?limit=1&cursor="), "{link}");
    let refused = staff.get("/v1/nothing").await.status(404);
    assert_eq!(refused["type"], "https://shop.example/api/problems/not-found");
    assert_eq!(refused["instance"], "/v1/nothing");
    let nobody = service.anonymous();
    for path in ["/docs", "/guide", "/problems"] {
        let page = nobody.get(path).await.ok();
        let text = std::str::from_utf8(page.bytes()).unwrap();
        assert!(text.contains(" href=\"/api/assets/style.css\"") && !text.contains(" href=\"/docs\""), "{text}");
        nobody.get(path).header("if-none-match", page.header("etag")).await.status(304);
    }
    let document = nobody.get("/openapi.json").await.ok();
    assert_eq!(document["servers"][0]["url"], "https://shop.example/api");
}

#[tokio::test]
async fn a_trusted_proxy_may_name_the_path() {
    let service = Service::with(&[("server.trusted_proxies", "192.0.2.1")]).await;
    let staff = service.staff().await;
    let place =
        |prefix: &str| staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).header("x-forwarded-prefix", prefix);
    let order = place("/api").fresh_key().await.created();
    assert_eq!(order.header("location"), format!("/api/v1/orders/{}", order.id()));
    let plain = place("//evil.example").fresh_key().await.created();
    assert_eq!(plain.header("location"), format!("/v1/orders/{}", plain.id()));
    let nobody = service.anonymous();
    let docs = nobody.get("/docs").header("x-forwarded-prefix", "/api").await.ok();
    assert!(std::str::from_utf8(docs.bytes()).unwrap().contains(" src=\"/api/assets/docs/start.js\""));
    let document = nobody.get("/openapi.json").header("x-forwarded-prefix", "/api").await.ok();
    assert_eq!(document["servers"][0]["url"], "/api");
    let stranger = nobody.get("/docs").from("198.51.100.7").header("x-forwarded-prefix", "/api").await.ok();
    assert!(!std::str::from_utf8(stranger.bytes()).unwrap().contains("/api/"));
}
