//! Killed at a write or sync of the database: while it is made, while one order is created, paid and refunded, and while
//! the log is moved into the file at the end. With `ORDERD_SOAK` set at every one, else at some.

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    strace::injecting,
    support::Workplace,
};

/// A life of a server that ends at the `nth` call of this kind of any of its threads. False if it lived to its end.
fn dies_at(call: &str, nth: usize) -> Option<bool> {
    let place = Workplace::new();
    let oracle = Oracle::new(&place);
    let under = injecting(&place, &format!("{call}:signal=SIGKILL:when={nth}"))?;
    let died = match Server::try_start(&place, &under, &ADMIN, "--db orders.db") {
        Err((code, log)) => {
            assert_eq!(code, None, "it was killed before it listened: {log}");
            true
        }
        Ok(server) => {
            // Without a server there is nobody to log in to.
            if let Some(admin) = server.try_admin() {
                oracle.one_order(&admin, "one");
            }
            server.stop().0.is_none()
        }
    };
    let server = Server::start(&place, &ADMIN, "");
    oracle.holds(&server, &place, "orders.db");
    Some(died)
}

#[test]
fn it_recovers_from_death_at_any_write_or_sync() {
    let mut points = vec![];
    for (call, some) in [("pwrite64", [2, 9, 60]), ("fdatasync", [1, 2, 4]), ("ftruncate", [1, 2, 3])] {
        let tried: Box<dyn Iterator<Item = usize>> =
            if soak().is_some() { Box::new(1..) } else { Box::new(some.into_iter()) };
        for nth in tried {
            let Some(died) = dies_at(call, nth) else { return };
            if !died {
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
