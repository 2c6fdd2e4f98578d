//! SIGTERM under load: accepted requests finish, everything acknowledged is kept, and the process exits with 0.

use crate::{
    oracle::Oracle,
    server::{ADMIN, Server},
    support::TestDir,
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

#[test]
fn stopping_finishes_accepted_requests() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let load = oracle.load(&server.admin(), 4);
    sleep(Duration::from_millis(500));
    let begun = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    load.join();
    assert!(oracle.done() > 0);
    let log = std::fs::metadata(dir.path().join("orders.db-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "the write-ahead log was checkpointed");
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn a_second_server_on_the_file_fails_at_once() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let begun = Instant::now();
    let second = dir.run("serve --db orders.db --listen 127.0.0.1:0");
    assert_eq!((second.code, second.out.as_str()), (3, ""));
    let expected = format!("orderd: orders.db: in use by another orderd, process {}\n", server.id());
    assert!(second.err.ends_with(&expected), "{}", second.err);
    assert!(begun.elapsed() < Duration::from_secs(5), "it does not wait for the first server");
    assert_eq!(server.client().get("/readyz").status, 200);
}

#[test]
fn a_symbolic_link_is_the_file_that_it_leads_to() {
    let dir = TestDir::new();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::os::unix::fs::symlink("data/shop.db", dir.path().join("orders.db")).unwrap();
    for exists in [false, true] {
        assert_eq!(dir.path().join("data/shop.db").exists(), exists);
        let server = Server::start(&dir, &ADMIN, "");
        let second = dir.run("serve --db data/shop.db --listen 127.0.0.1:0");
        assert_eq!((second.code, second.out.as_str()), (3, ""));
        assert!(second.err.contains("in use by another orderd"), "{}", second.err);
        assert_eq!(server.client().get("/readyz").status, 200);
        assert_eq!(server.stop().0, Some(0));
    }
    let files = |folder: &str| {
        let names = std::fs::read_dir(dir.path().join(folder)).unwrap().map(|file| file.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.contains(".db")).collect::<Vec<_>>()
    };
    assert_eq!(files("."), ["orders.db"], "nothing lies beside the link");
    assert!(files("data").contains(&"shop.db.lock".to_owned()), "{:?}", files("data"));
    assert_eq!(dir.run("verify --db orders.db").code, 0);
}
