//! Checks of the machine: its disk, file system, clock and limits. The database's files are checked in `files`.

use super::Finding;
use crate::{
    accept,
    config::Config,
    domain::time::Clock,
    service::backups,
    store::{
        self, MIN_FREE_BYTES,
        file_system::{self, FileSystem},
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Number of syncs that are measured.
const SYNCS: usize = 16;
/// Bytes written before each sync, like those of a small commit.
const SYNCED_BYTES: usize = 16 * 1024;
/// Every commit waits for a sync; slower syncs than this are noticeable to clients.
const SLOW_SYNC: Duration = Duration::from_millis(50);
/// The clock may deviate by this much from the time that passes during the measurement.
const MAX_CLOCK_STEP: Duration = Duration::from_secs(1);

/// Checks that locks and syncs can be relied on.
pub(super) fn file_system(folder: &Path) -> Finding {
    const NAME: &str = "file_system";
    match file_system::of(folder) {
        Err(e) => Finding::fail(NAME, format!("{}: {e}", folder.display())),
        Ok(FileSystem::Local(name)) => Finding::ok(NAME, name),
        Ok(FileSystem::Network(name)) => {
            Finding::fail(NAME, format!("{name}: locks and syncs are not reliable on a network file system"))
        }
        Ok(FileSystem::Shared(name)) => {
            Finding::warn(NAME, format!("{name}: make sure that its locks work and that its syncs reach a disk"))
        }
        Ok(FileSystem::Volatile(name)) => {
            Finding::warn(NAME, format!("{name}: its files may be lost when the machine restarts"))
        }
        Ok(FileSystem::Unknown(number)) => {
            Finding::warn(NAME, format!("unknown type {number:#x}: make sure that its syncs reach a disk"))
        }
    }
}

/// Checks that there is space for further writes and for a backup.
pub(super) fn space(folder: &Path, path: &Path) -> Finding {
    const NAME: &str = "room";
    let Some(free) = store::free_bytes(folder) else {
        return Finding::fail(NAME, format!("{}: the free space is unknown", folder.display()));
    };
    let size = fs::metadata(path).map_or(0, |file| file.len());
    let detail = format!("{} MiB free, {} MiB in use by the database", free >> 20, size >> 20);
    if free < MIN_FREE_BYTES {
        Finding::fail(NAME, format!("{detail}; the server is not ready below {} MiB", MIN_FREE_BYTES >> 20))
    } else if free < backups::room_for(size) {
        Finding::warn(NAME, format!("{detail}: not enough for a backup"))
    } else {
        Finding::ok(NAME, detail)
    }
}

/// Measures how long a sync takes, and checks that the clock runs evenly meanwhile.
pub(super) fn sync(folder: &Path, clock: &Clock) -> Finding {
    const NAME: &str = "sync";
    let (began, begun) = (clock.now(), Instant::now());
    let mut times = match measure(folder) {
        Ok(times) => times,
        Err(e) => return Finding::fail(NAME, format!("{}: {e}", folder.display())),
    };
    let passed = i128::from(clock.now().millis() - began.millis());
    let apart = passed.abs_diff(i128::try_from(begun.elapsed().as_millis()).unwrap_or(i128::MAX));
    times.sort_unstable();
    let (median, slowest) = (times[SYNCS / 2], times[SYNCS - 1]);
    let detail = format!("{} µs median, {} µs at most", median.as_micros(), slowest.as_micros());
    if apart > MAX_CLOCK_STEP.as_millis() {
        Finding::warn(NAME, format!("{detail}; the clock jumped by {apart} ms meanwhile"))
    } else if median > SLOW_SYNC {
        Finding::warn(NAME, format!("{detail}: every commit waits for a sync"))
    } else {
        Finding::ok(NAME, detail)
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

/// Checks that there are file descriptors for as many connections as are configured. The server raises the soft limit
/// by itself.
pub(super) fn descriptors(config: &Config) -> Finding {
    const NAME: &str = "descriptors";
    let wanted = config.limits.connections;
    match accept::max_connections() {
        usize::MAX => Finding::ok(NAME, "no limit"),
        max if wanted > max => Finding::warn(
            NAME,
            format!(
                "enough for {max} connections, fewer than `limits.connections` = {wanted}; raise the hard limit (ulimit -Hn)"
            ),
        ),
        max => Finding::ok(NAME, format!("enough for {max} connections")),
    }
}
