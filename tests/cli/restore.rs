//! `orderd restore`: what it refuses, that it touches nothing before, and that it loses nothing after.

use crate::{
    backup::{places, references},
    server::{ADMIN, Server},
    support::{Outcome, Workplace, cycles},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

const PAGE: usize = 4096;

/// A place with a backup of one order, and a server on a database of two.
fn with_a_backup() -> (Workplace, Server) {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let admin = server.admin();
    assert!(places(&admin, "old"));
    assert_eq!(place.run("backup --db orders.db --out copy.db").code, 0);
    assert!(places(&admin, "new"));
    (place, server)
}

fn restore(place: &Workplace, source: &str) -> Outcome {
    place.run(&format!("restore --db orders.db {source}"))
}

/// The file that the database is kept as, which it says.
fn kept(place: &Workplace, outcome: &Outcome) -> PathBuf {
    let name = outcome.out.lines().next().and_then(|line| line.strip_prefix("kept the former database as "));
    let name = name.unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(name.starts_with("orders.db.before-restore-2"), "{name}");
    place.path().join(name)
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every file there, but for logs of servers.
fn files(place: &Workplace) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(place.path()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn it_puts_the_backup_in_place_keeps_the_database_and_ends_all_sessions() {
    let (place, server) = with_a_backup();
    let admin = server.admin();
    let refused = restore(&place, "copy.db");
    assert_eq!((refused.code, refused.err.as_str()), (3, "orderd: orders.db: in use by another orderd\n"));
    server.stop();
    let key = fs::read(place.path().join("orders.db.key")).unwrap();
    let outcome = restore(&place, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let kept = kept(&place, &outcome);
    assert_eq!(references(&kept), named(&["new", "old"]));
    assert_eq!(place.run(&format!("verify --db {}", kept.display())).code, 0);
    assert_eq!(place.run("verify --db orders.db").code, 0);
    assert_eq!(fs::read(place.path().join("orders.db.key")).unwrap(), key);
    assert_eq!(references(&place.path().join("copy.db")), named(&["old"]), "the backup stays");
    let server = Server::start(&place, &[], "");
    let mut known = server.client();
    known.token = admin.token;
    assert_eq!(known.get("/v1/auth/me").status, 401);
    let again = server.admin();
    assert_eq!(again.get("/v1/orders/ref/old").status, 200);
    assert_eq!(again.get("/v1/orders/ref/new").status, 404);
    let audit = again.get("/v1/audit?action=system.restore").body;
    assert_eq!(audit["data"][0]["actor"], "system", "{audit}");
    assert!(places(&again, "new"), "and it goes on");
}

#[test]
fn what_a_crashed_server_left_in_its_log_is_kept_and_spoils_nothing() {
    let (place, server) = with_a_backup();
    server.kill();
    assert!(fs::metadata(place.path().join("orders.db-wal")).unwrap().len() > 0);
    let outcome = restore(&place, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(references(&kept(&place, &outcome)), named(&["new", "old"]));
    assert_eq!(references(&place.path().join("orders.db")), named(&["old"]));
    let back = kept(&place, &outcome).display().to_string();
    assert_eq!(restore(&place, &back).code, 0, "what was kept can be restored in its turn");
    assert_eq!(references(&place.path().join("orders.db")), named(&["new", "old"]));
}

#[test]
fn a_database_that_is_damaged_or_gone_can_be_replaced() {
    let (place, server) = with_a_backup();
    server.stop();
    place.write("orders.db", "not a database any more");
    let outcome = restore(&place, "copy.db");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(fs::read_to_string(kept(&place, &outcome)).unwrap(), "not a database any more");
    fs::remove_file(place.path().join("orders.db")).unwrap();
    let outcome = restore(&place, "copy.db");
    assert_eq!((outcome.code, outcome.out.starts_with("restored orders.db from copy.db")), (0, true), "{outcome:?}");
    assert_eq!(place.run("verify --db orders.db").code, 0);
}

/// A way to damage a backup, and how it is to be refused.
type Damage = Box<dyn Fn(&mut Vec<u8>)>;

/// The ways, in different places each time.
fn damages(round: usize) -> Vec<(&'static str, Damage)> {
    let at = move |bytes: &[u8]| PAGE * (1 + (round * 7) % (bytes.len() / PAGE - 1));
    vec![
        ("it is empty", Box::new(Vec::clear)),
        ("it is text", Box::new(|bytes| *bytes = b"no database ".repeat(1000))),
        ("its end is missing", Box::new(move |bytes| bytes.truncate(bytes.len() - PAGE * (1 + round)))),
        ("it is cut inside a page", Box::new(move |bytes| bytes.truncate(at(bytes) + 100 + round))),
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
        ("its magic is damaged", Box::new(move |bytes| bytes[round % 16] ^= 1)),
        ("its page size is damaged", Box::new(|bytes| bytes[16] ^= 0x55)),
        ("it belongs to another program", Box::new(move |bytes| bytes[68 + round % 4] ^= 0x40)),
        ("it is newer", Box::new(move |bytes| bytes[61] = 1 + u8::try_from(round).unwrap())),
    ]
}

#[test]
fn a_bad_backup_is_refused_and_nothing_is_touched() {
    let (place, server) = with_a_backup();
    server.kill();
    let good = fs::read(place.path().join("copy.db")).unwrap();
    fs::remove_file(place.path().join("log")).unwrap();
    let before = files(&place);
    // Ten ways in each round.
    for round in 0..cycles(10).div_ceil(10) {
        for (what, damage) in damages(round) {
            let mut bytes = good.clone();
            damage(&mut bytes);
            fs::write(place.path().join("bad.db"), bytes).unwrap();
            let outcome = restore(&place, "bad.db");
            assert_eq!(outcome.code, 3, "{what} {round}: {outcome:?}");
            assert!(outcome.err.contains("orderd: bad.db: "), "{what}: {}", outcome.err);
            assert_eq!(outcome.err.contains("is newer than this program's"), what == "it is newer", "{}", outcome.err);
            fs::remove_file(place.path().join("bad.db")).unwrap();
            assert_eq!(files(&place), before, "{what}");
        }
    }
}

#[test]
fn what_is_no_finished_copy_is_refused() {
    let (place, server) = with_a_backup();
    server.stop();
    place.write("copy.db-wal", "a stranger's log");
    let outcome = restore(&place, "copy.db");
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("is no finished copy, since copy.db-wal lies beside it"), "{}", outcome.err);
    for (source, reason) in [("orders.db", "the very file"), (".", "is no file"), ("none.db", "No such file")] {
        let outcome = restore(&place, source);
        assert_eq!(outcome.code, 1, "{source}");
        assert!(outcome.err.contains(reason), "{source}: {}", outcome.err);
    }
    assert_eq!(references(&place.path().join("orders.db")), named(&["new", "old"]));
}
