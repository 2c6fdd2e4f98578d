//! Checkpoints beside the writer: a server is killed in one, or the disk fails in one, while orders come. Only
//! checkpoints write to the database file itself, so the faults are injected there.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    strace::injecting_into_checkpoints,
    support::TestDir,
};
use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

/// Acknowledged requests after which several checkpoints are over.
const REQUESTS: usize = 1_500;

/// Whether the fault was injected.
fn is_met(dir: &TestDir) -> bool {
    let trace = fs::read_to_string(dir.path().join("strace")).unwrap();
    trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL")
}

/// Runs a server with this fault in its checkpoints, under load. Returns its exit code, and whether the fault was met.
fn run_with(fault: &str) -> Option<(Option<i32>, bool)> {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    // The database exists already, and nothing is in its log.
    Server::start(&dir, &ADMIN, "").stop();
    let wrapper = injecting_into_checkpoints(&dir, fault)?;
    let mut server = Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db").unwrap();
    let admin = server.admin();
    let load = oracle.load(&admin, 4);
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_met(&dir) && oracle.done() < REQUESTS {
        assert!(Instant::now() < deadline, "{} requests, and no checkpoint: {}", oracle.done(), server.log());
        sleep(Duration::from_millis(20));
    }
    load.stop();
    // A server that has failed ends by itself; another one is stopped, with a last checkpoint.
    let has_failed = admin.send("GET /readyz", &[], &serde_json::Value::Null).is_none_or(|answer| answer.status != 200);
    let code = if has_failed { server.wait() } else { server.stop().0 };
    let is_met = is_met(&dir);
    let server = Server::start(&dir, &[], "");
    oracle.holds(&server, &dir, "orders.db");
    assert_eq!(server.stop().0, Some(0));
    Some((code, is_met))
}

/// The numbers of the calls at which a fault is injected.
fn points(some: &[usize]) -> Vec<usize> {
    soak().map_or_else(|| some.to_vec(), |most| (1..=most).collect())
}

#[test]
fn a_server_that_is_killed_in_a_checkpoint_loses_nothing() {
    let mut killed = 0;
    for (call, some) in [("pwrite64", [2, 100].as_slice()), ("fdatasync", &[1, 2])] {
        for nth in points(some) {
            let Some((code, is_met)) = run_with(&format!("{call}:signal=SIGKILL:when={nth}")) else { return };
            assert_eq!(code.is_none(), is_met, "{call} {nth}: {code:?}");
            killed += usize::from(is_met);
        }
    }
    assert!(killed >= 3, "{killed}");
    say(format_args!("checkpoints: killed in {killed}; nothing acknowledged was lost"));
}

#[test]
fn a_write_or_sync_that_fails_in_a_checkpoint_ends_the_server() {
    let mut failed = 0;
    for (call, some) in [("pwrite64", [5].as_slice()), ("fdatasync", &[1])] {
        for nth in points(some) {
            let Some((code, is_met)) = run_with(&format!("{call}:error=EIO:when={nth}")) else { return };
            assert_eq!(code, Some(i32::from(is_met)), "{call} {nth}");
            failed += usize::from(is_met);
        }
    }
    assert!(failed >= 2, "{failed}");
    say(format_args!("checkpoints: {failed} failed with EIO and ended the server; nothing acknowledged was lost"));
}

#[test]
fn a_checkpoint_on_a_full_disk_is_tried_again() {
    let Some((code, is_met)) = run_with("pwrite64:error=ENOSPC:when=5") else { return };
    assert_eq!((code, is_met), (Some(0), true));
}
