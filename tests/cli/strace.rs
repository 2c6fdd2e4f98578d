//! Faults in system calls, by way of `strace`, where it is installed.

use crate::oracle::say;
use std::process::Command;

/// The program before the server's that injects this fault (as in strace's `-e inject=`) into what is written to and
/// synced of the database; none, said aloud, where there is no strace.
pub fn injecting(place: &crate::support::Workplace, fault: &str) -> Option<String> {
    let db = place.path().join("orders.db");
    // With -D the tracer is the grandchild, so that the process that was started is the server itself.
    let works = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        say(format_args!("skipped: strace is not installed, or may not trace"));
        return None;
    }
    let calls = "pwrite64,fdatasync,ftruncate";
    let trace = place.path().join("strace");
    let (db, trace) = (db.display(), trace.display());
    Some(format!("strace -D -f -qq -o {trace} -P {db} -P {db}-wal -e trace={calls} -e inject={fault}"))
}
