//! Readers that could hurt: an export whose client stops reading keeps nothing from being written or tidied up.

use crate::{
    server::{ADMIN, Server},
    support::Workplace,
};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

#[test]
fn an_export_whose_client_stops_reading_holds_no_snapshot() {
    let place = Workplace::new();
    let mut server = Server::start(&place, &ADMIN, "--demo");
    let mut lines = (0..5).map(|_| server.line());
    let line = lines.find(|line| line.starts_with("demo user: admin ")).unwrap();
    let [email, password] = line.split(' ').skip(3).collect::<Vec<_>>()[..] else { panic!("{line}") };
    let admin = server.log_in(email, password).unwrap();
    let mut export = TcpStream::connect(&server.address).unwrap();
    let token = admin.token.as_ref().unwrap();
    let head = format!("Host: test\r\nAccept: application/x-ndjson\r\nAuthorization: Bearer {token}");
    write!(export, "GET /v1/orders HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    export.read_exact(&mut [0; 1000]).unwrap();

    let order = json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100}]});
    assert_eq!(admin.send("POST /v1/orders", &[("Idempotency-Key", "k")], &order).unwrap().status, 201);
    let deadline = Instant::now() + Duration::from_secs(20);
    // It may be reading a page just now.
    while !log_can_be_emptied(&place) {
        assert!(Instant::now() < deadline, "something needs the log still");
    }
    export.read_exact(&mut [0; 1_000_000]).unwrap();
}

/// Whether no reader needs what is in the write-ahead log.
fn log_can_be_emptied(place: &Workplace) -> bool {
    let connection = rusqlite::Connection::open(place.path().join("orders.db")).unwrap();
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    !busy && fs::metadata(place.path().join("orders.db-wal")).unwrap().len() == 0
}
