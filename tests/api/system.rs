//! The probes `/livez` and `/readyz`.

use crate::support::{Answer, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// The names of the checks with this result.
fn checks(answer: &Answer, ok: bool) -> Vec<&str> {
    let list = answer["checks"].as_array().unwrap().iter();
    list.filter(|check| check["ok"] == ok).map(|check| check["name"].as_str().unwrap()).collect()
}

/// The response of a service that is not ready.
async fn not_ready(service: &Service) -> Answer {
    service.anonymous().get("/readyz").await.status(503).problem("not_ready")
}

#[tokio::test]
async fn a_working_service_is_ready() {
    let service = Service::start().await;
    let ready = service.anonymous().get("/readyz").await.ok();
    assert_eq!((&ready["status"], &ready["durability"]), (&json!("ok"), &json!("normal")));
    let with_journal = service.journal().map_or(vec![], |_| vec!["journal", "clock"]);
    let expected: Vec<_> = ["writer", "schema", "disk", "accepting"].into_iter().chain(with_journal).collect();
    assert_eq!(checks(&ready, true), expected);
    assert_eq!(checks(&ready, false), [""; 0]);
    assert_eq!(service.anonymous().get("/livez").await.ok()["status"], "ok");
}

#[tokio::test]
async fn a_stopping_service_is_alive_and_not_ready() {
    let service = Service::start().await;
    service.app().drain();
    let answer = not_ready(&service).await;
    assert_eq!(checks(&answer, false), ["accepting"]);
    assert!(answer["detail"].as_str().unwrap().starts_with("accepting: the service is stopping. Send"), "{answer}");
    assert!(!answer.header("retry-after").is_empty());
    service.anonymous().get("/livez").await.ok();
}

#[tokio::test]
async fn a_readiness_result_is_reused_for_a_second_except_for_shutdown() {
    let service = Service::start().await;
    let transactions = || service.app().store.gauges().batch_size.read().count;
    let before = transactions();
    let nobody = service.anonymous();
    let requests: Vec<_> = (0..50).map(|_| tokio::spawn(nobody.get("/readyz").into_future())).collect();
    for answer in requests {
        answer.await.unwrap().ok();
    }
    assert_eq!(transactions() - before, 1);
    service.pass(Duration::from_millis(999));
    service.app().store.close().await;
    nobody.get("/readyz").await.ok();
    service.pass(Duration::from_millis(1));
    assert_eq!(checks(&not_ready(&service).await, false), ["writer"]);
    let service = Service::start().await;
    service.anonymous().get("/readyz").await.ok();
    service.app().drain();
    assert_eq!(checks(&not_ready(&service).await, false), ["accepting"]);
}

#[tokio::test]
async fn a_stopped_writer_is_named() {
    let service = Service::start().await;
    service.app().store.close().await;
    let answer = not_ready(&service).await;
    assert_eq!(checks(&answer, false), ["writer"]);
    assert_eq!(answer["checks"][0]["detail"], "the writer does not answer");
    assert_eq!(answer["checks"][1].get("detail"), None::<&Value>);
}

#[tokio::test]
async fn a_schema_changed_by_another_program_is_named() {
    let service = Service::start().await;
    let other = rusqlite::Connection::open(service.path()).unwrap();
    other.pragma_update(None, "user_version", 999).unwrap();
    assert_eq!(checks(&not_ready(&service).await, false), ["schema"]);
}

#[tokio::test]
async fn settings_tell_anyone_what_clients_need() {
    let service = Service::with(&[("reporting.timezone", "Europe/Berlin"), ("auth.password_min_length", "20")]).await;
    let settings = service.anonymous().get("/v1/settings").await.ok();
    assert_eq!(
        (&settings["reporting_timezone"], &settings["password_min_length"]),
        (&json!("Europe/Berlin"), &json!(20))
    );
    assert_eq!(settings["version"], env!("CARGO_PKG_VERSION"));
    let exponent = |code: &str| {
        let all = settings["currencies"].as_array().unwrap();
        all.iter().find(|currency| currency["code"] == code).map(|currency| currency["exponent"].as_u64().unwrap())
    };
    assert_eq!(["EUR", "JPY", "KWD", "ABC"].map(exponent), [Some(2), Some(0), Some(3), None]);
}
