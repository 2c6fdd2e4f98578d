//! How many connections the process can hold: each needs a file descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for everything but connections: the database and its readers, backups, the log.
const RESERVED: u64 = 128;

/// Raises the limit on file descriptors as far as the process may, and returns how many of `wanted` connections fit.
/// `wanted` = 0 means as many as fit.
pub(super) fn available_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let descriptors = if raised.is_ok() { limit.maximum } else { limit.current };
    let max = without_reserved(descriptors);
    if wanted > max {
        tracing::warn!(
            limits.connections = wanted,
            connections = max,
            descriptors,
            "the limit on file descriptors allows fewer connections than configured"
        );
    }
    if wanted == 0 { max } else { wanted.min(max) }
}

/// The most connections that the process can hold once it has raised its limit on file descriptors.
pub fn max_connections() -> usize {
    without_reserved(getrlimit(Resource::Nofile).maximum)
}

/// `None` stands for no limit.
fn without_reserved(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return usize::MAX };
    let left = descriptors.saturating_sub(RESERVED.min(descriptors / 2));
    usize::try_from(left).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_reserved_for_the_rest_of_the_process() {
        assert_eq!(without_reserved(None), usize::MAX);
        assert_eq!(without_reserved(Some(20_000)), 20_000 - 128);
        assert_eq!(without_reserved(Some(100)), 50);
        assert_eq!(without_reserved(Some(0)), 1);
    }
}
