//! The ground: the disk, its file system, and the limits that the system sets. Not the files on it.

use super::Finding;
use crate::{config::Config, domain::time::Clock, store};
use rustix::process::{Resource, getrlimit};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Syncs that are measured.
const SYNCS: usize = 16;
/// Bytes that each of them syncs: a small commit.
const SYNCED_BYTES: usize = 16 * 1024;
/// A commit waits for a sync: slower than this is felt by clients.
const SLOW_SYNC: Duration = Duration::from_millis(50);
/// The clock may go this far from the time that passes meanwhile.
const CLOCK_STEP: Duration = Duration::from_secs(1);
/// Free bytes below which the server calls itself not ready.
const LITTLE_ROOM: u64 = 64 * 1024 * 1024;
/// Descriptors beyond those of connections: files, pipes, the listener.
const OWN_DESCRIPTORS: u64 = 64;

/// What a file system is good for.
#[derive(Clone, Copy)]
enum Kind {
    Local,
    Network,
    /// What is on it is gone after a restart, of the machine or of the container.
    Passing,
}

/// File systems by the number that statfs(2) gives.
const FILE_SYSTEMS: [(u32, &str, Kind); 17] = [
    (0xEF53, "ext4", Kind::Local),
    (0x5846_5342, "xfs", Kind::Local),
    (0x9123_683E, "btrfs", Kind::Local),
    (0x2FC1_2FC1, "zfs", Kind::Local),
    (0xF2F5_2010, "f2fs", Kind::Local),
    (0xCA45_1A4E, "bcachefs", Kind::Local),
    (0x6969, "NFS", Kind::Network),
    (0x517B, "SMB", Kind::Network),
    (0xFE53_4D42, "SMB", Kind::Network),
    (0xFF53_4D42, "CIFS", Kind::Network),
    (0x5346_414F, "AFS", Kind::Network),
    (0x00C3_6400, "Ceph", Kind::Network),
    (0x0102_1997, "9p", Kind::Network),
    (0x0BD0_0BD0, "Lustre", Kind::Network),
    (0x0102_1994, "tmpfs", Kind::Passing),
    (0x8584_58F6, "ramfs", Kind::Passing),
    (0x794C_7630, "overlay", Kind::Passing),
];

/// Whether locks and syncs can be relied on.
pub(super) fn file_system(folder: &Path) -> Finding {
    const NAME: &str = "file_system";
    let number = match rustix::fs::statfs(folder) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
        Ok(found) => found.f_type as u32,
        Err(e) => return Finding::bad(NAME, format!("{}: {e}", folder.display())),
    };
    match FILE_SYSTEMS.iter().find(|(known, ..)| *known == number) {
        Some((_, name, Kind::Local)) => Finding::good(NAME, *name),
        Some((_, name, Kind::Network)) => {
            Finding::bad(NAME, format!("{name}: a network file system does not keep what locks and syncs promise"))
        }
        Some((_, name, Kind::Passing)) => {
            Finding::doubtful(NAME, format!("{name}: what is on it may be gone after a restart"))
        }
        None => Finding::doubtful(NAME, format!("of an unknown kind ({number:#x}): see that its syncs reach a disk")),
    }
}

/// Whether there is room to write, and for a copy.
pub(super) fn room(folder: &Path, path: &Path) -> Finding {
    const NAME: &str = "room";
    let Some(free) = store::free_bytes(folder) else {
        return Finding::bad(NAME, format!("{}: the system does not say", folder.display()));
    };
    let size = fs::metadata(path).map_or(0, |file| file.len());
    let detail = format!("{} MiB free, {} MiB in use by the database", free >> 20, size >> 20);
    if free < LITTLE_ROOM {
        Finding::bad(NAME, format!("{detail}; the server is not ready below {} MiB", LITTLE_ROOM >> 20))
    } else if free < size.saturating_add(LITTLE_ROOM) {
        Finding::doubtful(NAME, format!("{detail}: not enough for a copy of it"))
    } else {
        Finding::good(NAME, detail)
    }
}

/// How long a sync takes, which every commit waits for; and whether the clock goes as time does meanwhile.
pub(super) fn sync(folder: &Path, clock: &Clock) -> Finding {
    const NAME: &str = "sync";
    let (began, begun) = (clock.now(), Instant::now());
    let mut times = match measure(folder) {
        Ok(times) => times,
        Err(e) => return Finding::bad(NAME, format!("{}: {e}", folder.display())),
    };
    let passed = i128::from(clock.now().millis() - began.millis());
    let apart = passed.abs_diff(i128::try_from(begun.elapsed().as_millis()).unwrap_or(i128::MAX));
    times.sort_unstable();
    let (median, slowest) = (times[SYNCS / 2], times[SYNCS - 1]);
    let detail = format!("{} µs in the median, {} µs at most", median.as_micros(), slowest.as_micros());
    if apart > CLOCK_STEP.as_millis() {
        Finding::doubtful(NAME, format!("{detail}; the clock was set by {apart} ms meanwhile"))
    } else if median > SLOW_SYNC {
        Finding::doubtful(NAME, format!("{detail}: each commit waits for one"))
    } else {
        Finding::good(NAME, detail)
    }
}

fn measure(folder: &Path) -> io::Result<Vec<Duration>> {
    let path = folder.join(format!(".orderd-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let times = (0..SYNCS).map(|_| time_sync(&mut file)).collect();
    fs::remove_file(path)?;
    times
}

fn time_sync(file: &mut File) -> io::Result<Duration> {
    file.write_all(&[0; SYNCED_BYTES])?;
    let begun = Instant::now();
    file.sync_data()?;
    Ok(begun.elapsed())
}

/// Whether there are descriptors for as many connections as are configured.
pub(super) fn descriptors(config: &Config) -> Finding {
    const NAME: &str = "descriptors";
    let wanted = (config.limits.connections as u64).saturating_add(OWN_DESCRIPTORS);
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < wanted => {
            let connections = config.limits.connections;
            Finding::doubtful(NAME, format!("{limit}: too few for `limits.connections` = {connections}; see ulimit -n"))
        }
        Some(limit) => Finding::good(NAME, limit.to_string()),
        None => Finding::good(NAME, "without a limit"),
    }
}
