//! The machine: its disk, the file system, and the limits that the system sets. Not the files on it.

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

/// Syncs that are measured.
const SYNCS: usize = 16;
/// Bytes that each of them syncs: a small commit.
const SYNCED_BYTES: usize = 16 * 1024;
/// A commit waits for a sync: slower than this is felt by clients.
const SLOW_SYNC: Duration = Duration::from_millis(50);
/// The clock may go this far from the time that passes meanwhile.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// Whether locks and syncs can be relied on.
pub(super) fn file_system(folder: &Path) -> Finding {
    const NAME: &str = "file_system";
    match file_system::of(folder) {
        Err(e) => Finding::bad(NAME, format!("{}: {e}", folder.display())),
        Ok(FileSystem::Local(name)) => Finding::good(NAME, name),
        Ok(FileSystem::Network(name)) => {
            Finding::bad(NAME, format!("{name}: a network file system does not keep what locks and syncs promise"))
        }
        Ok(FileSystem::Shared(name)) => {
            Finding::doubtful(NAME, format!("{name}: see that its locks work and that its syncs reach a disk"))
        }
        Ok(FileSystem::Volatile(name)) => {
            Finding::doubtful(NAME, format!("{name}: what is on it may be gone after a restart"))
        }
        Ok(FileSystem::Unknown(number)) => {
            Finding::doubtful(NAME, format!("of an unknown kind ({number:#x}): see that its syncs reach a disk"))
        }
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
    if free < MIN_FREE_BYTES {
        Finding::bad(NAME, format!("{detail}; the server is not ready below {} MiB", MIN_FREE_BYTES >> 20))
    } else if free < backups::room_for(size) {
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

/// Whether there are descriptors for as many connections as are configured. The server raises its limit by itself.
pub(super) fn descriptors(config: &Config) -> Finding {
    const NAME: &str = "descriptors";
    let wanted = config.limits.connections;
    match accept::max_connections() {
        usize::MAX => Finding::good(NAME, "without a limit"),
        most if wanted > most => Finding::doubtful(
            NAME,
            format!("enough for {most} connections: too few for `limits.connections` = {wanted}; see ulimit -Hn"),
        ),
        most => Finding::good(NAME, format!("enough for {most} connections")),
    }
}
