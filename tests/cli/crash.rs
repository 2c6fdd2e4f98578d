//! A server is killed under load again and again: nothing acknowledged is lost, nothing exists twice. `ORDERD_SOAK=N`
//! runs N cycles.

use crate::{
    oracle::{Oracle, all_orders, say, soak},
    server::{ADMIN, Server},
    strace::{injecting, synced_before_listening, watching_syncs},
    support::TestDir,
};
use rusqlite::Connection;
use serde_json::json;
use std::{
    fs,
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

/// Concurrent clients.
const CLIENTS: usize = 4;
/// Cycles on the same file; more would make the compared lists long.
const CYCLES_PER_FILE: usize = 10;

#[test]
fn acknowledged_writes_survive_kill_9() {
    let (cycles, mut done, mut unknown, mut slowest) = (soak().unwrap_or(3), 0, 0, Duration::ZERO);
    let (mut dir, mut oracle) = (TestDir::new(), None);
    for cycle in 0..cycles {
        if cycle % CYCLES_PER_FILE == 0 {
            dir = TestDir::new();
            oracle = Some(Oracle::new(&dir));
        }
        let oracle = oracle.as_ref().unwrap();
        let server = Server::start(&dir, &ADMIN, "");
        let load = oracle.load(&server.admin(), CLIENTS);
        let deadline = Instant::now() + Duration::from_secs(30);
        while oracle.done() == 0 {
            assert!(Instant::now() < deadline, "cycle {cycle}: no request was acknowledged");
            sleep(Duration::from_millis(5));
        }
        // Kill at a different moment in each cycle.
        sleep(Duration::from_millis(u64::try_from(cycle).unwrap() * 37 % 250));
        server.kill();
        load.join();
        (done, unknown) = (done + oracle.done(), unknown + oracle.unknown());
        let begun = Instant::now();
        let server = Server::start(&dir, &ADMIN, "");
        slowest = slowest.max(begun.elapsed());
        oracle.holds(&server, &dir, "orders.db");
        assert_eq!(server.stop().0, Some(0));
    }
    say(format_args!(
        "kill -9: {cycles} cycles, {done} requests answered and kept, {unknown} without a response and sent again, ready \
         after {slowest:?} at most"
    ));
}

#[test]
fn the_log_of_a_killed_process_is_on_disk_before_the_server_listens() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    assert!(oracle.one_order(&server.admin(), "one"));
    server.kill();
    let log = dir.path().join("orders.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0, "the log has something to recover");
    // A commit that was written but not synced looks like any other, so the whole log is checkpointed and synced first.
    let server = Server::start(&dir, &[], "");
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    oracle.holds(&server, &dir, "orders.db");
}

/// Opens a reader whose snapshot is older than everything that is written later.
fn reader_on_an_empty_log(dir: &TestDir) -> Connection {
    let reader = Connection::open(dir.path().join("orders.db")).unwrap();
    let busy: bool = reader.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert!(!busy);
    reader.execute_batch("BEGIN; SELECT count(*) FROM orders").unwrap();
    reader
}

#[test]
fn a_log_that_a_reader_keeps_is_synced_before_the_server_listens() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let reader = reader_on_an_empty_log(&dir);
    assert!(oracle.one_order(&admin, "one"));
    server.kill();
    let Some(wrapper) = watching_syncs(&dir) else { return };
    let server = Server::try_start(&dir, &wrapper, &[], "--db orders.db").unwrap();
    assert!(fs::metadata(dir.path().join("orders.db-wal")).unwrap().len() > 0, "the reader keeps the log");
    assert!(synced_before_listening(&dir, "orders.db-wal"), "{}", server.log());
    drop(reader);
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn a_log_that_a_full_disk_keeps_is_synced_before_the_server_listens() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    assert!(oracle.one_order(&server.admin(), "one"));
    server.kill();
    let Some(wrapper) = injecting(&dir, "pwrite64:error=ENOSPC") else { return };
    let server = Server::try_start(&dir, &wrapper, &[], "--db orders.db").unwrap();
    assert!(
        server.log().contains("the disk is full: the write-ahead log is synced and stays beside the file"),
        "{}",
        server.log()
    );
    let trace = fs::read_to_string(dir.path().join("strace")).unwrap();
    let failed = trace.rfind("ENOSPC").unwrap();
    assert!(trace[failed..].contains("fdatasync("), "synced after the failed write: {trace}");
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &[], "");
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn one_key_sent_a_hundred_times_across_a_crash_is_one_order() {
    let dir = TestDir::new();
    let body = json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100}]});
    let storm = |server: &Server| {
        let admin = server.admin();
        let send = |_| {
            let (admin, body) = (admin.clone(), body.clone());
            spawn(move || admin.send("POST /v1/orders", &[("Idempotency-Key", "the-one")], &body))
        };
        (0..100).map(send).collect::<Vec<_>>()
    };
    let server = Server::start(&dir, &ADMIN, "");
    let first = storm(&server);
    sleep(Duration::from_millis(30));
    server.kill();
    let mut answers: Vec<_> = first.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
    let server = Server::start(&dir, &ADMIN, "");
    answers.extend(storm(&server).into_iter().map(|thread| thread.join().unwrap().unwrap()));
    let orders = all_orders(&server.admin());
    assert_eq!(orders.len(), 1);
    assert!(answers.iter().all(|answer| (answer.status, &answer.body) == (201, &orders[0])), "{answers:?}");
}
