//! Upgrades with steps of our own, since the first release has none: what they leave behind when they succeed, fail, find
//! no room, or are killed.

use super::*;
use crate::store::{
    Commits,
    open::{Taken, take as take_file},
    schema::{SCHEMA, STEPS, newest},
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::{Command, Output},
};

/// Two steps: a table filled from another one, and a table replaced while others refer to it.
pub(in crate::store) const TWO: &[Step] = &[
    Step {
        to: 2,
        sql: "CREATE TABLE nicknames (email TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
              INSERT INTO nicknames SELECT email, name FROM users;",
        sha256: "fab02c8924287309f6c83a877e59ecbe1fba643bf03573ceef5ed558eb05158f",
    },
    Step {
        to: 3,
        sql: "CREATE TABLE new_keys (id BLOB NOT NULL PRIMARY KEY, created_by BLOB NOT NULL REFERENCES users (id));
              INSERT INTO new_keys SELECT id, created_by FROM api_keys;
              DROP TABLE api_keys;
              ALTER TABLE new_keys RENAME TO api_keys;",
        sha256: "4e914f6cff410ce6c7700adebb9aff1561ac225e5d87fe8eaef3048ebbca4c9c",
    },
];
pub(in crate::store) const USERS: i64 = 200;

/// A folder with a file of version 1, and where that is.
pub(in crate::store) fn scene() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let Taken { connection, .. } = take_file(&path, Commits::Written, &[]).unwrap();
    let rows = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {USERS})
         INSERT INTO users SELECT NULL, randomblob(16), 'user' || i, hex(zeroblob(200)), 'staff', 'active', '', 0, 0 FROM n;
         INSERT INTO api_keys SELECT id, '', id, '', '', id, 0, NULL, NULL FROM users;"
    );
    connection.execute_batch(&rows).unwrap();
    connection.close().unwrap();
    (folder, path)
}

/// The version of a file; panics if it is between two versions or has lost anything.
fn version(path: &Path) -> i64 {
    let connection = Connection::open_with_flags(path, READ_ONLY).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!((sound.as_str(), number("SELECT count(*) FROM users")), ("ok", USERS));
    assert_eq!(number("SELECT count(*) FROM api_keys"), USERS);
    let version = number("PRAGMA user_version");
    let nicknames = number("SELECT count(*) FROM sqlite_schema WHERE name = 'nicknames'");
    let columns = number("SELECT count(*) FROM pragma_table_info('api_keys')");
    assert_eq!((nicknames == 1, columns == 2), (version >= 2, version >= 3), "version {version}");
    if nicknames == 1 {
        assert_eq!(number("SELECT count(*) FROM nicknames"), USERS);
    }
    version
}

pub(in crate::store) fn upgraded(path: &Path, steps: &[Step]) -> Result<(), String> {
    take_file(path, Commits::Synced, steps).map(drop).map_err(|e| e.to_string())
}

#[test]
fn the_steps_are_numbered_from_the_first_release_and_as_they_were_released() {
    for (step, to) in STEPS.iter().zip(2..) {
        assert_eq!((step.to, hex_sha256(step.sql).as_str()), (to, step.sha256));
    }
    assert!(SCHEMA.contains(&format!("PRAGMA user_version = {};", newest(STEPS))), "schema.sql says another version");
}

#[test]
fn an_upgrade_keeps_a_copy_of_what_was_before() {
    let (_folder, path) = scene();
    upgraded(&path, TWO).unwrap();
    assert_eq!(version(&path), 3);
    let copy = beside(&path, ".pre-v2.db");
    assert_eq!((version(&copy), fs::metadata(&copy).unwrap().permissions().mode() & 0o777), (1, 0o600));
    assert!(!beside(&copy, ".partial").exists());
    fs::remove_file(&copy).unwrap();
    upgraded(&path, TWO).unwrap();
    assert!(!copy.exists(), "nothing to upgrade, nothing to copy");
}

#[test]
fn a_step_that_fails_leaves_the_file_at_the_version_before() {
    let (_folder, path) = scene();
    let broken = "DELETE FROM users; INSERT INTO nowhere VALUES (1);";
    let orphaning = "CREATE TABLE nicknames AS SELECT 1; DELETE FROM users;";
    let edited = Step { to: 2, sql: broken, sha256: TWO[0].sha256 };
    for (step, reason) in [
        (
            Step { to: 2, sql: broken, sha256: "1a04cfc470a1dda11205f00bfb8e521784eca29f009ed128d9f791c37b83e509" },
            "no such table",
        ),
        (
            Step { to: 2, sql: orphaning, sha256: "c4b2c45aafaf1002591f485a2e5bb37a5fc01c16fc865de20b4a988918b44605" },
            "would refer to nothing",
        ),
        (edited, "not the one that was released"),
    ] {
        let said = upgraded(&path, &[step]).unwrap_err();
        assert!(said.contains("the upgrade to schema 2 failed") && said.contains(reason), "{said}");
        assert_eq!(version(&path), 1);
    }
    upgraded(&path, TWO).unwrap();
    assert_eq!(version(&path), 3);
}

#[test]
fn a_file_that_is_newer_or_foreign_is_not_touched() {
    let (folder, path) = scene();
    upgraded(&path, TWO).unwrap();
    // A copy is not in WAL mode, so that whoever opens it for writing changes its header.
    let newer = folder.path().join("newer.db");
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [newer.to_str().unwrap()]).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for (file, reason) in [(newer, "schema 3 is newer"), (foreign, "not a database of orderd")] {
        let before = fs::read(&file).unwrap();
        let said = upgraded(&file, &[]).unwrap_err();
        assert!(said.contains(reason), "{said}");
        assert_eq!(fs::read(&file).unwrap(), before, "{reason}");
    }
}

const CHILD: &str = "store::migrate::tests::upgrade_in_a_process_of_its_own";

/// What the tests below start in a process of its own, in the folder of the file: the upgrade alone.
#[test]
#[ignore = "is started by other tests"]
fn upgrade_in_a_process_of_its_own() {
    let path = Path::new("orders.db");
    if path.exists() {
        upgraded(path, TWO).unwrap();
    }
}

/// Runs `program` with `arguments`, and below it, in `folder`, the test of this name that is ignored otherwise.
pub(in crate::store) fn below(program: &str, arguments: &[&str], folder: &Path, test: &str) -> Output {
    let this = std::env::current_exe().unwrap();
    let child = ["--ignored", "--exact", test, "--test-threads=1"];
    Command::new(program).args(arguments).arg(this).args(child).current_dir(folder).output().unwrap()
}

/// Whether `strace` is there: not everywhere is it installed, or allowed.
pub(in crate::store) fn strace_works() -> bool {
    Command::new("strace").arg("true").output().is_ok_and(|ran| ran.status.success())
}

/// Every `stride`th of the moments at which something may happen: all of them if `ORDERD_SOAK` is set.
pub(in crate::store) fn moments(stride: usize) -> impl Iterator<Item = usize> {
    (1..).step_by(if std::env::var_os("ORDERD_SOAK").is_some() { 1 } else { stride })
}

#[test]
fn killed_at_a_write_or_sync_it_goes_on_when_it_is_started_again() {
    if !strace_works() {
        return;
    }
    let (mut before, mut after) = (0, 0);
    for moment in moments(17) {
        let (folder, path) = scene();
        let inject =
            format!("inject=pwrite64,write,fdatasync,fsync,ftruncate,rename,unlink:signal=SIGKILL:when={moment}");
        let trace = ["-f", "-qq", "-o", "trace", "-P", "orders.db", "-P", "orders.db-wal", "-P"];
        let copy = ["orders.db.pre-v2.db.partial", "-P", "orders.db.pre-v2.db", "-e", &inject];
        let status = below("strace", &[&trace[..], &copy[..]].concat(), folder.path(), CHILD).status;
        match version(&path) {
            1 => before += 1,
            _ => after += 1,
        }
        assert!(version(&path) == 1 || version(&beside(&path, ".pre-v2.db")) == 1, "no upgrade without a copy");
        upgraded(&path, TWO).unwrap();
        assert_eq!((version(&path), version(&beside(&path, ".pre-v2.db"))), (3, 1));
        if status.success() {
            break;
        }
        assert!(status.signal() == Some(9) || status.code() == Some(137), "{status}");
    }
    assert!(before > 0 && after > 0, "killed {before} times before and {after} times after the first step");
}

#[test]
fn without_room_it_is_refused_and_later_goes_on() {
    let mut refused = 0;
    for kib in (16..).step_by(if std::env::var_os("ORDERD_SOAK").is_some() { 4 } else { 96 }) {
        let (folder, path) = scene();
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        let status = below("sh", &["-c", &limited, "sh"], folder.path(), CHILD).status;
        assert!(!beside(&path, ".pre-v2.db.partial").exists());
        let reached = version(&path);
        upgraded(&path, TWO).unwrap();
        assert_eq!(version(&path), 3);
        if status.success() {
            assert_eq!(reached, 3);
            break;
        }
        refused += 1;
    }
    assert!(refused > 0);
}
