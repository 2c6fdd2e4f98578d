//! `orderd backup`: beside a loaded server and without one, killed, without room, and over what is there already.

use crate::{
    server::{ADMIN, Client, Server},
    support::{Workplace, cycles},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::spawn,
    time::{Duration, Instant},
};

/// Places an order with this reference; whether that was acknowledged.
pub fn places(client: &Client, reference: &str) -> bool {
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250});
    let order = json!({"currency": "EUR", "items": [item], "external_ref": reference});
    let answer = client.send("POST /v1/orders", &[("Idempotency-Key", reference)], &order);
    answer.is_some_and(|answer| answer.status == 201)
}

/// The references of all orders in a file.
pub fn references(file: &Path) -> BTreeSet<String> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT external_ref FROM orders").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The names of all files there that begin like this.
fn named(place: &Workplace, start: &str) -> BTreeSet<String> {
    let names = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).collect()
}

/// A place with a database of one order, and no server.
fn with_an_order() -> Workplace {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    assert!(places(&server.admin(), "only"));
    server.stop();
    place
}

#[test]
fn under_load_it_holds_all_that_was_acknowledged_before_it_began() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let writer = |name: usize| {
        let (client, stop, acknowledged) = (server.admin(), Arc::clone(&stop), Arc::clone(&acknowledged));
        spawn(move || {
            for i in 0.. {
                let reference = format!("{name}-{i}");
                assert!(places(&client, &reference));
                acknowledged.lock().unwrap().insert(reference);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        })
    };
    let writers: Vec<_> = (0..3).map(writer).collect();
    for round in 0..cycles(3) {
        let before = loop {
            let before = acknowledged.lock().unwrap().clone();
            if before.len() > round * 10 {
                break before;
            }
        };
        let name = format!("copy-{round}.db");
        let outcome = place.run(&format!("backup --db orders.db --out {name}"));
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(outcome.out.starts_with(&format!("{name}: ")) && outcome.out.ends_with(" bytes, verified\n"));
        assert!(references(&place.path().join(&name)).is_superset(&before));
        assert_eq!(place.run(&format!("verify --db {name}")).code, 0);
        assert_eq!(named(&place, &name), BTreeSet::from([name.clone()]), "one file, with nothing beside it");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn what_a_crashed_server_left_in_its_log_is_in_the_copy() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    assert!(places(&server.admin(), "one"));
    server.kill();
    assert_eq!(place.run("backup --db orders.db --out copy.db").code, 0);
    assert_eq!(references(&place.path().join("copy.db")), BTreeSet::from(["one".to_owned()]));
}

#[test]
fn one_that_is_killed_never_has_the_final_name() {
    let place = with_an_order();
    for _ in 0..cycles(3) {
        let mut backup = place.spawn("backup --db orders.db --out copy.db");
        let (partial, begun) = (place.path().join("copy.db.partial"), Instant::now());
        while !partial.exists() && backup.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20) {}
        backup.kill().unwrap();
        backup.wait().unwrap();
        let left = named(&place, "copy.db");
        if left.contains("copy.db") {
            // It was faster than we: then it is whole.
            assert_eq!(place.run("verify --db copy.db").code, 0);
            fs::remove_file(place.path().join("copy.db")).unwrap();
        } else {
            assert!(left.is_subset(&BTreeSet::from(["copy.db.partial".to_owned()])), "{left:?}");
        }
    }
    fs::write(place.path().join("copy.db.partial-wal"), "a stranger's").unwrap();
    assert_eq!(place.run("backup --db orders.db --out copy.db").code, 0);
    assert_eq!(named(&place, "copy.db"), BTreeSet::from(["copy.db".to_owned()]));
    assert_eq!(place.run("verify --db copy.db").code, 0);
}

#[test]
fn what_is_there_is_replaced_only_by_force_and_the_database_never() {
    let place = with_an_order();
    place.write("copy.db", "notes");
    let refused = place.run("backup --db orders.db --out copy.db");
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert_eq!(refused.err, "orderd: copy.db: is there already; --force replaces it\n");
    assert_eq!(fs::read_to_string(place.path().join("copy.db")).unwrap(), "notes");
    let itself = place.run("backup --db orders.db --out ./orders.db --force");
    assert_eq!((itself.code, itself.err.as_str()), (2, "orderd: ./orders.db: is the database itself\n"));
    assert_eq!(place.run("backup --db orders.db --out copy.db --force").code, 0);
    assert_eq!(references(&place.path().join("copy.db")).len(), 1);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(place.path().join("copy.db")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_cannot_be_copied_is_named() {
    let place = Workplace::new();
    place.write("text.db", &"no database ".repeat(1000));
    for (name, code) in [("text.db", 3), ("missing.db", 1)] {
        let outcome = place.run(&format!("backup --db {name} --out copy.db"));
        assert_eq!(outcome.code, code, "{}", outcome.err);
        assert!(outcome.err.starts_with(&format!("orderd: {name}: ")), "{}", outcome.err);
    }
    let place = with_an_order();
    let connection = Connection::open(place.path().join("orders.db")).unwrap();
    connection.execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE orders SET version = 99").unwrap();
    drop(connection);
    let outcome = place.run("backup --db orders.db --out copy.db");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("does not verify: orders: row 1, column version"), "{}", outcome.err);
    assert!(named(&place, "copy.db").is_empty());
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let place = with_an_order();
    let small = place.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: only root can mount a disk that is full");
        return;
    }
    let outcome = place.run("backup --db orders.db --out small/copy.db");
    let left = fs::read_dir(&small).unwrap().count();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!((outcome.code, left), (1, 0), "{}", outcome.err);
    assert!(outcome.err.ends_with("orderd: small/copy.db.partial: there is no room on the disk\n"), "{}", outcome.err);
}
