//! SIGTERM under load: what was accepted is finished, everything acknowledged is there, and the process ends with 0.

use crate::{
    oracle::Oracle,
    server::{ADMIN, Server},
    support::Workplace,
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

#[test]
fn stopping_finishes_what_was_accepted() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    let load = oracle.load(&server.admin(), 4);
    sleep(Duration::from_millis(500));
    let begun = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    load.join();
    assert!(oracle.done() > 0);
    let log = std::fs::metadata(place.path().join("orders.db-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "the write-ahead log was moved into the file");
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
}

#[test]
fn a_second_server_is_refused_at_once() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let begun = Instant::now();
    let second = place.run("serve --db orders.db --listen 127.0.0.1:0");
    assert_eq!((second.code, second.out.as_str()), (3, ""));
    assert!(second.err.ends_with("orderd: orders.db: in use by another orderd\n"), "{}", second.err);
    assert!(begun.elapsed() < Duration::from_secs(5), "it does not wait for the first to end");
    assert_eq!(server.client().get("/readyz").status, 200);
}
