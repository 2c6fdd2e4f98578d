//! What the system counts of this process: its time, memory and descriptors, from `/proc/self` (proc(5)). A number that
//! the system does not show, as in a container without `/proc`, is absent.

use std::{fs, time::Duration};

/// The length of a clock tick, the unit of times in `/proc`: `USER_HZ` is 100 on every machine that this is built for.
const TICK_MILLIS: u64 = 10;

/// The numbers of this moment.
#[derive(Debug, Default)]
pub struct ProcessCounts {
    /// Seconds of processor time, in user and in system mode.
    pub cpu_seconds: Option<f64>,
    /// Bytes of memory that are in use.
    pub resident_bytes: Option<u64>,
    /// Bytes of addresses that are in use.
    pub virtual_bytes: Option<u64>,
    /// Open descriptors of files and connections.
    pub open_descriptors: Option<usize>,
    /// The most that may be open.
    pub max_descriptors: Option<u64>,
}

impl ProcessCounts {
    /// Reads them.
    pub fn read() -> Self {
        let file = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, limits) = (file("status"), file("limits"));
        // The folder itself is open while it is read.
        let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1));
        Self {
            cpu_seconds: cpu_seconds(&file("stat")),
            resident_bytes: field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
            virtual_bytes: field(&status, "VmSize:").map(|kibibytes| kibibytes * 1024),
            open_descriptors: open,
            max_descriptors: field(&limits, "Max open files"),
        }
    }
}

/// The sum of `utime` and `stime`, the 14th and the 15th field. The second one, the name in brackets, may contain
/// anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    let ticks = fields.next()??.checked_add(fields.next()??)?;
    Some(Duration::from_millis(ticks.saturating_mul(TICK_MILLIS)).as_secs_f64())
}

/// The number after `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_this_process_are_plausible() {
        let counts = ProcessCounts::read();
        assert!(counts.cpu_seconds.unwrap() < 1e6);
        assert!((1_u64 << 20..1_u64 << 36).contains(&counts.resident_bytes.unwrap()), "{counts:?}");
        assert!(counts.virtual_bytes > counts.resident_bytes);
        let open = u64::try_from(counts.open_descriptors.unwrap()).unwrap();
        assert!(open >= 3 && open <= counts.max_descriptors.unwrap(), "{counts:?}");
    }

    #[test]
    fn fields_are_found_behind_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(cpu_seconds(""), None);
        let limits = "Max file locks  unlimited unlimited locks\nMax open files            1024      4096      files\n";
        assert_eq!(field(limits, "Max open files"), Some(1024));
        assert_eq!(field(limits, "Max file locks"), None);
    }
}
