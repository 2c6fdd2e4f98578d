//! Checks of the journal in PostgreSQL, and of the server that it is on.

use super::Finding;
use crate::{
    app::journal,
    cli::wait_for,
    config::{Config, Durability},
    domain::time::Clock,
    service::readiness::MAX_CLOCK_SKEW,
    store::journal::{Examined, Extent, OLDEST_VERSION, Process, ServerState, Standby, examine},
};
use std::{collections::BTreeSet, time::Duration};

/// Every change and every request waits for a round trip or two.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(5);

/// All checks; none if the configuration names no journal.
pub(super) fn findings(config: &Config, clock: &Clock) -> Vec<Finding> {
    const NAME: &str = "postgresql";
    let options = match journal::of(config) {
        Ok(Some(options)) => options,
        Ok(None) => return vec![],
        Err(e) => return vec![Finding::fail(NAME, e.to_string())],
    };
    let found = match wait_for(async { Ok(examine(&options).await) }) {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => return vec![Finding::fail(NAME, why)],
        Err(failure) => return vec![Finding::fail(NAME, failure.message)],
    };
    let ahead = found.server.now.millis() - clock.now().millis();
    let Examined { server, round_trip, standbys, journal } = found;
    let mut findings = vec![
        version(&server),
        commits(&server, config.db.durability),
        second_machine(&server, &standbys),
        skew(ahead),
        reach(round_trip),
    ];
    match journal {
        None => findings.push(Finding::warn("journal", "it is empty; the first server begins it")),
        Some((extent, processes)) => findings.extend([extent_of(&extent, &processes), members(&processes)]),
    }
    findings
}

fn version(server: &ServerState) -> Finding {
    const NAME: &str = "postgresql";
    let ServerState { version, major, is_primary, .. } = server;
    if *major < OLDEST_VERSION {
        Finding::fail(NAME, format!("version {version}; it must be {OLDEST_VERSION} or later"))
    } else if *is_primary {
        Finding::ok(NAME, format!("version {version}, takes writes"))
    } else {
        Finding::fail(
            NAME,
            format!("version {version}, a standby, which takes no writes; name the other hosts in the URL too"),
        )
    }
}

fn commits(server: &ServerState, durability: Durability) -> Finding {
    const NAME: &str = "commits";
    let promises = &server.promises;
    match (promises.broken(), durability) {
        (Some(why), Durability::Full) => {
            Finding::fail(NAME, format!("{why}; servers do not start unless `db.durability` is `normal`"))
        }
        (Some(why), Durability::Normal) => Finding::warn(NAME, why),
        (None, _) if !promises.full_page_writes => Finding::warn(
            NAME,
            "full_page_writes = off: a power failure may destroy the journal unless the disk writes pages whole",
        ),
        (None, _) => Finding::ok(NAME, format!("fsync = on, synchronous_commit = {}", promises.synchronous_commit)),
    }
}

fn second_machine(server: &ServerState, standbys: &[Standby]) -> Finding {
    const NAME: &str = "standbys";
    let of = |standby: &Standby| match standby {
        Standby { state, .. } if state.is_empty() => "one whose state only members of pg_monitor see".to_owned(),
        Standby { name, state, kind, behind_bytes } => {
            format!("{name} ({kind}, {state}, {} bytes behind)", behind_bytes.unwrap_or_default())
        }
    };
    let connected = match standbys {
        [] => "none is connected".to_owned(),
        some => format!("connected: {}", some.iter().map(of).collect::<Vec<_>>().join(", ")),
    };
    if server.promises.has_second_machine() {
        let detail = format!("commits wait for `{}`; {connected}", server.promises.synchronous_standbys);
        return if standbys.is_empty() { Finding::fail(NAME, detail) } else { Finding::ok(NAME, detail) };
    }
    Finding::warn(
        NAME,
        format!(
            "commits wait for no standby, so what is acknowledged is on one machine only (synchronous_standby_names); {connected}"
        ),
    )
}

fn skew(ahead: i64) -> Finding {
    const NAME: &str = "postgresql_clock";
    let detail = format!("{ahead} ms ahead of the clock of this machine");
    if Duration::from_millis(ahead.unsigned_abs()) > MAX_CLOCK_SKEW {
        Finding::fail(NAME, format!("{detail}; a server is not ready beyond {} s", MAX_CLOCK_SKEW.as_secs()))
    } else {
        Finding::ok(NAME, detail)
    }
}

fn reach(round_trip: Duration) -> Finding {
    const NAME: &str = "round_trip";
    let detail = format!("{} µs", round_trip.as_micros());
    if round_trip > SLOW_ROUND_TRIP {
        Finding::warn(NAME, format!("{detail}: every request waits for one, and every change for two"))
    } else {
        Finding::ok(NAME, detail)
    }
}

fn extent_of(extent: &Extent, processes: &[Process]) -> Finding {
    let Extent { newest, snapshot, snapshot_age, bytes: (entries, whole) } = extent;
    let behind = processes.iter().map(|process| newest - process.position).max();
    let lag = behind.map_or(String::new(), |behind| {
        format!("; the process that is furthest behind lacked {} entries when it said so last", behind.max(0))
    });
    Finding::ok(
        "journal",
        format!(
            "ends at entry {newest}, {} MiB; the snapshot is at entry {snapshot}, {} h old, {} MiB{lag}",
            entries >> 20,
            snapshot_age.as_secs() / 3600,
            whole >> 20
        ),
    )
}

fn members(processes: &[Process]) -> Finding {
    const NAME: &str = "processes";
    let of = |process: &Process| {
        let lease = if process.has_lease { ", has the lease" } else { "" };
        format!("{} (entry {}, keys {}{lease})", process.version, process.position, process.keys)
    };
    let list = processes.iter().map(of).collect::<Vec<_>>().join(", ");
    let keys: BTreeSet<_> = processes.iter().map(|process| &process.keys).collect();
    match processes {
        [] => Finding::ok(NAME, "none is running"),
        _ if keys.len() > 1 => Finding::fail(NAME, format!("they have different signing keys: {list}")),
        some => Finding::ok(NAME, format!("{}: {list}", some.len())),
    }
}
