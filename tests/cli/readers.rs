//! Slow readers: an export whose client stops reading must not block writes or checkpoints.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::json;
use std::{
    fs,
    io::Read,
    time::{Duration, Instant},
};

#[test]
fn an_export_whose_client_stops_reading_holds_no_snapshot() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let order = |note: String| {
        let items = [json!({"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100})];
        json!({"currency": "EUR", "external_ref": note.len().to_string(), "note": note, "items": items})
    };
    // More than the sockets buffer, and more than one page.
    let lines: Vec<_> = (0..1_100).map(|i| order("x".repeat(3_900 + i)).to_string() + "\n").collect();
    let connection = admin.open("POST /v1/orders/import", &[("Content-Type", "application/x-ndjson")], &lines.concat());
    let mut answer = String::new();
    connection.unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("created").count(), lines.len(), "{answer}");
    let mut export = admin.open("GET /v1/orders", &[("Accept", "application/x-ndjson")], "").unwrap();
    export.read_exact(&mut [0; 1000]).unwrap();

    let more = admin.send("POST /v1/orders", &[("Idempotency-Key", "k")], &order("last".to_owned()));
    assert_eq!(more.unwrap().status, 201);
    let deadline = Instant::now() + Duration::from_secs(20);
    // The export may be reading a page at this moment.
    while !log_can_be_emptied(&dir) {
        assert!(Instant::now() < deadline, "a reader still holds the log");
    }
    export.read_exact(&mut vec![0; 2_000_000]).unwrap();
}

/// Whether the write-ahead log can be truncated because no reader holds it.
fn log_can_be_emptied(dir: &TestDir) -> bool {
    let connection = rusqlite::Connection::open(dir.path().join("orders.db")).unwrap();
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    !busy && fs::metadata(dir.path().join("orders.db-wal")).unwrap().len() == 0
}
