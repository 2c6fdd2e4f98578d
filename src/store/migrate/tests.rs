//! Migrations made up for these tests, since the first release has none: what they leave behind when they succeed,
//! fail, run out of disk space, or are killed.

use super::*;
use crate::{
    domain::digest::hex,
    store::{
        Commits,
        owned_file::{OwnedFile, open_exclusively},
        personal,
        schema::{MIGRATIONS, SCHEMA, latest_version},
    },
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::PathBuf,
    process::{Command, Output},
};

/// Two migrations: one fills a new table from another, and one replaces a table that others refer to.
pub(in crate::store) const TWO: &[Migration] = &[
    Migration {
        to: 2,
        sql: "CREATE TABLE nicknames (id BLOB NOT NULL PRIMARY KEY, role TEXT NOT NULL) STRICT, WITHOUT ROWID;
              INSERT INTO nicknames SELECT id, role FROM users;",
        sha256: "0b3f5c70617c5729042db27afb45fd1cd7812261ea6ebba8ac2cb284612ad074",
    },
    Migration {
        to: 3,
        sql: "CREATE TABLE new_keys (id BLOB NOT NULL PRIMARY KEY, created_by BLOB NOT NULL REFERENCES users (id));
              INSERT INTO new_keys SELECT id, created_by FROM api_keys;
              DROP TABLE api_keys;
              ALTER TABLE new_keys RENAME TO api_keys;",
        sha256: "4e914f6cff410ce6c7700adebb9aff1561ac225e5d87fe8eaef3048ebbca4c9c",
    },
];
pub(in crate::store) const USERS: i64 = 200;

/// A folder with a file of version 1, and the path of the file.
pub(in crate::store) fn file_of_version_1() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let OwnedFile { connection, .. } = open_exclusively(&path, Commits::Written, &[]).unwrap();
    let digest = hex(&personal::digest(&[0; 16], "{}"));
    let rows = format!(
        "INSERT INTO personal VALUES (1, NULL, zeroblob(16), x'{digest}', '{{}}');
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {USERS})
         INSERT INTO users SELECT i, randomblob(16), NULL, 1, 'staff', 'active', hex(zeroblob(200)), 0, 0, NULL FROM n;
         INSERT INTO api_keys SELECT id, '', id, '', '', id, 0, NULL, NULL FROM users;"
    );
    connection.execute_batch(&rows).unwrap();
    connection.close().unwrap();
    (folder, path)
}

/// The version of a file. Panics if the file is between two versions or has lost rows.
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

pub(in crate::store) fn upgraded(path: &Path, migrations: &[Migration]) -> Result<(), String> {
    open_exclusively(path, Commits::Synced, migrations).map(drop).map_err(|e| e.to_string())
}

#[test]
fn released_migrations_are_numbered_and_never_edited() {
    for (migration, to) in MIGRATIONS.iter().zip(2..) {
        assert_eq!((migration.to, hex_sha256(migration.sql).as_str()), (to, migration.sha256));
    }
    assert!(
        SCHEMA.contains(&format!("PRAGMA user_version = {};", latest_version(MIGRATIONS))),
        "schema.sql has another version"
    );
}

#[test]
fn an_upgrade_keeps_a_copy_of_the_file_before_it() {
    let (_folder, path) = file_of_version_1();
    upgraded(&path, TWO).unwrap();
    assert_eq!(version(&path), 3);
    let copy = with_suffix(&path, ".pre-v2.db");
    assert_eq!((version(&copy), fs::metadata(&copy).unwrap().permissions().mode() & 0o777), (1, 0o600));
    assert!(!with_suffix(&copy, ".partial").exists());
    fs::remove_file(&copy).unwrap();
    upgraded(&path, TWO).unwrap();
    assert!(!copy.exists(), "without an upgrade no copy is made");
}

#[test]
fn a_failed_migration_leaves_the_file_at_the_version_before() {
    let (_folder, path) = file_of_version_1();
    let broken = "DELETE FROM users; INSERT INTO nowhere VALUES (1);";
    let orphaning = "CREATE TABLE nicknames AS SELECT 1; DELETE FROM users;";
    let edited = Migration { to: 2, sql: broken, sha256: TWO[0].sha256 };
    for (migration, reason) in [
        (
            Migration {
                to: 2,
                sql: broken,
                sha256: "1a04cfc470a1dda11205f00bfb8e521784eca29f009ed128d9f791c37b83e509",
            },
            "no such table",
        ),
        (
            Migration {
                to: 2,
                sql: orphaning,
                sha256: "c4b2c45aafaf1002591f485a2e5bb37a5fc01c16fc865de20b4a988918b44605",
            },
            "would refer to nothing",
        ),
        (edited, "not the one that was released"),
    ] {
        let said = upgraded(&path, &[migration]).unwrap_err();
        assert!(said.contains("the upgrade to schema 2 failed") && said.contains(reason), "{said}");
        assert_eq!(version(&path), 1);
    }
    upgraded(&path, TWO).unwrap();
    assert_eq!(version(&path), 3);
}

#[test]
fn a_newer_or_foreign_file_is_not_changed() {
    let (folder, path) = file_of_version_1();
    upgraded(&path, TWO).unwrap();
    // A copy is not in WAL mode: opening it for writing would change its header.
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

const CHILD: &str = "store::migrate::tests::upgrade_in_a_child_process";

/// The upgrade alone. The tests below run it in a child process, in the folder of the file.
#[test]
#[ignore = "is started by other tests"]
fn upgrade_in_a_child_process() {
    let path = Path::new("orders.db");
    if path.exists() {
        upgraded(path, TWO).unwrap();
    }
}

/// Runs `program` with `arguments` in `folder`, which runs the ignored test of this name.
pub(in crate::store) fn run_test_under(program: &str, arguments: &[&str], folder: &Path, test: &str) -> Output {
    let this = std::env::current_exe().unwrap();
    let child = ["--ignored", "--exact", test, "--test-threads=1"];
    Command::new(program).args(arguments).arg(this).args(child).current_dir(folder).output().unwrap()
}

/// Whether `strace` is installed and allowed.
pub(in crate::store) fn strace_works() -> bool {
    Command::new("strace").arg("true").output().is_ok_and(|ran| ran.status.success())
}

/// The numbers of the system calls at which a test kills its child: every `stride`th one, or all if `ORDERD_SOAK` is
/// set.
pub(in crate::store) fn kill_points(stride: usize) -> impl Iterator<Item = usize> {
    (1..).step_by(if std::env::var_os("ORDERD_SOAK").is_some() { 1 } else { stride })
}

#[test]
fn an_upgrade_killed_at_any_write_or_sync_continues_at_the_next_start() {
    if !strace_works() {
        return;
    }
    let (mut before, mut after) = (0, 0);
    for call in kill_points(17) {
        let (folder, path) = file_of_version_1();
        let inject =
            format!("inject=pwrite64,write,fdatasync,fsync,ftruncate,rename,unlink:signal=SIGKILL:when={call}");
        let trace = ["-f", "-qq", "-o", "trace", "-P", "orders.db", "-P", "orders.db-wal", "-P"];
        let copy = ["orders.db.pre-v2.db.partial", "-P", "orders.db.pre-v2.db", "-e", &inject];
        let status = run_test_under("strace", &[&trace[..], &copy[..]].concat(), folder.path(), CHILD).status;
        match version(&path) {
            1 => before += 1,
            _ => after += 1,
        }
        assert!(version(&path) == 1 || version(&with_suffix(&path, ".pre-v2.db")) == 1, "no upgrade without a copy");
        upgraded(&path, TWO).unwrap();
        assert_eq!((version(&path), version(&with_suffix(&path, ".pre-v2.db"))), (3, 1));
        if status.success() {
            break;
        }
        assert!(status.signal() == Some(9) || status.code() == Some(137), "{status}");
    }
    assert!(before > 0 && after > 0, "killed {before} times before and {after} times after the first step");
}

#[test]
fn an_upgrade_without_disk_space_is_refused_and_later_continues() {
    let mut refused = 0;
    for kib in (16..).step_by(if std::env::var_os("ORDERD_SOAK").is_some() { 4 } else { 96 }) {
        let (folder, path) = file_of_version_1();
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        let status = run_test_under("sh", &["-c", &limited, "sh"], folder.path(), CHILD).status;
        assert!(!with_suffix(&path, ".pre-v2.db.partial").exists());
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
