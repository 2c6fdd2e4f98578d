//! Another process holds the write lock of the database: changes are refused in time, reads go on, nothing is lost.

use crate::{
    oracle::Oracle,
    server::{ADMIN, Answer, Server},
    support::TestDir,
};
use rusqlite::Connection;
use serde_json::json;
use std::time::{Duration, Instant};

/// A connection of another program that holds the write lock.
fn lock(dir: &TestDir) -> Connection {
    let other = Connection::open(dir.path().join("orders.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

fn assert_says_busy(answer: &Answer) {
    let (code, retryable) = (answer.body["code"].as_str(), answer.body["retryable"].as_bool());
    assert_eq!((answer.status, code, retryable), (503, Some("storage_busy"), Some(true)), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn changes_are_refused_in_time_while_another_process_holds_the_write_lock() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    assert!(oracle.one_order(&admin, "before"));
    let other = lock(&dir);
    // The second waits no longer although the first has waited already.
    let clients = ["during-1", "during-2"].map(|name| {
        let (oracle, admin) = (std::sync::Arc::clone(&oracle), admin.clone());
        std::thread::spawn(move || {
            let begun = Instant::now();
            assert!(!oracle.one_order(&admin, name));
            begun.elapsed()
        })
    });
    for client in clients {
        let took = client.join().unwrap();
        assert!(took > Duration::from_secs(1) && took < Duration::from_secs(4), "2 s, and more if busy: {took:?}");
    }
    assert_eq!(oracle.unknown(), 0, "it is known that nothing was done");
    let order = json!({"currency": "EUR", "items": [{"sku": "a", "name": "A", "quantity": 1, "unit_amount": 1}]});
    assert_says_busy(&admin.send("POST /v1/orders", &[("Idempotency-Key", "busy")], &order).unwrap());
    let credentials = json!({"email": ADMIN[0].1, "password": ADMIN[1].1});
    assert_says_busy(&server.client().send("POST /v1/auth/login", &[], &credentials).unwrap());
    let mut lines = String::new();
    let line = json!({"external_ref": "busy", "currency": "EUR", "items": order["items"]}).to_string();
    let import = admin.open("POST /v1/orders/import", &[("Content-Type", "application/x-ndjson")], &line);
    std::io::Read::read_to_string(&mut import.unwrap(), &mut lines).unwrap();
    assert!(lines.contains("\"failed\"") && lines.contains("storage_busy"), "{lines}");
    assert_eq!(admin.get("/v1/orders").status, 200, "reads go on");
    assert!(server.log().contains("another process holds the write lock of the database"), "{}", server.log());

    other.execute_batch("ROLLBACK").unwrap();
    assert!(oracle.one_order(&admin, "after"));
    assert!(server.log().contains("the write lock of the database is free again"), "{}", server.log());
    oracle.holds(&server, &dir, "orders.db");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_server_that_stops_while_the_write_lock_is_held_exits_with_0_and_loses_nothing() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    assert!(oracle.one_order(&server.admin(), "before"));
    let other = lock(&dir);
    assert_eq!(server.stop().0, Some(0));
    drop(other);
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}
