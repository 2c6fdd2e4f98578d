//! Storage that fails, is full, is slow, or is read-only. `ORDERD_SOAK=N` injects faults at each of the first N writes.

use crate::{
    backup::{place_order, references},
    oracle::{Oracle, say, soak},
    server::{ADMIN, Answer, Client, Server},
    strace::{injecting, injecting_into_syncs, replace_fault, with_slow_syncs},
    support::{TestDir, bare},
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

/// How a server exited.
#[derive(PartialEq)]
enum End {
    /// With 0, on SIGTERM.
    Stopped,
    /// With 1 because of the fault, after it had listened.
    Failed,
    /// With 1 and a line that names the fault, before it listened.
    NotStarted,
}

/// Runs a server with an injected `fault`: some orders, then SIGTERM. Afterwards the oracle must hold.
fn run_with_fault(fault: &str) -> Option<End> {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    // The database exists already, so that the fault does not hit its creation.
    Server::start(&dir, &ADMIN, "").stop();
    let wrapper = injecting(&dir, fault)?;
    let (code, otherwise) = match Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db") {
        Err((code, log)) => {
            assert!(log.lines().last().is_some_and(|line| line.starts_with("orderd: orders.db: ")), "{log}");
            (code, End::NotStarted)
        }
        Ok(server) => {
            if let Some(admin) = server.try_admin() {
                // Later orders may succeed after the disk was full.
                for i in 0..6 {
                    oracle.one_order(&admin, &format!("order-{i}"));
                }
            }
            (server.stop().0, End::Failed)
        }
    };
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
    match code {
        Some(0) => Some(End::Stopped),
        Some(1) => Some(otherwise),
        other => panic!("{fault}: the server exited with {other:?}"),
    }
}

/// The numbers of the writes or syncs at which a fault is injected.
fn tried(some: &[usize]) -> Vec<usize> {
    soak().map_or_else(|| some.to_vec(), |most| (1..=most).collect())
}

#[test]
fn a_failed_write_or_sync_ends_the_server_and_loses_nothing_acknowledged() {
    let (mut failed, mut tries) = (0, 0);
    for (call, some) in [("fdatasync", [1, 3].as_slice()), ("pwrite64", &[1, 20])] {
        for nth in tried(some) {
            for when in [format!("{nth}"), format!("{nth}+")] {
                let Some(end) = run_with_fault(&format!("{call}:error=EIO:when={when}")) else { return };
                (failed, tries) = (failed + usize::from(end != End::Stopped), tries + 1);
            }
        }
    }
    assert!(failed > 0);
    say(format_args!("EIO: {tries} servers, {failed} of them met it and exited with 1; nothing acknowledged was lost"));
}

#[test]
fn after_a_failed_sync_no_write_is_acknowledged_and_the_process_ends() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    Server::start(&dir, &ADMIN, "").stop();
    let Some(wrapper) = injecting(&dir, "fdatasync:error=EIO:when=6+") else { return };
    let mut server = Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db").unwrap();
    let admin = server.admin();
    // A long poll that would wait longer than the process may take to exit.
    let waits = admin.open("GET /v1/events?after=1000000&wait=20", &[], "").unwrap();
    let load = oracle.load(&admin, 8);
    assert_eq!(server.wait(), Some(1), "{}", server.log());
    // The last line is written when the process exits.
    let ended = fs::metadata(dir.path().join("log")).unwrap().modified().unwrap();
    let ended = jiff::Timestamp::try_from(ended).unwrap();
    load.join();
    drop(waits);
    let log = server.log();
    let line =
        log.lines().find(|line| line.contains("storage failed; the writer stops")).unwrap_or_else(|| panic!("{log}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    // The second where syncs are so slow that they are beside the writer.
    let causes = ["disk I/O error", "could not be synced: Input/output error"];
    assert!(causes.iter().any(|cause| line["error.cause"].as_str().unwrap().contains(cause)), "{line}");
    let failed: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    let took = ended.duration_since(failed);
    say(format_args!("EIO: the process exited {took:?} after it"));
    assert!(took.as_secs() < 5, "a second is promised, and a busy machine gets more: {took:?}");
    let last = server.log().lines().last().unwrap().to_owned();
    assert_eq!(last, "orderd: orders.db: storage failed; restart the server to recover");
    assert!(oracle.unknown() > 0);
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn a_sync_that_fails_beside_the_writer_ends_the_server_and_loses_nothing_acknowledged() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let Some((mut server, admin)) = with_slow_syncs(&dir, &oracle) else { return };
    replace_fault(&server, &dir, "delay_enter=3000:error=EIO:when=20+");
    let load = oracle.load(&admin, 8);
    assert_eq!(server.wait(), Some(1), "{}", server.log());
    load.join();
    let log = server.log();
    assert!(log.contains("the write-ahead log could not be synced: Input/output error"), "{log}");
    assert_eq!(log.lines().last(), Some("orderd: orders.db: storage failed; restart the server to recover"));
    assert!(oracle.unknown() > 0);
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn nobody_is_shown_a_commit_that_was_never_synced() {
    let dir = TestDir::new();
    let Some((mut server, admin)) = with_slow_syncs(&dir, &Oracle::new(&dir)) else { return };
    replace_fault(&server, &dir, "delay_enter=1500000:error=EIO");
    let writer = admin.clone();
    let writing = std::thread::spawn(move || place_order(&writer, "unsynced"));
    // Another program shows that the commit is in the file already.
    while !references(&dir.path().join("orders.db")).contains("unsynced") {
        assert!(!writing.is_finished(), "the commit was never visible before its sync, so this run proves nothing");
    }
    let reading = ["GET /v1/orders/ref/unsynced", "GET /v1/orders", "GET /v1/events?limit=1000"].map(|request| {
        let reader = admin.clone();
        std::thread::spawn(move || reader.send(request, &[], &json!(null)))
    });
    for read in reading {
        let answer = read.join().unwrap();
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 503), "{answer:?}");
    }
    assert!(!writing.join().unwrap());
    assert_eq!(server.wait(), Some(1), "{}", server.log());
}

#[test]
fn what_is_read_of_a_commit_is_answered_after_its_sync() {
    let dir = TestDir::new();
    let Some((server, admin)) = with_slow_syncs(&dir, &Oracle::new(&dir)) else { return };
    replace_fault(&server, &dir, "delay_enter=1000000");
    let writer = admin.clone();
    let writing = std::thread::spawn(move || (place_order(&writer, "slow"), Instant::now()));
    while !references(&dir.path().join("orders.db")).contains("slow") {
        assert!(!writing.is_finished(), "the commit was never visible before its sync, so this run proves nothing");
    }
    let answer = admin.get("/v1/orders/ref/slow");
    let read_at = Instant::now();
    let (is_placed, placed_at) = writing.join().unwrap();
    assert!(is_placed && answer.status == 200, "{answer:?}");
    let apart = read_at.max(placed_at) - read_at.min(placed_at);
    assert!(apart < Duration::from_millis(500), "the read and the write were answered {apart:?} apart");
    // The next one begins while a sync is running, and the server stops only when both are on disk.
    assert!(place_order(&admin, "last"));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn writes_on_a_full_disk_are_refused_until_there_is_space() {
    let (mut unstarted, mut tries) = (0, 0);
    for nth in tried(&[2, 30]) {
        let fault = format!("pwrite64:error=ENOSPC:when={nth}..{}", nth + 3);
        let Some(end) = run_with_fault(&fault) else { return };
        assert!(end != End::Failed, "{fault}: the server exited because of a full disk");
        (unstarted, tries) = (unstarted + usize::from(end == End::NotStarted), tries + 1);
    }
    say(format_args!("ENOSPC: {tries} servers, {unstarted} of them could not start; no other exited"));
}

/// Sets the limit on file sizes of a running server.
fn limit_files(server: &Server, bytes: &str) {
    let limited =
        Command::new("prlimit").args(["--pid", &server.id().to_string(), &format!("--fsize={bytes}")]).status();
    assert!(limited.unwrap().success());
}

/// Places orders until the disk is full. Returns the client that placed them, since no further log-in is possible.
fn fill(server: &Server, oracle: &Oracle) -> Client {
    let admin = server.admin();
    assert!(oracle.one_order(&admin, "before"));
    limit_files(server, "100000:unlimited");
    while oracle.one_order(&admin, &format!("until-full-{}", oracle.done())) {}
    admin
}

#[test]
fn a_full_disk_is_reported_and_the_server_recovers_without_a_restart() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let admin = fill(&server, &oracle);
    let body = json!({"email": ADMIN[0].1, "password": ADMIN[1].1});
    assert_says_full(&server.client().send("POST /v1/auth/login", &[], &body).unwrap());
    assert_eq!(admin.get("/v1/orders").status, 200, "reads still work");
    let ready = admin.get("/readyz");
    let checks = ready.body["checks"].as_array().unwrap_or_else(|| panic!("{ready:?} {}", server.log()));
    let failing: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!((ready.status, failing.len()), (503, 1), "{ready:?}");
    assert_eq!(failing[0]["name"], "disk");

    limit_files(&server, "unlimited:unlimited");
    assert!(oracle.one_order(&admin, "after"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while admin.get("/readyz").status != 200 {
        assert!(Instant::now() < deadline, "the server stays not ready: {}", server.log());
        sleep(Duration::from_millis(200));
    }
    oracle.holds(&server, &dir, "orders.db");
    assert!(server.log().contains("there is room on the disk again"), "{}", server.log());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_server_that_stops_on_a_full_disk_exits_with_0_and_loses_nothing() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    fill(&server, &oracle);
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
    assert_eq!(server.stop().0, Some(0));
}

fn assert_says_full(refused: &Answer) {
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("storage_full")), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_backup_download_that_fills_the_disk_is_refused_and_leaves_no_file() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    limit_files(&server, "100000:unlimited");
    assert_says_full(&admin.get("/v1/system/backup"));
    assert!(!dir.path().join("orders.db.download.partial").exists());
    limit_files(&server, "unlimited:unlimited");
    let mut answer = String::new();
    let head = BufReader::new(admin.open("GET /v1/system/backup", &[], "").unwrap()).read_line(&mut answer);
    assert!(head.is_ok() && answer.starts_with("HTTP/1.1 200 OK"), "{answer} {}", server.log());
}

#[test]
fn a_backup_download_that_would_fill_the_disk_is_refused_before_it_begins() {
    let dir = TestDir::new();
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=200m", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    let server = Server::try_start(&dir, "", &ADMIN, "--db small/orders.db").unwrap();
    let admin = server.admin();
    let refused = admin.get("/v1/system/backup");
    let is_logged = server.log().contains("small: there is no room on the disk");
    let audit = admin.get("/v1/audit?action=system.backup").body;
    let left = small.join("orders.db.download.partial").exists();
    assert_eq!(server.stop().0, Some(0));
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_says_full(&refused);
    assert!(is_logged && !left, "the log names the disk, and no file is left: {is_logged} {left}");
    assert_eq!(audit["data"], json!([]), "{audit}");
}

#[test]
fn requests_on_a_slow_disk_are_answered_in_time() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    Server::start(&dir, &ADMIN, "").stop();
    let Some(wrapper) = injecting(&dir, "fdatasync:delay_enter=200000:when=4+") else { return };
    let server = Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db --set server.request_timeout=1s").unwrap();
    let load = oracle.load(&server.admin(), 64);
    sleep(Duration::from_millis(1500));
    load.stop();
    assert!(oracle.done() > 0, "some requests succeed");
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}

#[test]
fn writes_behind_a_hanging_sync_are_refused_in_time() {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let token = server.admin().token;
    server.stop();
    let Some(wrapper) = injecting_into_syncs(&dir, "orders.db", "delay_enter=4000000") else { return };
    let server = Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db --set server.request_timeout=1s").unwrap();
    let mut admin = server.client();
    admin.token = token;
    let begun = Instant::now();
    let load = oracle.load(&admin, 8);
    load.join();
    assert!(begun.elapsed() < Duration::from_millis(3900), "answered before the sync ended: {:?}", begun.elapsed());
    assert_eq!(oracle.done(), 0);
    server.kill();
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
}

/// Runs `orderd serve` as a user other than root, since permissions do not bind root.
fn serve_unprivileged(dir: &TestDir) -> crate::support::Outcome {
    let program = dir.path().join("orderd");
    // By a program of its own: a process that another test starts just now would inherit the open file, which could
    // then not be executed.
    assert!(
        Command::new("cp").args([env!("CARGO_BIN_EXE_orderd").as_ref(), program.as_path()]).status().unwrap().success()
    );
    let mut command = Command::new(program);
    bare(&mut command).current_dir(dir.path()).args("serve --db data/orders.db --listen 127.0.0.1:0".split(' '));
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command.output().unwrap().into()
}

#[test]
fn files_that_may_not_be_written_are_reported_in_one_line() {
    let dir = TestDir::new();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    for (mode, what) in [(0o555, "a read-only folder"), (0o000, "a folder that may not be entered")] {
        fs::set_permissions(&data, Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let refused = serve_unprivileged(&dir);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{what}: {refused:?}");
        assert_eq!(refused.err, "orderd: data/orders.db: Permission denied (os error 13)\n", "{what}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    fs::write(data.join("orders.db"), "").unwrap();
    fs::set_permissions(data.join("orders.db"), Permissions::from_mode(0o444)).unwrap();
    let refused = serve_unprivileged(&dir);
    assert_eq!((refused.code, refused.err.lines().count()), (1, 1), "a read-only file: {refused:?}");
    assert!(refused.err.starts_with("orderd: data/orders.db: "), "{refused:?}");
}
