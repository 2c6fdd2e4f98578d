//! How many connections the process can hold: each needs a file descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but connections: the database and its readers, backups, the log.
const RESERVED: u64 = 128;

/// So many connections can be held of those that are `wanted`, where 0 is as many as there can be. The limit is raised as
/// far as the process may raise it.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // What may not be raised stays as it is.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let descriptors = if raised.is_ok() { limit.maximum } else { limit.current };
    let most = room(descriptors);
    if wanted > most {
        tracing::warn!(
            limits.connections = wanted,
            connections = most,
            descriptors,
            "fewer connections are served than configured, for want of file descriptors"
        );
    }
    if wanted == 0 { most } else { wanted.min(most) }
}

/// The most connections that the process can hold with its limit raised as far as it may be.
pub fn most_connections() -> usize {
    room(getrlimit(Resource::Nofile).maximum)
}

fn room(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return usize::MAX };
    let left = descriptors.saturating_sub(RESERVED.min(descriptors / 2));
    usize::try_from(left).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_process_keeps_its_descriptors() {
        assert_eq!(room(None), usize::MAX);
        assert_eq!(room(Some(20_000)), 20_000 - 128);
        assert_eq!(room(Some(100)), 50);
        assert_eq!(room(Some(0)), 1);
    }
}
