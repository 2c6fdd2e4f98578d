//! Injects faults into system calls and records them with `strace`, where it is installed.

use crate::{oracle::say, support::TestDir};
use std::{fs, process::Command};

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

/// Like [`injecting`], but only into syncs of the write-ahead log.
pub fn injecting_into_log_syncs(dir: &TestDir, fault: &str) -> Option<String> {
    let (db, trace) = (dir.path().join("orders.db"), dir.path().join("strace"));
    let (db, trace) = (db.display(), trace.display());
    works().then(|| format!("strace -D -f -qq -o {trace} -P {db}-wal -e trace=fdatasync -e inject=fdatasync:{fault}"))
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

/// Runs `orderd` and returns its system calls with these names, in order and with the paths of their files. Returns `None`,
/// and prints why, if strace does not work here.
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
