//! What HTTP agrees on beside the content: compression, caching, and what a refused media type could be instead.

use crate::support::{PASSWORD, Service, order_of};
use axum::http::Method;
use serde_json::json;

#[tokio::test]
async fn long_answers_are_compressed_where_the_client_accepts_it() {
    let service = Service::start().await;
    let (manager, analyst) = (service.manager().await, service.analyst().await);
    for _ in 0..3 {
        manager.places(order_of(&[("tea", 1, 100)])).await.created();
    }
    let settings = service.anonymous().get("/v1/settings").header("accept-encoding", "br, gzip").await.ok();
    assert_eq!((settings.header("content-encoding"), settings.header("vary")), ("gzip", "Accept-Encoding"));
    assert_eq!(settings["reporting_timezone"], "UTC");
    for (accept, media) in [
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
    ] {
        let call = || manager.get("/v1/orders").header("accept", accept);
        let (plain, packed) = (call().await.ok(), call().header("accept-encoding", "gzip").await.ok());
        assert_eq!(
            (plain.maybe_header("content-encoding"), packed.header("content-encoding")),
            (None, "gzip"),
            "{accept}"
        );
        assert_eq!((plain.bytes(), packed.header("vary")), (packed.bytes(), "Accept, Accept-Encoding"), "{accept}");
        assert!(packed.header("content-type").starts_with(media));
    }
    let chart = analyst.get("/v1/analytics/daily?from=2026-11-01&to=2026-11-30").header("accept", "image/svg+xml");
    assert_eq!(chart.header("accept-encoding", "gzip").await.ok().header("content-encoding"), "gzip");
    for path in ["/guide", "/guide/api", "/openapi.json", "/assets/docs/swagger-ui.css"] {
        let page = service.anonymous().get(path).header("accept-encoding", "gzip").await.ok();
        assert_eq!(page.header("content-encoding"), "gzip", "{path}");
    }
    let short = service.anonymous().get("/version").header("accept-encoding", "gzip").await.ok();
    assert_eq!((short.maybe_header("content-encoding"), short.header("vary")), (None, "Accept-Encoding"));
}

#[tokio::test]
async fn a_compressed_order_has_a_weak_tag_that_counts_as_the_strong_one() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 100), ("mug", 2, 900), ("pot", 1, 4500)])).await.created();
    let path = format!("/v1/orders/{}", order.id());
    let read = staff.get(&path).header("accept-encoding", "gzip").await.ok();
    assert_eq!((read.header("content-encoding"), read.header("etag")), ("gzip", "W/\"1\""));
    staff.get(&path).header("if-none-match", read.header("etag")).await.status(304);
    let change = staff.patch(&path, json!({"note": "a"})).header("if-match", read.header("etag")).await.ok();
    assert_eq!(change["version"], 2);
}

#[tokio::test]
async fn an_answer_with_a_secret_is_never_compressed() {
    let service = Service::start().await;
    service.admin().await;
    let body = json!({"email": "admin@example.com", "password": PASSWORD});
    let login = service.anonymous().post("/v1/auth/login", body).header("accept-encoding", "gzip").await.ok();
    assert_eq!(login.maybe_header("content-encoding"), None);
}

#[tokio::test]
async fn pages_are_asked_for_again_and_probes_are_never_kept() {
    let nobody = Service::start().await.anonymous();
    for path in ["/docs", "/guide", "/guide/api", "/problems", "/problems/not-found", "/openapi.json"] {
        let page = nobody.get(path).await.ok();
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
        let tag = page.header("etag").to_owned();
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let same = nobody.get(path).header("if-none-match", &known).await.status(304);
            assert_eq!((same.header("etag"), same.bytes().len()), (tag.as_str(), 0), "{path}");
            assert_eq!((same.header("cache-control"), same.header("vary")), ("no-cache", "Accept-Encoding"), "{path}");
        }
        nobody.get(path).header("if-none-match", "\"x\"").await.ok();
    }
    for path in ["/docs", "/openapi.json", "/problems/not-found"] {
        for encoding in ["gzip", "identity"] {
            let get = nobody.get(path).header("accept-encoding", encoding).await.ok();
            let head = nobody.call(Method::HEAD, path).header("accept-encoding", encoding).await.ok();
            for name in ["etag", "cache-control", "content-type", "content-encoding", "vary"] {
                assert_eq!(head.maybe_header(name), get.maybe_header(name), "{path}, {encoding}: {name}");
            }
            let (length, whole) = (head.header("content-length").parse::<usize>().unwrap(), get.bytes().len());
            // The client of the tests has decompressed what it got.
            assert!(if encoding == "gzip" { length <= whole } else { length == whole }, "{path}, {encoding}: {length}");
            assert_eq!(head.bytes().len(), 0, "{path}, {encoding}");
        }
        let tag = nobody.get(path).await.header("etag").to_owned();
        nobody.call(Method::HEAD, path).header("if-none-match", &tag).await.status(304);
    }
    for path in ["/livez", "/readyz", "/version", "/metrics", "/nothing"] {
        let answer = nobody.get(path).await;
        assert_eq!((answer.header("cache-control"), answer.maybe_header("etag")), ("no-store", None), "{path}");
    }
}

#[tokio::test]
async fn a_refused_media_type_is_answered_with_those_that_are_accepted() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 100)])).await.created();
    let create = staff.post("/v1/orders", json!({})).fresh_key().body("text/plain", "a").await.status(415);
    assert_eq!((create.header("accept"), create.header("accept-encoding")), ("application/json", "identity"));
    assert_eq!(create["detail"], "Send the header `Content-Type: application/json`.");
    let change =
        staff.patch(&format!("/v1/orders/{}", order.id()), json!({})).body("text/plain", "a").await.status(415);
    assert_eq!(change.header("accept"), "application/json, application/merge-patch+json");
    let import = staff.call(Method::POST, "/v1/orders/import").body("text/plain", "a").await.status(415);
    assert_eq!(import.header("accept"), "application/x-ndjson");
}

#[tokio::test]
async fn what_is_missing_or_used_up_is_named() {
    let service = Service::with(&[("limits.requests_per_minute", "8")]).await;
    let nobody = service.anonymous();
    let detail = |answer: &crate::support::Answer| answer["detail"].as_str().unwrap().to_owned();
    let missing = detail(&nobody.get("/v1/orders").await.status(401));
    assert!(missing.starts_with("The header `Authorization` is missing. Send `Authorization: Bearer"), "{missing}");
    let stale = detail(&nobody.bearing("ork_a").get("/v1/orders").await.status(401));
    assert!(stale.starts_with("The token or key is not valid, or it has expired or was revoked. Send"), "{stale}");
    let staff = service.staff().await;
    let keyless = detail(&staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).await.status(400));
    assert!(keyless.starts_with("The header `Idempotency-Key` is missing."), "{keyless}");
    let sorted = detail(&staff.get("/v1/orders?sort=price").await.status(400));
    assert!(sorted.starts_with("sort must be one of -created_at, created_at, "), "{sorted}");
    while staff.get("/v1/auth/me").await.code() == 200 {}
    let until = service.now().plus(std::time::Duration::from_mins(1));
    let refused = detail(&staff.get("/v1/auth/me").await.status(429));
    let expected = format!("The limit of 8 requests a minute for this user is used up until {until}.");
    assert!(refused.starts_with(&expected), "{refused}");
    while nobody.get("/v1/orders").await.code() == 401 {}
    let refused = detail(&nobody.get("/v1/orders").await.status(429));
    let expected =
        "The limit of 4 requests a minute for requests without valid credentials from this address is used up";
    assert!(refused.starts_with(expected), "{refused}");
}
