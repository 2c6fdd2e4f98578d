//! Injects faults into system calls and records them with `strace`, where it is installed.

use crate::{
    oracle::{Oracle, say},
    server::{ADMIN, Client, Server},
    support::TestDir,
};
use std::{fs, process::Command, thread::sleep, time::Duration};

/// A wrapper command that injects `fault` (the syntax of strace's `-e inject=`) into writes and syncs of the database.
/// Returns `None`, and prints why, if strace does not work here.
pub fn injecting(dir: &TestDir, fault: &str) -> Option<String> {
    let db = dir.path().join("orders.db");
    if !works() {
        return None;
    }
    let calls = "pwrite64,fdatasync,ftruncate";
    let trace = dir.path().join("strace");
    let (db, trace) = (db.display(), trace.display());
    // With -D the tracer is a grandchild, so that the spawned process is the server itself.
    Some(format!("strace -D -f -qq -o {trace} -P {db} -P {db}-wal -e trace={calls} -e inject={fault}"))
}

/// Like [`injecting`], but only into calls on the database file itself: those are made by checkpoints.
pub fn injecting_into_checkpoints(dir: &TestDir, fault: &str) -> Option<String> {
    let (db, trace) = (dir.path().join("orders.db"), dir.path().join("strace"));
    let (db, trace) = (db.display(), trace.display());
    works().then(|| format!("strace -D -f -qq -o {trace} -P {db} -e trace=pwrite64,fdatasync -e inject={fault}"))
}

/// A wrapper that makes each sync of the log of `db` so many milliseconds longer. After some commits a server syncs
/// beside its writer then. Returns `None`, and prints why, if strace does not work here.
pub fn slow_syncs(dir: &TestDir, db: &str, millis: u32) -> Option<String> {
    injecting_into_syncs(dir, db, &format!("delay_enter={millis}000"))
}

/// A server with [`slow_syncs`] that syncs beside its writer, after some orders.
pub fn with_slow_syncs(dir: &TestDir, oracle: &Oracle) -> Option<(Server, Client)> {
    Server::start(dir, &ADMIN, "").stop();
    let server = Server::try_start(dir, &slow_syncs(dir, "orders.db", 5)?, &ADMIN, "--db orders.db").unwrap();
    let admin = server.admin();
    for number in 0..6 {
        assert!(oracle.one_order(&admin, &format!("slow-{number}")));
    }
    Some((server, admin))
}

/// Has the syncs of a server that was started by [`with_slow_syncs`] meet `fault` instead.
pub fn replace_fault(server: &Server, dir: &TestDir, fault: &str) {
    let tracer = || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
        status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap().trim().to_owned()
    };
    // It lets go of the server.
    assert!(Command::new("kill").args(["-TERM", &tracer()]).status().unwrap().success());
    while tracer() != "0" {
        sleep(Duration::from_millis(5));
    }
    let command = injecting_into_syncs(dir, "orders.db", fault).unwrap().replace(" -D ", " ");
    let command = format!("{command} -p {} &", server.id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    while tracer() == "0" {
        sleep(Duration::from_millis(5));
    }
    // It takes hold of the other threads one after the other.
    sleep(Duration::from_millis(100));
}

/// A wrapper that injects `fault` into syncs of the log of `db`. With `-I 2` a signal ends the tracer, and not the
/// server.
pub fn injecting_into_syncs(dir: &TestDir, db: &str, fault: &str) -> Option<String> {
    let (db, trace) = (dir.path().join(db), dir.path().join("strace"));
    let (db, trace) = (db.display(), trace.display());
    works()
        .then(|| format!("strace -D -I 2 -f -qq -o {trace} -P {db}-wal -e trace=fdatasync -e inject=fdatasync:{fault}"))
}

/// A wrapper command that records syncs and output. Returns `None`, and prints why, if strace does not work here.
pub fn watching_syncs(dir: &TestDir) -> Option<String> {
    let trace = dir.path().join("strace");
    works().then(|| format!("strace -D -f -y -qq -o {} -e trace=fsync,fdatasync,write", trace.display()))
}

/// Whether a server under [`watching_syncs`] synced this file before it printed that it listens.
pub fn synced_before_listening(dir: &TestDir, file: &str) -> bool {
    let trace = fs::read_to_string(dir.path().join("strace")).unwrap();
    let file = format!("{}>", dir.path().join(file).display());
    let before = trace.lines().take_while(|line| !line.contains("\"listening on"));
    before.into_iter().any(|line| line.contains("sync(") && line.contains(&file))
}

/// Runs `orderd` and returns its system calls with these names, in order and with the paths of their files. Returns
/// `None`, and prints why, if strace does not work here.
pub fn calls(dir: &TestDir, names: &str, arguments: &str) -> Option<Vec<String>> {
    if !works() {
        return None;
    }
    let trace = format!("trace={names}");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-o", "strace", "-e", &trace, env!("CARGO_BIN_EXE_orderd")]);
    let output = command.args(arguments.split_whitespace()).current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = fs::read_to_string(dir.path().join("strace")).unwrap();
    Some(lines.lines().map(str::to_owned).collect())
}

/// Whether strace is installed and may trace; prints a line if not.
fn works() -> bool {
    let works = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    if !works {
        say(format_args!("skipped: strace is not installed, or may not trace"));
    }
    works
}
