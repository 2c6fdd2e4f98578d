//! Several processes on one journal. These tests need a PostgreSQL server, which `ORDERD_TEST_JOURNAL` names; without
//! one they pass without a check.

use crate::support::{PASSWORD, Service, TestJournal, order_of};
use orderd::{
    app::journal,
    config::{PostgresCredentials, PostgresServer},
    domain::{id::Ids, time::Clock},
    service::{guesses, sessions},
    store::{
        Commits, Options, Store,
        backup::OnProgress,
        journal::{JournalOptions, move_in, move_out},
    },
};
use rusqlite::{Connection, types::Value};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The sums of the rollups, which each process folds by itself.
const FOLDED: &[&str] = &["rollups", "rollup_folds", "rollup_log"];

type Rows = Vec<Vec<Value>>;

/// The rows of every table, in an order of their own. The mark of a file is its own.
fn tables(service: &Service) -> BTreeMap<String, Rows> {
    tables_of(&service.path())
}

fn tables_of(path: &Path) -> BTreeMap<String, Rows> {
    let connection = Connection::open(path).unwrap();
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'log_mark'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &str| -> Rows {
        let mut select = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = select.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        select.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    names.into_iter().map(|name| (name.clone(), rows(&name))).collect()
}

/// Stops the service. Before that, if it is on a journal, has another process join, and compares all tables of both,
/// row by row.
pub async fn replay_elsewhere_and_stop(service: &Service) {
    let Some(other) = service.beside() else { return service.stop().await };
    let (mut here, mut there) = (tables(service), tables(&other));
    for name in FOLDED {
        here.remove(*name);
        there.remove(*name);
    }
    for (name, rows) in &here {
        assert_eq!(rows, &there[name], "{name}");
    }
    assert_eq!(here.len(), there.len());
    // Both fold the rest of their log when they stop.
    service.stop().await;
    other.stop().await;
    let (here, there) = (tables(service), tables(&other));
    for name in FOLDED {
        assert_eq!(here[*name], there[*name], "{name}");
    }
    assert!(!here["rollups"].is_empty() && here["rollup_log"].is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_acknowledges_the_other_shows_at_the_next_request() {
    let one = Service::start().await;
    let admin = one.admin().await;
    let Some(two) = one.beside() else { return };
    let body = json!({"email": "ada@example.com", "name": "Ada", "role": "customer", "password": PASSWORD});
    admin.post("/v1/users", body).await.created();
    let ada = two.anonymous().log_in("ada@example.com", PASSWORD).await;
    let order = ada.post("/v1/orders", order_of(&[("tea", 2, 1250)])).key("k1").await.created();
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let same = one.anonymous().bearing(ada.token());
    assert_eq!(same.get(&path).await.ok()["total_amount"], 2500);
    let again = same.post("/v1/orders", order_of(&[("tea", 2, 1250)])).key("k1").await.created();
    assert_eq!(again["id"], order["id"], "the same request, sent again to the other process");

    same.post("/v1/auth/logout", json!({})).await.no_content();
    ada.get(&path).await.status(401).problem("unauthenticated");
    replay_elsewhere_and_stop(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_number_their_orders_without_gaps_and_keep_one_order_for_a_key() {
    let one = Service::start().await;
    let staff = one.staff().await;
    let Some(two) = one.beside() else { return };
    let other = two.anonymous().bearing(staff.token());
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..60 {
        for client in [&staff, &other] {
            let call = client
                .post("/v1/orders", order_of(&[("tea", 1, 100 + number)]))
                .key(&format!("key-{}", number / 2 * 2));
            calls.spawn(call.into_future());
        }
    }
    let mut numbers = BTreeSet::new();
    while let Some(answer) = calls.join_next().await {
        // The key of an odd number was used for another order.
        let answer = answer.unwrap();
        if answer.code() == 201 {
            numbers.insert(answer.json()["number"].as_i64().unwrap());
        }
    }
    assert_eq!(numbers, (1..=30).collect());
    replay_elsewhere_and_stop(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_erases_is_gone_from_the_memory_of_the_other() {
    let one = Service::start().await;
    let admin = one.admin().await;
    let Some(two) = one.beside() else { return };
    let mut body = order_of(&[("tea", 2, 1250)]);
    body["customer"] = json!({"name": "Ada Example"});
    let path = format!("/v1/orders/{}", admin.places(body).await.created().id());
    let reader = two.anonymous().bearing(admin.token());
    assert!(reader.get(&path).await.ok().text().contains("Ada Example"));
    assert_eq!(two.app().document_cache.count(), 1);
    admin.post(&format!("{path}/erase"), json!({})).await.no_content();
    reader.get("/v1/orders/counts").await.ok();
    assert_eq!(two.app().document_cache.count(), 0);
    assert!(!reader.get(&path).await.ok().text().contains("Ada Example"));
    replay_elsewhere_and_stop(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_at_one_process_delay_log_ins_at_the_other() {
    let one = Service::start().await;
    one.admin().await;
    let Some(two) = one.beside() else { return };
    let log_in = |service: &Service, password: &str| {
        service.anonymous().post("/v1/auth/login", json!({"email": "admin@example.com", "password": password}))
    };
    for _ in 0..5 {
        log_in(&one, "a wrong phrase that is long").await.status(401);
    }
    log_in(&two, "a wrong phrase that is long").await.status(401);
    guesses::share(&one.app()).await.unwrap();
    log_in(&two, PASSWORD).await.status(429).problem("login_delayed");
    one.pass(Duration::from_secs(10));
    log_in(&two, PASSWORD).await.ok();
    log_in(&one, PASSWORD).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_processes_have_the_same_set_up_token_until_there_is_a_user() {
    let one = Service::start().await;
    let Some(two) = one.beside() else { return };
    let (first, second) =
        (sessions::offer_setup(&one.app()).await.unwrap(), sessions::offer_setup(&two.app()).await.unwrap());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.reveal(), second.reveal());
    let other = Service::start().await;
    assert_ne!(sessions::offer_setup(&other.app()).await.unwrap().unwrap().reveal(), first.reveal());
    let body = json!({"token": first.reveal(), "email": "ada@example.com", "name": "Ada", "password": PASSWORD});
    two.anonymous().post("/v1/setup", body.clone()).await.created();
    one.anonymous().post("/v1/setup", body).await.status(409).problem("already_set_up");
    assert!(sessions::offer_setup(&one.app()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_orders_at_once_are_entries_of_about_one_mebibyte() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let Some(journal) = service.journal() else { return };
    let name = "a long name ".repeat(16);
    let items: Vec<_> = (0..200)
        .map(|n| json!({"sku": format!("sku-{n}"), "name": name.trim(), "quantity": 1, "unit_amount": 100}))
        .collect();
    let body = json!({"currency": "EUR", "items": items});
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        calls.spawn(staff.post("/v1/orders", body.clone()).fresh_key().into_future());
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().created();
    }
    let sizes = journal.sizes_of_entries().await;
    // An order more than a mebibyte; without an end at that, a batch of 64 has some five.
    assert!(sizes.iter().all(|&size| size < 1_300_000), "{sizes:?}");
    assert!(sizes.iter().any(|&size| size > 1_000_000), "{sizes:?}");
    replay_elsewhere_and_stop(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_moves_into_a_file_and_a_file_into_a_journal_and_nothing_is_lost() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let Some(here) = service.journal() else { return };
    for number in 0..5 {
        staff.post("/v1/orders", order_of(&[("tea", 1, 100 + number)])).fresh_key().await.created();
    }
    let progress: OnProgress = Arc::new(|_| ControlFlow::Continue(()));
    let options = |path: PathBuf, url: &str| Options {
        path,
        commits: Commits::Written,
        request_timeout: Duration::from_secs(10),
        query_budget: Duration::from_secs(10),
        threads: 1,
        first_number: 1,
        clock: Clock::system(),
        ids: Arc::new(Ids::seeded(5)),
        journal: Some(at(url)),
    };
    let file = service.folder().join("moved.db");
    let moving = options(service.folder().join("moved.db.moving"), &here.url);
    let refused = move_out(&file, &moving, &progress).await.unwrap_err().to_string();
    assert!(refused.contains("processes that are on the journal: 1"), "{refused}");
    service.stop().await;
    move_out(&file, &moving, &progress).await.unwrap();
    let (mut copy, moved) = (tables_of(&service.path()), tables_of(&file));
    copy.remove("journal_position");
    assert_eq!(copy, moved);

    let refused = move_in(&file, &at(&here.url), &progress).await.unwrap_err().to_string();
    assert!(refused.contains("the journal is not empty"), "{refused}");
    let there = TestJournal::from_environment().await.unwrap();
    move_in(&file, &at(&there.url), &progress).await.unwrap();
    let joined = options(service.folder().join("joined.db"), &there.url);
    let store = Store::open(&joined).unwrap();
    store.close().await;
    let mut joined = tables_of(&joined.path);
    joined.remove("journal_position");
    assert_eq!(joined, moved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_without_a_stop_keeps_no_session() {
    let service = Service::start().await;
    let Some(journal) = service.journal() else { return };
    let other = service.beside().unwrap();
    other.anonymous().get("/readyz").await.ok();
    assert!(journal.sessions().await > 0);
    drop((service.stop().await, other));
    for _ in 0..1_000 {
        if journal.sessions().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("sessions are left: {}", journal.sessions().await);
}

fn at(url: &str) -> JournalOptions {
    journal::at(PostgresServer::parse(url, &PostgresCredentials::default()).unwrap()).unwrap()
}
