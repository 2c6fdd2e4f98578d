//! `/metrics`: its values, who may read it, and that dashboards, alerts and the guide agree with the table of metrics.

#![allow(clippy::float_cmp, reason = "the compared values are whole numbers")]

use crate::support::{Client, PASSWORD, Service, order_of};
use orderd::app::backups::VerifiedBackup;
use orderd::telemetry::metrics::table::{ALL, CERTIFICATE_END, LAST_BACKUP};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const GUIDE: &str = include_str!("../../assets/guide/11-monitoring.md");
const DASHBOARD: &str = include_str!("../../assets/operations/grafana.json");
const ALERTS: &str = include_str!("../../assets/operations/alerts.yml");

/// Every sample of the page by its name with labels.
async fn scrape(who: &Client) -> BTreeMap<String, f64> {
    let answer = who.get("/metrics").await.ok();
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.bytes().to_vec()).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

/// The increase of each sample that has increased.
fn growth(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let by = |name: &String, value: f64| value - before.get(name).copied().unwrap_or(0.0);
    after.iter().map(|(name, value)| (name.clone(), by(name, *value))).filter(|(_, by)| *by != 0.0).collect()
}

#[tokio::test]
async fn requests_orders_and_refusals_are_counted_exactly() {
    let service = Service::start().await;
    let (admin, customer) = (service.admin().await, service.customer().await);
    let before = scrape(&admin).await;
    let order = admin.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    admin.places(order_of(&[("tea", 2, 1000)])).await.created();
    admin.pays(&order, json!({"amount": 700})).await.created();
    admin.refunds(&order, json!({"amount": 300})).await.created();
    admin.refunds(&order, json!({"amount": 500})).await;
    for _ in 0..3 {
        customer.get("/v1/users").await;
    }
    admin.get("/no/such/page").await;
    service.anonymous().log_in("admin@example.com", PASSWORD).await;
    service.anonymous().post("/v1/auth/login", json!({"email": "a@example.com", "password": "wrong"})).await;
    let after = scrape(&admin).await;
    let grown = growth(&before, &after);
    let expected = [
        ("http_requests_total{operation=\"orders.create\",status=\"201\"}", 2.0),
        ("http_requests_total{operation=\"payments.create\",status=\"201\"}", 1.0),
        ("http_requests_total{operation=\"refunds.create\",status=\"201\"}", 1.0),
        ("http_requests_total{operation=\"refunds.create\",status=\"422\"}", 1.0),
        ("http_requests_total{operation=\"users.list\",status=\"403\"}", 3.0),
        ("http_requests_total{operation=\"none\",status=\"404\"}", 1.0),
        ("http_requests_total{operation=\"auth.login\",status=\"200\"}", 1.0),
        ("http_requests_total{operation=\"auth.login\",status=\"401\"}", 1.0),
        // A scrape is counted after its response, so the next scrape shows it.
        ("http_requests_total{operation=\"system.metrics\",status=\"200\"}", 1.0),
        ("http_request_duration_seconds_count{operation=\"orders.create\"}", 2.0),
        ("http_request_duration_seconds_bucket{operation=\"orders.create\",le=\"+Inf\"}", 2.0),
        ("problems_total{code=\"refund_exceeds_paid\"}", 1.0),
        ("problems_total{code=\"forbidden\"}", 3.0),
        ("problems_total{code=\"not_found\"}", 1.0),
        ("problems_total{code=\"invalid_credentials\"}", 1.0),
        ("log_ins_total{outcome=\"succeeded\"}", 1.0),
        ("log_ins_total{outcome=\"invalid_credentials\"}", 1.0),
        ("events_total{type=\"order.created\"}", 2.0),
        ("events_total{type=\"payment.recorded\"}", 1.0),
        ("events_total{type=\"refund.recorded\"}", 1.0),
        ("last_event_seq", 4.0),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(name, by)| (format!("orderd_{name}"), by)).into();
    let counted = ["http_requests_total", "problems_total", "log_ins_total", "events_total", "last_event_seq"];
    let is_counted = |name: &&String| {
        let all = counted.iter().any(|counted| name.starts_with(&format!("orderd_{counted}")));
        all || expected.contains_key(*name)
    };
    let found: BTreeMap<_, _> = grown.iter().filter(|(name, _)| is_counted(name)).collect();
    assert_eq!(found, expected.iter().collect());
    assert_eq!(after["orderd_http_requests_in_flight"], 1.0, "the scrape itself");
    assert_eq!(after["orderd_write_queue_length"], 0.0);
    assert_eq!(after["process_start_time_seconds"], 1_781_524_800.0);
    let commits = (grown["orderd_write_commit_seconds_count"], grown["orderd_write_batch_size_count"]);
    assert!(commits.0 >= 5.0, "four changes and a session: {commits:?}");
    assert!(commits.0 <= commits.1, "a refused change has no commit: {commits:?}");
    assert!(after["orderd_database_bytes"] + after["orderd_wal_bytes"] > 0.0);
    assert!(after["orderd_disk_free_bytes"] > 0.0);
}

#[tokio::test]
async fn rolled_back_changes_are_not_counted() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let body = json!({"currency": "EUR", "external_ref": "same", "items": order_of(&[("tea", 1, 1000)])["items"]});
    admin.places(body.clone()).await.created();
    let before = scrape(&admin).await;
    admin.places(body).await;
    let key = admin.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("twice").await.created().id();
    let replayed = admin.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("twice").await.created().id();
    assert_eq!(key, replayed);
    let grown = growth(&before, &scrape(&admin).await);
    assert_eq!(grown["orderd_events_total{type=\"order.created\"}"], 1.0);
    assert_eq!(grown["orderd_http_requests_total{operation=\"orders.create\",status=\"201\"}"], 2.0);
}

#[tokio::test]
async fn clients_cannot_create_new_label_values() {
    let service = Service::start().await;
    let admin = service.admin().await;
    scrape(&admin).await;
    admin.get("/no").await;
    let before: BTreeSet<_> = scrape(&admin).await.into_keys().collect();
    for number in 0..50 {
        admin.get(&format!("/no/such/page-{number}")).header("x-request-id", &format!("id-{number}")).await;
        let body = json!({"email": format!("{number}@example.com"), "password": "a wrong one"});
        service.anonymous().post("/v1/auth/login", body).from(&format!("192.0.2.{number}")).await;
    }
    let after: BTreeSet<_> = scrape(&admin).await.into_keys().collect();
    let new: Vec<_> = after.difference(&before).filter(|name| !name.contains("operation=\"auth.login\"")).collect();
    assert!(new.is_empty(), "{new:?}");
}

#[tokio::test]
async fn metrics_need_a_key_unless_they_are_public() {
    let service = Service::start().await;
    service.anonymous().get("/metrics").await.problem("unauthenticated");
    let admin = service.admin().await;
    let key =
        admin.post("/v1/api-keys", json!({"name": "prometheus", "permissions": ["metrics:read"]})).await.created();
    scrape(&service.anonymous().bearing(key["secret"].as_str().unwrap())).await;
    let open = Service::with(&[("metrics.public", "true")]).await;
    scrape(&open.anonymous()).await;
}

#[tokio::test]
async fn every_metric_of_the_table_is_on_the_page_and_in_the_guide() {
    let service = Service::start().await;
    let admin = service.admin().await;
    scrape(&admin).await;
    let page = scrape(&admin).await;
    assert!(!page.contains_key(LAST_BACKUP.name), "there is no backup yet");
    let (path, now) = (service.path(), service.now());
    service.app().backups.record_success(VerifiedBackup { path, bytes: 1, made_at: now, current_at: now });
    // Tests of the API run no background tasks.
    service.app().metrics.worker_panics.count("backups.make");
    let page: BTreeSet<_> = scrape(&admin).await.into_keys().map(|name| family_of(&name)).collect();
    // Without TLS there is no certificate. Its metric is tested with a server that has one.
    let families = ALL.iter().filter(|family| family.name != CERTIFICATE_END.name);
    assert_eq!(page, families.map(|family| family.name.to_owned()).collect());
    let row = |family: &&orderd::telemetry::metrics::table::Family| {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", family.name, family.kind.name(), labels.join(", "), family.help)
    };
    let expected: Vec<_> = ALL.iter().map(row).map(|row| row.replace("|  |", "| |")).collect();
    let (_, table) = GUIDE.split_once("| metric | type | labels | tells |\n").expect("the guide has no such table");
    let written: Vec<_> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(written, expected, "the table in the guide must be:\n{}", expected.join("\n"));
}

/// The family of a sample: its name without labels and without the suffix of a histogram.
fn family_of(sample: &str) -> String {
    let name = sample.split('{').next().unwrap();
    let known = |name: &str| ALL.iter().any(|family| family.name == name);
    let ends = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
    ends.into_iter().find(|name| known(name)).unwrap_or(name).to_owned()
}

/// The names of the metrics in `text`.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("orderd_") || word.starts_with("process_")).map(family_of).collect()
}

#[test]
fn dashboards_and_alerts_use_only_existing_metrics() {
    let known: BTreeSet<_> = ALL.iter().map(|family| family.name.to_owned()).collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let expressions: Vec<_> = panels
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    let shown = metrics_in(&expressions.join("\n"));
    assert!(shown.is_subset(&known), "{:?}", shown.difference(&known));
    let watched = metrics_in(&ALERTS.lines().filter(|line| !line.contains("summary")).collect::<Vec<_>>().join("\n"));
    assert!(watched.is_subset(&known), "{:?}", watched.difference(&known));
}

#[test]
fn every_alert_has_a_section_in_the_guide() {
    let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in &alerts {
        assert!(GUIDE.contains(&format!("\n### {alert}\n")), "{alert}");
        let page = format!("/guide/monitoring#{}", alert.to_lowercase());
        let link = format!("runbook_url: \"http://{{{{ $labels.instance }}}}{page}\"\n");
        assert!(ALERTS.contains(&link), "{link}");
    }
    assert_eq!(GUIDE.matches("\n### Orderd").count(), alerts.len());
}
