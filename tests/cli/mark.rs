//! An older copy is put over the database while its newer log stays beside it. A mixture of the two is never served:
//! the start fails and changes nothing. Where the log holds everything since the copy, nothing is mixed, and all of it
//! is kept.

use crate::{
    backup::{place_order, references},
    server::{ADMIN, Client, Server},
    support::TestDir,
};
use rusqlite::Connection;
use serde_json::json;
use std::{collections::BTreeSet, fs};

/// How the copy is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// With `orderd backup`, beside the running server.
    Backup,
    /// With `cp`, while no server has the file open.
    Copying,
}

/// When the copy is put over the database.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// After kill -9.
    Killed,
    /// While the server runs, which then gets SIGTERM.
    Running,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    by: By,
    when: When,
    /// Orders between the copy and the accident.
    orders: usize,
    /// Whether the log is moved into the file and starts anew between the two.
    is_checkpointed: bool,
}

/// Imports this many orders.
pub fn place_many(client: &Client, orders: usize, name: &str) {
    let line = |i| {
        let item = json!({"sku": format!("sku-{i}"), "name": "Tea", "quantity": 1, "unit_amount": 100});
        json!({"external_ref": format!("{name}-{i}"), "currency": "EUR", "items": [item]}).to_string()
    };
    let lines: Vec<_> = (0..orders).map(line).collect();
    let ndjson = [("Content-Type", "application/x-ndjson")];
    let mut answer = String::new();
    let mut import = client.open("POST /v1/orders/import", &ndjson, &lines.join("\n")).unwrap();
    // The server may end before it has answered.
    let _ = std::io::Read::read_to_string(&mut import, &mut answer);
}

/// Lets the accident happen. Returns the folder and the references of all orders before it.
fn accident(case: Case) -> (TestDir, BTreeSet<String>) {
    let dir = TestDir::new();
    let path = |name: &str| dir.path().join(name);
    let mut server = Server::start(&dir, &ADMIN, "");
    place_many(&server.admin(), 3, "old");
    match case.by {
        By::Backup => assert_eq!(dir.run("backup --db orders.db --out copy.db").code, 0),
        By::Copying => {
            assert_eq!(server.stop().0, Some(0));
            fs::copy(path("orders.db"), path("copy.db")).unwrap();
            server = Server::start(&dir, &[], "");
        }
    }
    place_many(&server.admin(), case.orders, "new");
    if case.is_checkpointed {
        let other = Connection::open(path("orders.db")).unwrap();
        let busy: bool = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert!(!busy);
    }
    assert!(place_order(&server.admin(), "newest"));
    let all = references(&path("orders.db"));
    assert_eq!(all.len(), 3 + case.orders + 1);
    if case.when == When::Killed {
        server.kill();
        fs::copy(path("copy.db"), path("orders.db")).unwrap();
    } else {
        fs::copy(path("copy.db"), path("orders.db")).unwrap();
        server.stop();
    }
    (dir, all)
}

fn try_case(case: Case) {
    let (dir, all) = accident(case);
    let files = || ["orders.db", "orders.db-wal"].map(|name| fs::read(dir.path().join(name)).unwrap());
    let before = files();
    match Server::try_start(&dir, "", &[], "--db orders.db") {
        Err((code, log)) => {
            assert_eq!(code, Some(3), "{case:?}: {log}");
            assert!(log.contains("the write-ahead log beside it belongs to another"), "{case:?}: {log}");
            for command in ["verify", "backup --out other.db", "serve", "user list", "verify --rebuild"] {
                assert_eq!(dir.run(&format!("{command} --db orders.db")).code, 3, "{case:?}: {command}");
            }
            assert!(files() == before, "{case:?}: both files are as they were");
            // The way out that the manual names.
            let restored = dir.run("restore --db orders.db copy.db");
            assert_eq!(restored.code, 0, "{case:?}: {restored:?}");
            assert_eq!(references(&dir.path().join("orders.db")).len(), 3, "{case:?}");
        }
        Ok(server) => {
            assert!(!case.is_checkpointed, "{case:?}: a mixture is served");
            assert_eq!(references(&dir.path().join("orders.db")), all, "{case:?}");
            assert_eq!(dir.run("verify --db orders.db").code, 0, "{case:?}");
            assert_eq!(server.stop().0, Some(0));
        }
    }
}

#[test]
fn a_copy_put_over_the_database_after_a_crash_is_never_mixed_with_its_log() {
    for by in [By::Backup, By::Copying] {
        for orders in [1, 400] {
            for is_checkpointed in [false, true] {
                try_case(Case { by, when: When::Killed, orders, is_checkpointed });
            }
        }
    }
}

#[test]
fn a_copy_put_over_the_database_of_a_running_server_is_never_mixed_with_its_log() {
    for orders in [1, 400] {
        for is_checkpointed in [false, true] {
            try_case(Case { by: By::Backup, when: When::Running, orders, is_checkpointed });
        }
    }
}

#[test]
fn a_server_whose_file_was_replaced_stops_by_itself_and_leaves_both_files() {
    let dir = TestDir::new();
    let mut server = Server::start(&dir, &ADMIN, "");
    assert_eq!(dir.run("backup --db orders.db --out copy.db").code, 0);
    let admin = server.admin();
    assert!(place_order(&admin, "one"));
    let other = Connection::open(dir.path().join("orders.db")).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(place_order(&admin, "two"));
    drop(other);
    fs::copy(dir.path().join("copy.db"), dir.path().join("orders.db")).unwrap();
    assert_eq!(server.wait(), Some(1));
    assert!(server.log().contains("another file was put over the database"), "{}", server.log());
    let copy = fs::read(dir.path().join("copy.db")).unwrap();
    assert!(fs::read(dir.path().join("orders.db")).unwrap() == copy, "the log was not moved into it");
    assert!(fs::metadata(dir.path().join("orders.db-wal")).unwrap().len() > 0, "and was kept");
}
