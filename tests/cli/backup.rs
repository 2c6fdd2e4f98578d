//! `orderd backup`: with and without a loaded server, killed, on a full disk, and over existing files.

use crate::{
    server::{ADMIN, Client, Server},
    support::{TestDir, cycles},
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

/// Places an order with this reference; `true` if it was acknowledged.
pub fn place_order(client: &Client, reference: &str) -> bool {
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250});
    let order = json!({"currency": "EUR", "items": [item], "external_ref": reference});
    let answer = client.send("POST /v1/orders", &[("Idempotency-Key", reference)], &order);
    answer.is_some_and(|answer| answer.status == 201)
}

/// The references of all orders in a database.
pub fn references(file: &Path) -> BTreeSet<String> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT external_ref FROM orders").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The names of all files in `dir` that begin with `start`.
fn files_named(dir: &TestDir, start: &str) -> BTreeSet<String> {
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).collect()
}

/// A folder with a database of one order, and no server.
fn with_an_order() -> TestDir {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    assert!(place_order(&server.admin(), "only"));
    server.stop();
    dir
}

#[test]
fn a_backup_under_load_has_everything_acknowledged_before_it_began() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let writer = |name: usize| {
        let (client, stop, acknowledged) = (server.admin(), Arc::clone(&stop), Arc::clone(&acknowledged));
        spawn(move || {
            for i in 0.. {
                let reference = format!("{name}-{i}");
                assert!(place_order(&client, &reference));
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
        let outcome = dir.run(&format!("backup --db orders.db --out {name}"));
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(outcome.out.starts_with(&format!("{name}: ")) && outcome.out.ends_with(" bytes, verified\n"));
        assert!(references(&dir.path().join(&name)).is_superset(&before));
        assert_eq!(dir.run(&format!("verify --db {name}")).code, 0);
        assert_eq!(files_named(&dir, &name), BTreeSet::from([name.clone()]), "one file and none beside it");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn a_backup_has_what_a_crashed_server_left_in_its_log() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    assert!(place_order(&server.admin(), "one"));
    server.kill();
    assert_eq!(dir.run("backup --db orders.db --out copy.db").code, 0);
    assert_eq!(references(&dir.path().join("copy.db")), BTreeSet::from(["one".to_owned()]));
}

#[test]
fn a_killed_backup_never_has_the_final_name() {
    let dir = with_an_order();
    for _ in 0..cycles(3) {
        let mut backup = dir.spawn("backup --db orders.db --out copy.db");
        let (partial, begun) = (dir.path().join("copy.db.partial"), Instant::now());
        while !partial.exists() && backup.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20) {}
        backup.kill().unwrap();
        backup.wait().unwrap();
        let left = files_named(&dir, "copy.db");
        if left.contains("copy.db") {
            // The backup finished before it was killed, so it must be complete.
            assert_eq!(dir.run("verify --db copy.db").code, 0);
            fs::remove_file(dir.path().join("copy.db")).unwrap();
        } else {
            assert!(left.is_subset(&BTreeSet::from(["copy.db.partial".to_owned()])), "{left:?}");
        }
    }
    fs::write(dir.path().join("copy.db.partial-wal"), "some other log").unwrap();
    assert_eq!(dir.run("backup --db orders.db --out copy.db").code, 0);
    assert_eq!(files_named(&dir, "copy.db"), BTreeSet::from(["copy.db".to_owned()]));
    assert_eq!(dir.run("verify --db copy.db").code, 0);
}

#[test]
fn existing_files_are_replaced_only_by_force_and_the_database_never() {
    let dir = with_an_order();
    dir.write("copy.db", "notes");
    let refused = dir.run("backup --db orders.db --out copy.db");
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert_eq!(refused.err, "orderd: copy.db: exists already; --force replaces it\n");
    assert_eq!(fs::read_to_string(dir.path().join("copy.db")).unwrap(), "notes");
    let itself = dir.run("backup --db orders.db --out ./orders.db --force");
    assert_eq!((itself.code, itself.err.as_str()), (2, "orderd: ./orders.db: this is the database itself\n"));
    assert_eq!(dir.run("backup --db orders.db --out copy.db --force").code, 0);
    assert_eq!(references(&dir.path().join("copy.db")).len(), 1);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.path().join("copy.db")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_database_that_cannot_be_copied_is_named() {
    let dir = TestDir::new();
    dir.write("text.db", &"no database ".repeat(1000));
    for (name, code) in [("text.db", 3), ("missing.db", 1)] {
        let outcome = dir.run(&format!("backup --db {name} --out copy.db"));
        assert_eq!(outcome.code, code, "{}", outcome.err);
        assert!(outcome.err.starts_with(&format!("orderd: {name}: ")), "{}", outcome.err);
    }
    let dir = with_an_order();
    let connection = Connection::open(dir.path().join("orders.db")).unwrap();
    connection.execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE orders SET version = 99").unwrap();
    drop(connection);
    let outcome = dir.run("backup --db orders.db --out copy.db");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("does not verify: orders: row 1, column version"), "{}", outcome.err);
    assert!(files_named(&dir, "copy.db").is_empty());
}

#[test]
fn a_full_disk_is_reported_and_leaves_no_file() {
    let dir = with_an_order();
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: only root can mount a full disk");
        return;
    }
    let outcome = dir.run("backup --db orders.db --out small/copy.db");
    let left = fs::read_dir(&small).unwrap().count();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!((outcome.code, left), (1, 0), "{}", outcome.err);
    assert!(outcome.err.ends_with("orderd: small/copy.db.partial: there is no room on the disk\n"), "{}", outcome.err);
}
