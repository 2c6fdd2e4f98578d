//! Restoring a backup of an earlier release, with migrations made up for these tests, since the first release has none.
//! The tests of the executable cover everything else about restoring.

use super::*;
use crate::{
    domain::digest::hex_sha256,
    store::{
        connection::READ_ONLY,
        migrate::tests::{TWO, USERS, file_of_version_1, kill_points, run_test_under, strace_works, upgraded},
    },
};
use std::{collections::BTreeMap, os::unix::process::ExitStatusExt};

/// The migrations of the current release: one more than the release before has.
const CURRENT: &[Migration] = TWO.split_at(1).0;
const NICKNAMES: &str = "SELECT count(*) FROM nicknames";

/// A folder with a database of the current release and a backup of the release before, and the paths of both.
fn database_and_backup() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, path) = file_of_version_1();
    let backup = folder.path().join("old.db");
    fs::copy(&path, &backup).unwrap();
    upgraded(&path, CURRENT).unwrap();
    fs::remove_file(with_suffix(&path, ".pre-v2.db")).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute("INSERT INTO nicknames VALUES (x'6e6f7420696e20746865206261636b7570', '')", []).unwrap();
    (folder, path, backup)
}

fn no_progress() -> OnProgress {
    std::sync::Arc::new(|_| ControlFlow::Continue(()))
}

fn restored(migrations: &[Migration], path: &Path, backup: &Path) -> Result<bool, CopyError> {
    Restore::begin_with(migrations, path, backup, &no_progress())?.finish(&with_suffix(path, ".kept"))
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open_with_flags(path, READ_ONLY).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every file of a folder with its content, without the empty lock file.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("orders.db.lock")).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_backup_of_an_earlier_release_is_upgraded_before_it_replaces_the_database() {
    let (folder, path, backup) = database_and_backup();
    let before = fs::read(&backup).unwrap();
    assert!(restored(CURRENT, &path, &backup).unwrap());
    assert_eq!((number(&path, NICKNAMES), number(&path, "PRAGMA user_version")), (USERS, 2));
    assert_eq!(number(&with_suffix(&path, ".kept"), NICKNAMES), USERS + 1);
    assert_eq!(fs::read(&backup).unwrap(), before, "the backup is not changed");
    assert_eq!(files(folder.path()).len(), 3, "no other file is left");
    upgraded(&path, CURRENT).unwrap();
    assert!(!with_suffix(&path, ".pre-v2.db").exists(), "a server need not upgrade it again");
}

#[test]
fn a_backup_that_cannot_be_upgraded_or_verified_changes_nothing() {
    let (folder, path, backup) = database_and_backup();
    let migration = |to, sql| Migration { to, sql, sha256: Box::leak(hex_sha256(sql).into_boxed_str()) };
    for (migrations, reason) in [
        (
            [migration(2, "INSERT INTO nowhere VALUES (1)")],
            "old.db: the upgrade to schema 2 failed: no such table: nowhere",
        ),
        ([migration(2, "DROP INDEX events_by_order")], "old.db: does not verify: schema: events_by_order"),
        ([Migration { to: 2, sql: "", sha256: "" }], "the step is not the one that was released"),
    ] {
        let before = files(folder.path());
        let refused = restored(&migrations, &path, &backup).unwrap_err();
        assert!(matches!(refused, CopyError::Unusable(OpenError::Damaged(..))), "{refused:?}");
        assert!(refused.to_string().contains(reason), "{refused}");
        assert_eq!(files(folder.path()), before, "{reason}");
    }
}

#[test]
fn a_damaged_or_newer_backup_is_refused_before_any_migration() {
    let (folder, path, backup) = database_and_backup();
    let sound = fs::read(&backup).unwrap();
    let mut damaged = sound.clone();
    damaged[4096 * 3..4096 * 4].fill(0xA5);
    let mut newer = sound;
    newer[63] = 3;
    let never = [Migration { to: 2, sql: "", sha256: "" }];
    for (bytes, reason) in [(damaged, "does not verify: sqlite: "), (newer, "schema 3 is newer")] {
        fs::write(&backup, bytes).unwrap();
        let before = files(folder.path());
        let refused = restored(&never, &path, &backup).unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
        assert_eq!(matches!(refused, CopyError::Unusable(OpenError::Newer(_, 3))), reason.contains("newer"));
        assert_eq!(files(folder.path()), before);
    }
}

const CHILD: &str = "store::restore::tests::restore_in_a_child_process";

/// The restore alone. The tests below run it in a child process, in the folder of the files.
#[test]
#[ignore = "is started by other tests"]
fn restore_in_a_child_process() {
    let path = Path::new("orders.db");
    if path.exists() {
        restored(CURRENT, path, Path::new("old.db")).unwrap();
    }
}

#[test]
fn a_restore_killed_at_any_write_or_sync_leaves_the_old_database_or_the_new_one() {
    if !strace_works() {
        return;
    }
    let (mut before, mut after) = (0, 0);
    for call in kill_points(11) {
        let (folder, path, _) = database_and_backup();
        let calls = "pwrite64,write,fdatasync,fsync,ftruncate,rename,link,linkat,unlink";
        let inject = format!("inject={calls}:signal=SIGKILL:when={call}");
        let partial = "orders.db.restore.partial";
        let journal = format!("{partial}-journal");
        let mut trace = vec!["-f", "-qq", "-o", "trace", "-e", &inject];
        for traced in ["orders.db", "orders.db.kept", ".", partial, &journal] {
            trace.extend(["-P", traced]);
        }
        let status = run_test_under("strace", &trace, folder.path(), CHILD).status;
        match number(&path, NICKNAMES) - USERS {
            1 => before += 1,
            0 => {
                assert_eq!(number(&with_suffix(&path, ".kept"), NICKNAMES), USERS + 1);
                after += 1;
            }
            other => panic!("{other}"),
        }
        assert!(restored(CURRENT, &path, &folder.path().join("old.db")).unwrap(), "the restore can be repeated");
        assert_eq!(number(&path, NICKNAMES), USERS);
        assert!(!folder.path().join(partial).exists() && !folder.path().join(&journal).exists());
        if status.success() {
            break;
        }
        assert!(status.signal() == Some(9) || status.code() == Some(137), "{status}");
    }
    assert!(before > 0 && after > 0, "{before} times before and {after} times after it was there");
}

#[test]
fn a_restore_without_disk_space_changes_nothing_and_leaves_no_file() {
    let mut refused = 0;
    for kib in (64..).step_by(32) {
        let (folder, path, _) = database_and_backup();
        let before = files(folder.path());
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        let ran = run_test_under("sh", &["-c", &limited, "sh"], folder.path(), CHILD);
        if ran.status.success() {
            assert_eq!(number(&path, NICKNAMES), USERS);
            break;
        }
        let said = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
        assert!(said.contains("DiskFull(\"orders.db.restore.partial\")"), "{kib}: {said}");
        assert_eq!(files(folder.path()), before);
        refused += 1;
    }
    assert!(refused > 0);
}
