//! Requests that are refused before any work is done: during shutdown and under overload.

use crate::support::{Service, order_of};

#[tokio::test]
async fn a_stopping_service_refuses_new_requests() {
    let service = Service::start().await;
    let staff = service.staff().await;
    service.app().drain();
    let refused = staff.get("/v1/orders").await.status(503).problem("draining");
    assert_eq!(refused.header("retry-after"), "1");
    staff.places(order_of(&[("tea", 1, 100)])).await.status(503).problem("draining");
    service.anonymous().get("/livez").await.ok();
    let ready = service.anonymous().get("/readyz").await.status(503);
    let accepting = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "accepting").unwrap();
    assert_eq!(accepting["ok"], false);
}

#[tokio::test]
async fn a_request_that_gets_no_permit_in_time_is_refused_and_can_be_retried() {
    let service = Service::start().await;
    let (staff, app) = (service.staff().await, service.app());
    let all = app
        .request_permits
        .acquire_many(u32::try_from(app.request_permits.available_permits()).unwrap())
        .await
        .unwrap();
    let call = staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).key("again");
    let refused = call.await.status(503).problem("overloaded");
    assert_eq!((refused.header("retry-after"), &refused["retryable"]), ("1", &true.into()));
    service.anonymous().get("/readyz").await.ok();
    let waiting = tokio::spawn({
        let staff = staff.clone();
        async move { staff.post("/v1/orders", order_of(&[("tea", 1, 100)])).key("again").await }
    });
    tokio::task::yield_now().await;
    drop(all);
    waiting.await.unwrap().created();
}
