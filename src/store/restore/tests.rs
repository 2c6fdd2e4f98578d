//! Restoring the backup of an earlier release, with a step of our own, since the first release has none. What restoring is
//! otherwise, the tests of the executable try.

use super::*;
use crate::{
    domain::digest::hex_sha256,
    store::{
        connection::READ_ONLY,
        migrate::tests::{TWO, USERS, below, moments, scene, strace_works, upgraded},
    },
};
use std::{collections::BTreeMap, os::unix::process::ExitStatusExt};

/// The step that the present release has, and the one before has not.
const PRESENT: &[Step] = TWO.split_at(1).0;
const NICKNAMES: &str = "SELECT count(*) FROM nicknames";

/// A folder with a database of the present release, and a backup of the one before.
fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, path) = scene();
    let backup = folder.path().join("old.db");
    fs::copy(&path, &backup).unwrap();
    upgraded(&path, PRESENT).unwrap();
    fs::remove_file(beside(&path, ".pre-v2.db")).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute("INSERT INTO nicknames VALUES ('who is not in the backup', '')", []).unwrap();
    (folder, path, backup)
}

fn watch() -> Watch {
    std::sync::Arc::new(|_| Wish::GoOn)
}

fn restored(steps: &[Step], path: &Path, backup: &Path) -> Result<bool, CopyError> {
    Restore::begin_with(steps, path, backup, &watch())?.finish(&beside(path, ".kept"))
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open_with_flags(path, READ_ONLY).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every file there and what is in it, but for the lock, which has nothing in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("orders.db.lock")).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_backup_of_an_earlier_release_is_upgraded_before_it_takes_the_place() {
    let (folder, path, backup) = places();
    let before = fs::read(&backup).unwrap();
    assert!(restored(PRESENT, &path, &backup).unwrap());
    assert_eq!((number(&path, NICKNAMES), number(&path, "PRAGMA user_version")), (USERS, 2));
    assert_eq!(number(&beside(&path, ".kept"), NICKNAMES), USERS + 1);
    assert_eq!(fs::read(&backup).unwrap(), before, "the backup stays as it is");
    assert_eq!(files(folder.path()).len(), 3, "nothing else is left");
    upgraded(&path, PRESENT).unwrap();
    assert!(!beside(&path, ".pre-v2.db").exists(), "no server has to upgrade it any more");
}

#[test]
fn what_cannot_be_upgraded_or_does_not_verify_leaves_everything_as_it_was() {
    let (folder, path, backup) = places();
    let step = |to, sql| Step { to, sql, sha256: Box::leak(hex_sha256(sql).into_boxed_str()) };
    for (steps, reason) in [
        ([step(2, "INSERT INTO nowhere VALUES (1)")], "old.db: the upgrade to schema 2 failed: no such table: nowhere"),
        ([step(2, "DROP INDEX events_by_order")], "old.db: does not verify: schema: events_by_order"),
        ([Step { to: 2, sql: "", sha256: "" }], "the step is not the one that was released"),
    ] {
        let before = files(folder.path());
        let refused = restored(&steps, &path, &backup).unwrap_err();
        assert!(matches!(refused, CopyError::Unfit(OpenError::Damaged(..))), "{refused:?}");
        assert!(refused.to_string().contains(reason), "{refused}");
        assert_eq!(files(folder.path()), before, "{reason}");
    }
}

#[test]
fn a_backup_that_is_damaged_or_newer_is_refused_before_any_step() {
    let (folder, path, backup) = places();
    let sound = fs::read(&backup).unwrap();
    let mut damaged = sound.clone();
    damaged[4096 * 3..4096 * 4].fill(0xA5);
    let mut newer = sound;
    newer[63] = 3;
    let never = [Step { to: 2, sql: "", sha256: "" }];
    for (bytes, reason) in [(damaged, "does not verify: sqlite: "), (newer, "schema 3 is newer")] {
        fs::write(&backup, bytes).unwrap();
        let before = files(folder.path());
        let refused = restored(&never, &path, &backup).unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
        assert_eq!(matches!(refused, CopyError::Unfit(OpenError::Newer(_, 3))), reason.contains("newer"));
        assert_eq!(files(folder.path()), before);
    }
}

const CHILD: &str = "store::restore::tests::restore_in_a_process_of_its_own";

/// What the tests below start in a process of its own, in the folder of the files.
#[test]
#[ignore = "is started by other tests"]
fn restore_in_a_process_of_its_own() {
    let path = Path::new("orders.db");
    if path.exists() {
        restored(PRESENT, path, Path::new("old.db")).unwrap();
    }
}

#[test]
fn killed_at_a_write_or_sync_it_leaves_the_old_database_or_the_new_one() {
    if !strace_works() {
        return;
    }
    let (mut before, mut after) = (0, 0);
    for moment in moments(11) {
        let (folder, path, _) = places();
        let calls = "pwrite64,write,fdatasync,fsync,ftruncate,rename,link,linkat,unlink";
        let inject = format!("inject={calls}:signal=SIGKILL:when={moment}");
        let partial = "orders.db.restore.partial";
        let journal = format!("{partial}-journal");
        let mut trace = vec!["-f", "-qq", "-o", "trace", "-e", &inject];
        for traced in ["orders.db", "orders.db.kept", ".", partial, &journal] {
            trace.extend(["-P", traced]);
        }
        let status = below("strace", &trace, folder.path(), CHILD).status;
        match number(&path, NICKNAMES) - USERS {
            1 => before += 1,
            0 => {
                assert_eq!(number(&beside(&path, ".kept"), NICKNAMES), USERS + 1);
                after += 1;
            }
            other => panic!("{other}"),
        }
        assert!(restored(PRESENT, &path, &folder.path().join("old.db")).unwrap(), "and it can be done again");
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
fn without_room_nothing_is_touched_and_nothing_left() {
    let mut refused = 0;
    for kib in (64..).step_by(32) {
        let (folder, path, _) = places();
        let before = files(folder.path());
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        let ran = below("sh", &["-c", &limited, "sh"], folder.path(), CHILD);
        if ran.status.success() {
            assert_eq!(number(&path, NICKNAMES), USERS);
            break;
        }
        let said = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
        assert!(said.contains("Full(\"orders.db.restore.partial\")"), "{kib}: {said}");
        assert_eq!(files(folder.path()), before);
        refused += 1;
    }
    assert!(refused > 0);
}
