//! `orderd restore`: which backups it refuses without changing anything, and that it loses nothing.

use crate::{
    backup::{place_order, references},
    server::{ADMIN, Server},
    support::{Outcome, TestDir, cycles},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::PathBuf,
};

const PAGE: usize = 4096;

/// A folder with a backup of one order, and a server on a database with two.
fn with_a_backup() -> (TestDir, Server) {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    assert!(place_order(&admin, "old"));
    assert_eq!(dir.run("backup --db orders.db --out copy.db").code, 0);
    assert!(place_order(&admin, "new"));
    (dir, server)
}

fn restore(dir: &TestDir, source: &str) -> Outcome {
    dir.run(&format!("restore --db orders.db {source}"))
}

/// The file that the former database was renamed to, as printed.
fn kept(dir: &TestDir, outcome: &Outcome) -> PathBuf {
    let name = outcome.out.lines().next().and_then(|line| line.strip_prefix("kept the former database as "));
    let name = name.unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(name.starts_with("orders.db.before-restore-2"), "{name}");
    dir.path().join(name)
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every file in the folder with its content.
fn files(dir: &TestDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn a_restore_replaces_the_database_keeps_the_former_one_and_ends_all_sessions() {
    let (dir, server) = with_a_backup();
    let admin = server.admin();
    let refused = restore(&dir, "copy.db");
    let expected = format!("orderd: orders.db: in use by another orderd, process {}\n", server.id());
    assert_eq!((refused.code, refused.err), (3, expected));
    server.stop();
    let key = fs::read(dir.path().join("orders.db.key")).unwrap();
    let outcome = restore(&dir, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let kept = kept(&dir, &outcome);
    assert_eq!(references(&kept), set_of(&["new", "old"]));
    assert_eq!(dir.run(&format!("verify --db {}", kept.display())).code, 0);
    assert_eq!(dir.run("verify --db orders.db").code, 0);
    assert_eq!(fs::read(dir.path().join("orders.db.key")).unwrap(), key);
    assert_eq!(references(&dir.path().join("copy.db")), set_of(&["old"]), "the backup is kept");
    let server = Server::start(&dir, &[], "");
    let mut known = server.client();
    known.token = admin.token;
    assert_eq!(known.get("/v1/auth/me").status, 401);
    let again = server.admin();
    assert_eq!(again.get("/v1/orders/ref/old").status, 200);
    assert_eq!(again.get("/v1/orders/ref/new").status, 404);
    let audit = again.get("/v1/audit?action=system.restore").body;
    assert_eq!(audit["data"][0]["actor"], "system", "{audit}");
    assert!(place_order(&again, "new"), "the server accepts orders");
}

#[test]
fn the_log_of_a_crashed_server_is_kept_with_the_former_database() {
    let (dir, server) = with_a_backup();
    server.kill();
    assert!(fs::metadata(dir.path().join("orders.db-wal")).unwrap().len() > 0);
    let outcome = restore(&dir, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(references(&kept(&dir, &outcome)), set_of(&["new", "old"]));
    assert_eq!(references(&dir.path().join("orders.db")), set_of(&["old"]));
    let back = kept(&dir, &outcome).display().to_string();
    assert_eq!(restore(&dir, &back).code, 0, "the former database can be restored too");
    assert_eq!(references(&dir.path().join("orders.db")), set_of(&["new", "old"]));
}

#[test]
fn a_damaged_or_missing_database_can_be_replaced() {
    let (dir, server) = with_a_backup();
    server.stop();
    dir.write("orders.db", "not a database any more");
    let outcome = restore(&dir, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(fs::read_to_string(kept(&dir, &outcome)).unwrap(), "not a database any more");
    fs::remove_file(dir.path().join("orders.db")).unwrap();
    let outcome = restore(&dir, "copy.db");
    assert_eq!((outcome.code, outcome.out.starts_with("restored orders.db from copy.db")), (0, true), "{outcome:?}");
    assert_eq!(dir.run("verify --db orders.db").code, 0);
}

/// Damages the bytes of a backup.
type Damage = Box<dyn Fn(&mut Vec<u8>)>;

/// All kinds of damage, at positions that depend on the round.
fn damages(round: usize) -> Vec<(&'static str, Damage)> {
    let at = move |bytes: &[u8]| PAGE * (1 + (round * 7) % (bytes.len() / PAGE - 1));
    vec![
        ("empty", Box::new(Vec::clear)),
        ("text", Box::new(|bytes| *bytes = b"no database ".repeat(1000))),
        ("the end is missing", Box::new(move |bytes| bytes.truncate(bytes.len() - PAGE * (1 + round)))),
        ("cut inside a page", Box::new(move |bytes| bytes.truncate(at(bytes) + 100 + round))),
        ("a page is overwritten", {
            Box::new(move |bytes| {
                let at = at(bytes);
                bytes[at..at + PAGE].fill(0xA5);
            })
        }),
        ("bits of a page's head are flipped", {
            Box::new(move |bytes| {
                let at = at(bytes);
                bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0xFF);
            })
        }),
        ("the magic bytes are damaged", Box::new(move |bytes| bytes[round % 16] ^= 1)),
        ("the page size is damaged", Box::new(|bytes| bytes[16] ^= 0x55)),
        ("of another program", Box::new(move |bytes| bytes[68 + round % 4] ^= 0x40)),
        ("newer", Box::new(move |bytes| bytes[61] = 1 + u8::try_from(round).unwrap())),
    ]
}

#[test]
fn a_bad_backup_is_refused_and_nothing_is_changed() {
    let (dir, server) = with_a_backup();
    server.kill();
    let good = fs::read(dir.path().join("copy.db")).unwrap();
    fs::remove_file(dir.path().join("log")).unwrap();
    let before = files(&dir);
    // Each round tries ten kinds of damage.
    for round in 0..cycles(10).div_ceil(10) {
        for (what, damage) in damages(round) {
            let mut bytes = good.clone();
            damage(&mut bytes);
            fs::write(dir.path().join("bad.db"), bytes).unwrap();
            let outcome = restore(&dir, "bad.db");
            assert_eq!(outcome.code, 3, "{what} {round}: {outcome:?}");
            assert!(outcome.err.contains("orderd: bad.db: "), "{what}: {}", outcome.err);
            assert_eq!(outcome.err.contains("is newer than this program's"), what == "newer", "{}", outcome.err);
            fs::remove_file(dir.path().join("bad.db")).unwrap();
            assert_eq!(files(&dir), before, "{what}");
        }
    }
}

#[test]
fn an_unfinished_backup_is_refused() {
    let (dir, server) = with_a_backup();
    server.stop();
    dir.write("copy.db-wal", "some other log");
    let outcome = restore(&dir, "copy.db");
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("is no finished copy, since copy.db-wal lies beside it"), "{}", outcome.err);
    for (source, reason) in [("orders.db", "the very file"), (".", "is no file"), ("none.db", "No such file")] {
        let outcome = restore(&dir, source);
        assert_eq!(outcome.code, 1, "{source}");
        assert!(outcome.err.contains(reason), "{source}: {}", outcome.err);
    }
    assert_eq!(references(&dir.path().join("orders.db")), set_of(&["new", "old"]));
}

/// A service runs as a user of its own, and whoever looks after it may be root.
#[test]
fn what_root_makes_belongs_to_the_owner_of_the_folder() {
    const SERVICE: u32 = 54_321;
    let (dir, server) = with_a_backup();
    server.stop();
    let all = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let owned = all().chain([dir.path().to_path_buf()]).map(|path| chown(path, Some(SERVICE), Some(SERVICE)));
    if owned.collect::<Result<Vec<_>, _>>().is_err() {
        // Only root can run this.
        return;
    }
    fs::remove_file(dir.path().join("orders.db.lock")).unwrap();
    assert_eq!(restore(&dir, "copy.db").code, 0);
    assert_eq!(dir.run("signing-key rotate --db orders.db").code, 0);
    assert_eq!(dir.run("backup --db orders.db --out another.db").code, 0);
    assert_eq!(dir.run("demo --db fresh.db --orders 10").code, 0);
    let others: Vec<_> = all().filter(|path| fs::metadata(path).unwrap().uid() != SERVICE).collect();
    assert!(others.is_empty(), "{others:?}");
}
