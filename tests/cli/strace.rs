//! Faults in system calls, and which calls there are, by way of `strace`, where it is installed.

use crate::{oracle::say, support::Workplace};
use std::{fs, process::Command};

/// The program before the server's that injects this fault (as in strace's `-e inject=`) into what is written to and
/// synced of the database; none, said aloud, where there is no strace.
pub fn injecting(place: &Workplace, fault: &str) -> Option<String> {
    let db = place.path().join("orders.db");
    if !works() {
        return None;
    }
    let calls = "pwrite64,fdatasync,ftruncate";
    let trace = place.path().join("strace");
    let (db, trace) = (db.display(), trace.display());
    // With -D the tracer is the grandchild, so that the process that was started is the server itself.
    Some(format!("strace -D -f -qq -o {trace} -P {db} -P {db}-wal -e trace={calls} -e inject={fault}"))
}

/// The program before the server's that writes down what is synced, and what is printed; none, said aloud, where there is
/// no strace.
pub fn watching_syncs(place: &Workplace) -> Option<String> {
    let trace = place.path().join("strace");
    works().then(|| format!("strace -D -f -y -qq -o {} -e trace=fsync,fdatasync,write", trace.display()))
}

/// Whether a server under [`watching_syncs`], which has said that it listens, synced this file before that.
pub fn synced_before_listening(place: &Workplace, file: &str) -> bool {
    let trace = fs::read_to_string(place.path().join("strace")).unwrap();
    let file = format!("{}>", place.path().join(file).display());
    let before = trace.lines().take_while(|line| !line.contains("\"listening on"));
    before.into_iter().any(|line| line.contains("sync(") && line.contains(&file))
}

/// These system calls of `orderd` with these arguments, one after the other, with the paths of their files; none, said
/// aloud, where there is no strace.
pub fn calls(place: &Workplace, names: &str, arguments: &str) -> Option<Vec<String>> {
    if !works() {
        return None;
    }
    let trace = format!("trace={names}");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-o", "strace", "-e", &trace, env!("CARGO_BIN_EXE_orderd")]);
    let output = command.args(arguments.split_whitespace()).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = fs::read_to_string(place.path().join("strace")).unwrap();
    Some(lines.lines().map(str::to_owned).collect())
}

/// Whether it is there and may trace; says so if not.
fn works() -> bool {
    let works = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    if !works {
        say(format_args!("skipped: strace is not installed, or may not trace"));
    }
    works
}
