//! A server is killed at a write or sync of the database: while the database is created, while one order is placed,
//! paid and refunded, and during the final checkpoint. With `ORDERD_SOAK` set at every write and sync, otherwise at
//! some.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    strace::injecting,
    support::TestDir,
};

/// Runs a server that is killed at the `nth` system call of this kind. `Some(false)` if it ran to its end, `None` if
/// there is no strace.
fn is_killed_at(call: &str, nth: usize) -> Option<bool> {
    let dir = TestDir::new();
    let oracle = Oracle::new(&dir);
    let wrapper = injecting(&dir, &format!("{call}:signal=SIGKILL:when={nth}"))?;
    let killed = match Server::try_start(&dir, &wrapper, &ADMIN, "--db orders.db") {
        Err((code, log)) => {
            assert_eq!(code, None, "killed before it listened: {log}");
            true
        }
        Ok(server) => {
            // The log-in fails if the server is killed during it.
            if let Some(admin) = server.try_admin() {
                oracle.one_order(&admin, "one");
            }
            server.stop().0.is_none()
        }
    };
    let server = Server::start(&dir, &ADMIN, "");
    oracle.holds(&server, &dir, "orders.db");
    Some(killed)
}

#[test]
fn the_database_recovers_from_a_kill_at_any_write_or_sync() {
    let mut points = vec![];
    for (call, some) in [("pwrite64", [2, 9, 60]), ("fdatasync", [1, 2, 4]), ("ftruncate", [1, 2, 3])] {
        let tried: Box<dyn Iterator<Item = usize>> =
            if soak().is_some() { Box::new(1..) } else { Box::new(some.into_iter()) };
        for nth in tried {
            let Some(killed) = is_killed_at(call, nth) else { return };
            if !killed {
                break;
            }
            points.push((call, nth));
        }
    }
    assert!(points.len() > 3, "{points:?}");
    say(format_args!("crash points: {} tried, the last of each call {:?}", points.len(), last_of_each(&points)));
}

fn last_of_each<'p>(points: &[(&'p str, usize)]) -> Vec<(&'p str, usize)> {
    let lasts = points.windows(2).filter(|pair| pair[0].0 != pair[1].0).map(|pair| pair[0]);
    lasts.chain(points.last().copied()).collect()
}
