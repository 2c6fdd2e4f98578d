//! `orderd doctor`: what it reports about healthy and faulty installations.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// Runs it and returns the exit code and the document.
fn diagnose(dir: &TestDir) -> (i32, Value) {
    let outcome = dir.run("doctor --db orders.db --json");
    (outcome.code, serde_json::from_str(&outcome.out).unwrap_or_else(|e| panic!("{e}: {outcome:?}")))
}

fn state(document: &Value, name: &str) -> (String, String) {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {document}"));
    (check["state"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_healthy_installation_passes_with_and_without_a_server() {
    let dir = TestDir::new();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (code, document) = diagnose(&dir);
    assert_eq!((code, state(&document, "database").0.as_str()), (0, "warn"), "there is no database yet");
    let server = Server::start(&dir, &ADMIN, "");
    let (code, document) = diagnose(&dir);
    assert_eq!((code, &document["ok"]), (0, &Value::Bool(true)), "{document}");
    for name in ["sqlite", "permissions", "database", "clock", "holder"] {
        assert_eq!(state(&document, name).0, "ok", "{document}");
    }
    assert!(state(&document, "holder").1.contains("process"), "{document}");
    assert!(state(&document, "sync").1.contains("median"), "{document}");
    server.stop();
    assert_eq!(state(&diagnose(&dir).1, "holder").1, "nobody");
    let lines = dir.run("doctor --db orders.db");
    assert_eq!((lines.code, lines.err.as_str()), (0, ""));
    let states = ["ok ", "WARN ", "FAIL "];
    assert!(lines.out.lines().all(|line| states.iter().any(|state| line.starts_with(state)) && line.contains(": ")));
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.contains("doctor")), "no file is left");
}

#[test]
fn faults_are_named_and_exit_with_1() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let file = dir.path().join("orders.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, document) = diagnose(&dir);
    assert_eq!((code, state(&document, "permissions").0.as_str()), (1, "fail"), "{document}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("DROP TRIGGER audit_is_not_changed; UPDATE audit SET occurred_at = 9e15").unwrap();
    drop(connection);
    let (code, document) = diagnose(&dir);
    assert_eq!((code, state(&document, "clock").0.as_str()), (1, "fail"), "{document}");
    dir.write("orders.db", "no database");
    let (code, document) = diagnose(&dir);
    assert_eq!((code, state(&document, "database").0.as_str()), (1, "fail"), "{document}");
    dir.write("orders.db.backups", "a file where the folder is to be");
    let (code, document) = diagnose(&dir);
    let backups = state(&document, "backups");
    assert_eq!((code, backups.0.as_str()), (1, "fail"), "{document}");
    assert!(backups.1.contains("orders.db.backups is not a folder"), "{backups:?}");
    let nowhere = dir.run("doctor --db nowhere/orders.db");
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.out.contains("FAIL folder: nowhere does not exist\n"), "{}", nowhere.out);
}

#[test]
fn a_soft_limit_on_descriptors_passes_since_the_server_raises_it() {
    let dir = TestDir::new();
    let doctor = "ulimit -Sn 200; exec \"$0\" doctor --db orders.db --set limits.connections=150";
    let output = Command::new("sh").args(["-c", doctor, env!("CARGO_BIN_EXE_orderd")]).current_dir(dir.path()).output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.lines().any(|line| line.starts_with("ok descriptors: ")), "{said}");
}
