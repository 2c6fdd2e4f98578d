//! Files of earlier releases. `tests/fixtures/` holds a file for each released schema, with the answers of the server
//! at that time, and the key file, which the fingerprints of requests depend on. The file of the current schema is made
//! by
//!
//! ```sh
//! BLESS=1 cargo test --test api upgrade::the_fixture_is_made
//! ```
//!
//! until the schema is released, and never again after that: later releases must be able to read the files of this one.

pub mod story;

use crate::support::{Client, PASSWORD, Service, order_of};
use orderd::store::{Store, verify};
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Every released schema, and the current one.
const RELEASED: [&str; 1] = ["v1"];
/// The current schema.
const CURRENT: &str = "v1";

/// A file of `tests/fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A service on a copy of the fixture of this schema, on the day after its last event.
pub async fn service_on(schema: &str) -> Service {
    let service = Service::start().await;
    service.stop().await;
    fs::copy(fixture(&format!("{schema}.db")), service.path()).unwrap();
    fs::copy(fixture(&format!("{schema}.key")), service.key_path()).unwrap();
    fs::set_permissions(service.key_path(), fs::Permissions::from_mode(0o600)).unwrap();
    service.at(story::DAY_AFTER);
    service.open();
    service
}

/// The answers of the server about everything in the fixture, by path.
async fn answers(service: &Service) -> Map<String, Value> {
    let admin = service.anonymous().log_in("admin@example.com", PASSWORD).await;
    let mut paths: Vec<String> = ["users", "roles", "api-keys", "events?limit=40", "orders?limit=200&sort=created_at"]
        .map(|path| format!("/v1/{path}"))
        .into();
    paths.push(format!("/v1/audit?limit=200&to={}", story::DAY_AFTER));
    let days = "from=2026-06-01&to=2026-08-31&tz=Asia/Kathmandu";
    for report in ["daily", "revenue-by-user", "status-counts", "taxes"] {
        paths.push(format!("/v1/analytics/{report}?{days}"));
    }
    for order in admin.walk("/v1/orders").await {
        paths.push(format!("/v1/orders/{}/transactions", order["id"].as_str().unwrap()));
    }
    let mut answers = Map::new();
    for path in paths {
        let mut answer = admin.get(&path).await.ok().json().clone();
        let members = answer.as_object_mut().unwrap();
        members.remove("generated_at");
        members.remove("page");
        answers.insert(path, answer);
    }
    answers
}

/// Asserts that `now` has every member of `then` with the same value. It may have more members.
fn assert_contains(now: &Value, then: &Value, path: &str) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (name, then) in then {
                assert_contains(now.get(name).unwrap_or(&Value::Null), then, &format!("{path}/{name}"));
            }
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{path}");
            now.iter()
                .zip(then)
                .enumerate()
                .for_each(|(i, (now, then))| assert_contains(now, then, &format!("{path}/{i}")));
        }
        _ => assert_eq!(now, then, "{path}"),
    }
}

async fn assert_accepts_a_new_order(admin: &Client) {
    let order = admin.places(order_of(&[("tea", 1, 1000)])).await.created();
    let feed = admin.get("/v1/events?limit=200").await.ok();
    assert_eq!(order["number"], json!(story::NUMBERED + 1));
    assert_eq!(feed["data"].as_array().unwrap().last().unwrap()["data"]["id"], order["id"]);
    admin.pays(&order.id(), json!({"amount": 1000})).await.created();
}

#[tokio::test]
async fn the_fixture_is_made() {
    if std::env::var_os("BLESS").is_none() {
        return;
    }
    let service = Service::start().await;
    story::write(&service).await;
    service.stop().await;
    let file = fixture(&format!("{CURRENT}.db"));
    let _ = fs::remove_file(&file);
    let connection = Connection::open(service.path()).unwrap();
    connection.execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
    fs::copy(service.key_path(), fixture(&format!("{CURRENT}.key"))).unwrap();
    let answers = answers(&service_on(CURRENT).await).await;
    let lines: Vec<_> = answers.iter().map(|(path, answer)| format!("{}: {answer}", json!(path))).collect();
    fs::write(fixture(&format!("{CURRENT}.json")), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
}

#[tokio::test]
async fn files_of_every_release_are_read_unchanged_and_can_be_written() {
    for schema in RELEASED {
        let service = service_on(schema).await;
        let then: Value = serde_json::from_slice(&fs::read(fixture(&format!("{schema}.json"))).unwrap()).unwrap();
        assert_contains(&answers(&service).await.into(), &then, schema);
        let manager = service.anonymous().log_in("manager@example.com", PASSWORD).await;
        let replayed = manager.post("/v1/orders", story::order_with_key()).key(story::KEY).await.created();
        assert_eq!(replayed.header("idempotent-replayed"), "true");
        assert_accepts_a_new_order(&service.anonymous().log_in("admin@example.com", PASSWORD).await).await;
        let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
        let faults: Vec<_> = checks.iter().filter(|check| check.fault.is_some()).collect();
        assert!(faults.is_empty(), "{schema}: {faults:?}");
    }
}

/// The statement of each table, index and trigger of a file, without comments and white space, and without what a
/// journal keeps in its copies.
fn definitions(path: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'journal_position' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    let normalised = |sql: String| {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap().to_owned());
        lines.collect::<String>().replace(|c: char| c.is_whitespace() || c == '"', "")
    };
    rows.map(|row| row.map(|(name, sql)| (name, normalised(sql))).unwrap()).collect()
}

#[tokio::test]
async fn every_upgrade_leads_to_the_schema_of_a_new_file() {
    let new = Service::start().await;
    for schema in RELEASED {
        let upgraded = service_on(schema).await;
        assert_eq!(definitions(&upgraded.path()), definitions(&new.path()), "{schema}");
    }
}
