//! Storage that fails, is full, is slow, or may not be written to. `ORDERD_SOAK=N` tries faults at the first N writes.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Answer, Client, Server},
    strace::injecting,
    support::{Workplace, bare},
};
use serde_json::json;
use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// How a server ended.
#[derive(PartialEq)]
enum End {
    /// As it was told to, with 0.
    Told,
    /// Because of the fault, with 1, after it had listened.
    Failed,
    /// Because of the fault, with 1 and a line that says so, before it listened.
    Unstarted,
}

/// A life of a server under `fault`: one order after the other, and a stop. The oracle holds after it.
fn lives_under(fault: &str) -> Option<End> {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    // A file that is there: what fails is the work, not the making of the file.
    Server::start(&place, &ADMIN, "").stop();
    let under = injecting(&place, fault)?;
    let (code, otherwise) = match Server::try_start(&place, &under, &ADMIN, "--db orders.db") {
        Err((code, log)) => {
            assert!(log.lines().last().is_some_and(|line| line.starts_with("orderd: orders.db: ")), "{log}");
            (code, End::Unstarted)
        }
        Ok(server) => {
            if let Some(admin) = server.try_admin() {
                // What is refused for want of room may come again.
                for i in 0..6 {
                    oracle.one_order(&admin, &format!("order-{i}"));
                }
            }
            (server.stop().0, End::Failed)
        }
    };
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
    match code {
        Some(0) => Some(End::Told),
        Some(1) => Some(otherwise),
        other => panic!("{fault}: it ended with {other:?}"),
    }
}

/// The writes or syncs at which a fault is tried.
fn tried(some: &[usize]) -> Vec<usize> {
    soak().map_or_else(|| some.to_vec(), |most| (1..=most).collect())
}

#[test]
fn a_failing_write_or_sync_ends_the_server_and_nothing_acknowledged_is_lost() {
    let (mut failed, mut tries) = (0, 0);
    for (call, some) in [("fdatasync", [1, 3].as_slice()), ("pwrite64", &[1, 20])] {
        for nth in tried(some) {
            for when in [format!("{nth}"), format!("{nth}+")] {
                let Some(end) = lives_under(&format!("{call}:error=EIO:when={when}")) else { return };
                (failed, tries) = (failed + usize::from(end != End::Told), tries + 1);
            }
        }
    }
    assert!(failed > 0);
    say(format_args!("EIO: {tries} servers, {failed} of them met it and ended with 1; nothing acknowledged was lost"));
}

#[test]
fn after_a_failed_sync_no_change_is_answered_and_the_process_ends() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    Server::start(&place, &ADMIN, "").stop();
    let Some(under) = injecting(&place, "fdatasync:error=EIO:when=6+") else { return };
    let mut server = Server::try_start(&place, &under, &ADMIN, "--db orders.db").unwrap();
    let admin = server.admin();
    // Somebody who would wait for longer than the process may take to end.
    let waits = admin.open("GET /v1/events?after=1000000&wait=20", &[], "").unwrap();
    let load = oracle.load(&admin, 8);
    assert_eq!(server.wait(), Some(1), "{}", server.log());
    // The last line is written when the process ends.
    let ended = fs::metadata(place.path().join("log")).unwrap().modified().unwrap();
    let ended = jiff::Timestamp::try_from(ended).unwrap();
    load.join();
    drop(waits);
    let log = server.log();
    let line =
        log.lines().find(|line| line.contains("storage failed; the writer stops")).unwrap_or_else(|| panic!("{log}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(line["error.cause"].as_str().unwrap().contains("disk I/O error"), "{line}");
    let failed: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    let took = ended.duration_since(failed);
    say(format_args!("EIO: the process ended {took:?} after it"));
    assert!(took.as_secs() < 5, "a busy machine may need more than the second that is promised: {took:?}");
    let last = server.log().lines().last().unwrap().to_owned();
    assert_eq!(last, "orderd: orders.db: storage failed; start again to recover");
    assert!(oracle.unknown() > 0);
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
}

#[test]
fn writes_that_find_no_room_are_refused_and_go_on_when_there_is_some() {
    let (mut unstarted, mut tries) = (0, 0);
    for nth in tried(&[2, 30]) {
        let fault = format!("pwrite64:error=ENOSPC:when={nth}..{}", nth + 3);
        let Some(end) = lives_under(&fault) else { return };
        assert!(end != End::Failed, "{fault}: it ended for want of room");
        (unstarted, tries) = (unstarted + usize::from(end == End::Unstarted), tries + 1);
    }
    say(format_args!("ENOSPC: {tries} servers, {unstarted} of them could not start; no other ended"));
}

/// Sets the limit on the size of files that a running server writes.
fn limit_files(server: &Server, bytes: &str) {
    let limited =
        Command::new("prlimit").args(["--pid", &server.id().to_string(), &format!("--fsize={bytes}")]).status();
    assert!(limited.unwrap().success());
}

/// Places orders until there is no room for one more; by whom, since nobody can log in any more.
fn fill(server: &Server, oracle: &Oracle) -> Client {
    let admin = server.admin();
    assert!(oracle.one_order(&admin, "before"));
    limit_files(server, "100000:unlimited");
    while oracle.one_order(&admin, &format!("until-full-{}", oracle.done())) {}
    admin
}

#[test]
fn a_full_disk_refuses_changes_names_itself_and_recovers_without_a_restart() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    let admin = fill(&server, &oracle);
    let body = json!({"email": ADMIN[0].1, "password": ADMIN[1].1});
    assert_says_full(&server.client().send("POST /v1/auth/login", &[], &body).unwrap());
    assert_eq!(admin.get("/v1/orders").status, 200, "reading goes on");
    let ready = admin.get("/readyz");
    let checks = ready.body["checks"].as_array().unwrap_or_else(|| panic!("{ready:?} {}", server.log()));
    let failing: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!((ready.status, failing.len()), (503, 1), "{ready:?}");
    assert_eq!(failing[0]["name"], "disk");

    limit_files(&server, "unlimited:unlimited");
    assert!(oracle.one_order(&admin, "after"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while admin.get("/readyz").status != 200 {
        assert!(Instant::now() < deadline, "it stays full: {}", server.log());
        sleep(Duration::from_millis(200));
    }
    oracle.holds(&server, &place, "orders.db");
    assert!(server.log().contains("there is room on the disk again"), "{}", server.log());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_server_that_stops_on_a_full_disk_stops_in_good_order_and_loses_nothing() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let server = Server::start(&place, &ADMIN, "");
    fill(&server, &oracle);
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
    assert_eq!(server.stop().0, Some(0));
}

fn assert_says_full(refused: &Answer) {
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("storage_full")), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_download_that_finds_no_room_on_its_way_is_refused_and_leaves_nothing() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let admin = server.admin();
    limit_files(&server, "100000:unlimited");
    assert_says_full(&admin.get("/v1/system/backup"));
    assert!(!place.path().join("orders.db.download.partial").exists());
    limit_files(&server, "unlimited:unlimited");
    let mut answer = String::new();
    let head = BufReader::new(admin.open("GET /v1/system/backup", &[], "").unwrap()).read_line(&mut answer);
    assert!(head.is_ok() && answer.starts_with("HTTP/1.1 200 OK"), "{answer} {}", server.log());
}

#[test]
fn a_download_that_would_fill_the_disk_is_refused_before_it_begins() {
    let place = Workplace::new();
    let small = place.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=200m", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    let server = Server::try_start(&place, "", &ADMIN, "--db small/orders.db").unwrap();
    let admin = server.admin();
    let refused = admin.get("/v1/system/backup");
    let said = server.log().contains("small: there is no room on the disk");
    let audit = admin.get("/v1/audit?action=system.backup").body;
    let left = small.join("orders.db.download.partial").exists();
    assert_eq!(server.stop().0, Some(0));
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_says_full(&refused);
    assert!(said && !left, "the log names the disk, and nothing is left: {said} {left}");
    assert_eq!(audit["data"], json!([]), "{audit}");
}

#[test]
fn a_slow_disk_is_answered_for_and_nobody_waits_for_ever() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    Server::start(&place, &ADMIN, "").stop();
    let Some(under) = injecting(&place, "fdatasync:delay_enter=200000:when=4+") else { return };
    let server = Server::try_start(&place, &under, &ADMIN, "--db orders.db --set server.request_timeout=1s").unwrap();
    let load = oracle.load(&server.admin(), 64);
    sleep(Duration::from_millis(1500));
    load.stop();
    assert!(oracle.done() > 0, "slow is not never");
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
}

#[test]
fn a_sync_that_hangs_is_refused_in_time() {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    Server::start(&place, &ADMIN, "").stop();
    let Some(under) = injecting(&place, "fdatasync:delay_enter=4000000:when=3+") else { return };
    let server = Server::try_start(&place, &under, &ADMIN, "--db orders.db --set server.request_timeout=1s").unwrap();
    let admin = server.admin();
    let begun = Instant::now();
    let load = oracle.load(&admin, 8);
    load.join();
    assert!(begun.elapsed() < Duration::from_millis(3900), "answered before the disk did: {:?}", begun.elapsed());
    assert_eq!(oracle.done(), 0);
    server.kill();
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
}

/// Runs `orderd serve` on `orders.db` of `place` as somebody whom permissions bind, which they do not root.
fn serve_unprivileged(place: &Workplace) -> crate::support::Outcome {
    let program = place.path().join("orderd");
    fs::copy(env!("CARGO_BIN_EXE_orderd"), &program).unwrap();
    let mut command = Command::new(program);
    bare(&mut command).current_dir(place.path()).args("serve --db data/orders.db --listen 127.0.0.1:0".split(' '));
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command.output().unwrap().into()
}

#[test]
fn what_may_not_be_written_to_is_refused_in_one_line() {
    let place = Workplace::new();
    let data = place.path().join("data");
    fs::create_dir(&data).unwrap();
    for (mode, what) in [(0o555, "a read-only folder"), (0o000, "a folder that may not be entered")] {
        fs::set_permissions(&data, Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let refused = serve_unprivileged(&place);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{what}: {refused:?}");
        assert_eq!(refused.err, "orderd: data/orders.db: Permission denied (os error 13)\n", "{what}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    fs::write(data.join("orders.db"), "").unwrap();
    fs::set_permissions(data.join("orders.db"), Permissions::from_mode(0o444)).unwrap();
    let refused = serve_unprivileged(&place);
    assert_eq!((refused.code, refused.err.lines().count()), (1, 1), "a read-only file: {refused:?}");
    assert!(refused.err.starts_with("orderd: data/orders.db: "), "{refused:?}");
}
