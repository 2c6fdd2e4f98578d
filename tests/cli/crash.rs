//! Killed under load, again and again: nothing that was acknowledged is lost, nothing is there twice.
//! `ORDERD_SOAK=N` makes it N cycles.

use crate::{
    oracle::{Oracle, all_orders, say, soak},
    server::{ADMIN, Server},
    strace::{injecting, synced_before_listening, watching_syncs},
    support::Workplace,
};
use rusqlite::Connection;
use serde_json::json;
use std::{
    fs,
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

/// Clients at once.
const CLIENTS: usize = 4;
/// Cycles on one file, so that the lists that are compared stay short.
const CYCLES_A_FILE: usize = 10;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let (cycles, mut done, mut unknown, mut slowest) = (soak().unwrap_or(3), 0, 0, Duration::ZERO);
    let (mut place, mut oracle) = (Workplace::new(), None);
    for cycle in 0..cycles {
        if cycle % CYCLES_A_FILE == 0 {
            place = Workplace::new();
            oracle = Some(Oracle::new(&place));
        }
        let oracle = oracle.as_ref().unwrap();
        let server = Server::start(&place, &ADMIN, "");
        let load = oracle.load(&server.admin(), CLIENTS);
        let deadline = Instant::now() + Duration::from_secs(30);
        while oracle.done() == 0 {
            assert!(Instant::now() < deadline, "cycle {cycle} did nothing");
            sleep(Duration::from_millis(5));
        }
        // Moments that differ from cycle to cycle.
        sleep(Duration::from_millis(u64::try_from(cycle).unwrap() * 37 % 250));
        server.kill();
        load.join();
        (done, unknown) = (done + oracle.done(), unknown + oracle.unknown());
        let begun = Instant::now();
        let server = Server::start(&place, &ADMIN, "");
        slowest = slowest.max(begun.elapsed());
        oracle.holds(&server, &place, "orders.db");
        assert_eq!(server.stop().0, Some(0));
    }
    say(format_args!(
        "kill -9: {cycles} cycles, {done} requests answered and kept, {unknown} without an answer and sent again, ready \
         after {slowest:?} at most"
    ));
}

#[test]
fn what_a_killed_process_left_in_the_log_is_on_disk_before_it_is_vouched_for() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    assert!(oracle.one_order(&server.admin(), "one"));
    server.kill();
    let log = place.path().join("orders.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0, "there is something to recover");
    // A commit that was written but not synced looks like any other; so the whole log goes into the file, synced, first.
    let server = Server::start(&place, &[], "");
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    oracle.holds(&server, &place, "orders.db");
}

/// A connection that reads the file of `place`, with a snapshot from before what is still to come.
fn reader_on_an_empty_log(place: &Workplace) -> Connection {
    let reader = Connection::open(place.path().join("orders.db")).unwrap();
    let busy: bool = reader.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert!(!busy);
    reader.execute_batch("BEGIN; SELECT count(*) FROM orders").unwrap();
    reader
}

#[test]
fn what_a_reader_keeps_in_the_log_is_synced_there_before_it_is_vouched_for() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    let admin = server.admin();
    let reader = reader_on_an_empty_log(&place);
    assert!(oracle.one_order(&admin, "one"));
    server.kill();
    let Some(under) = watching_syncs(&place) else { return };
    let server = Server::try_start(&place, &under, &[], "--db orders.db").unwrap();
    assert!(fs::metadata(place.path().join("orders.db-wal")).unwrap().len() > 0, "the reader keeps it there");
    assert!(synced_before_listening(&place, "orders.db-wal"), "{}", server.log());
    drop(reader);
    oracle.holds(&server, &place, "orders.db");
}

#[test]
fn what_a_full_disk_keeps_in_the_log_is_vouched_for_as_well() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    assert!(oracle.one_order(&server.admin(), "one"));
    server.kill();
    let Some(under) = injecting(&place, "pwrite64:error=ENOSPC") else { return };
    let server = Server::try_start(&place, &under, &[], "--db orders.db").unwrap();
    assert!(server.log().contains("the disk is full: the write-ahead log is synced where it is"), "{}", server.log());
    let trace = fs::read_to_string(place.path().join("strace")).unwrap();
    let refused = trace.rfind("ENOSPC").unwrap();
    assert!(trace[refused..].contains("fdatasync("), "synced after what was refused: {trace}");
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&place, &[], "");
    oracle.holds(&server, &place, "orders.db");
}

#[test]
fn one_key_sent_a_hundred_times_across_a_crash_is_one_order() {
    let place = Workplace::new();
    let body = json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100}]});
    let storm = |server: &Server| {
        let admin = server.admin();
        let send = |_| {
            let (admin, body) = (admin.clone(), body.clone());
            spawn(move || admin.send("POST /v1/orders", &[("Idempotency-Key", "the-one")], &body))
        };
        (0..100).map(send).collect::<Vec<_>>()
    };
    let server = Server::start(&place, &ADMIN, "");
    let first = storm(&server);
    sleep(Duration::from_millis(30));
    server.kill();
    let mut answers: Vec<_> = first.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
    let server = Server::start(&place, &ADMIN, "");
    answers.extend(storm(&server).into_iter().map(|thread| thread.join().unwrap().unwrap()));
    let orders = all_orders(&server.admin());
    assert_eq!(orders.len(), 1);
    assert!(answers.iter().all(|answer| (answer.status, &answer.body) == (201, &orders[0])), "{answers:?}");
}
