//! THE TABLE of metrics: every family with its kind, its labels and its words. What is written comes from here alone, and
//! the guide's table is held to it. Names follow Prometheus's conventions: base units, `_total` for what only grows.

/// What a family's values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many there were of which size.
    Histogram,
}

impl Kind {
    /// As the exposition format writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Metrics of one name.
#[derive(Debug)]
pub struct Family {
    /// Such as `orderd_http_requests_total`.
    pub name: &'static str,
    /// What its values mean.
    pub kind: Kind,
    /// The names of its labels. Their values are names of this program's own, never anything that came from a client.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident $kind:ident $name:literal [$($label:literal)*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub static $id: Family = Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )+
        /// Every family there is.
        pub static ALL: &[&Family] = &[$(&$id),+];
    };
}

families! {
    BUILD_INFO Gauge "orderd_build_info" ["version" "sqlite"] "1, labelled with the versions of orderd and of the SQLite in it.";
    START_TIME Gauge "process_start_time_seconds" [] "When the process started, in seconds since 1970.";
    HTTP_REQUESTS Counter "orderd_http_requests_total" ["operation" "status"] "Requests answered, by operation and HTTP status; `none` is what is no operation, such as a page.";
    HTTP_DURATION Histogram "orderd_http_request_duration_seconds" ["operation"] "Time from the head of a request to that of its answer.";
    HTTP_IN_FLIGHT Gauge "orderd_http_requests_in_flight" [] "Requests that are being worked on.";
    HTTP_ABANDONED Counter "orderd_http_requests_abandoned_total" [] "Requests whose client went away before the answer.";
    REFUSED_CONNECTIONS Counter "orderd_http_connections_refused_total" [] "Connections closed at once, since their address had `limits.connections_per_address` of them.";
    PROBLEMS Counter "orderd_problems_total" ["code"] "Requests refused or failed, by the code of the problem; `rate_limited` and `login_delayed` are those over a limit.";
    LOG_INS Counter "orderd_log_ins_total" ["outcome"] "Attempts to log in: `succeeded`, or the code of the problem.";
    HASHES_RUNNING Gauge "orderd_password_hashes_running" [] "Passwords that are being hashed.";
    HASHES_WAITING Gauge "orderd_password_hashes_waiting" [] "Passwords that wait to be hashed.";
    EVENTS Counter "orderd_events_total" ["type"] "Events recorded since the start: orders made, payments and refunds recorded, and so on.";
    LAST_EVENT Gauge "orderd_last_event_seq" [] "The seq of the newest event.";
    WRITE_QUEUE Gauge "orderd_write_queue_length" [] "Changes that wait for the writer.";
    WRITE_BATCH Histogram "orderd_write_batch_size" [] "Changes that were committed together.";
    WRITE_COMMIT Histogram "orderd_write_commit_seconds" [] "Time that a commit took, its sync included.";
    WRITE_ROLLBACKS Counter "orderd_write_rollbacks_total" [] "Transactions that were undone: one change that failed after writing makes its batch run again one by one.";
    CHECKPOINTS Histogram "orderd_checkpoint_seconds" [] "Time that moving the write-ahead log into the file took, its sync included.";
    READ_WAIT Histogram "orderd_read_wait_seconds" ["lane"] "Time that reads waited for a connection: `lookup` for short ones, `scan` for those in the lane of long ones.";
    OLDEST_READ Gauge "orderd_oldest_read_age_seconds" [] "For how long the oldest read has been going on; while it does, the write-ahead log cannot shrink.";
    DATABASE_BYTES Gauge "orderd_database_bytes" [] "Size of the database file.";
    WAL_BYTES Gauge "orderd_wal_bytes" [] "Size of the write-ahead log.";
    DISK_FREE_BYTES Gauge "orderd_disk_free_bytes" [] "Room on the database's disk.";
    LAST_BACKUP Gauge "orderd_last_backup_timestamp_seconds" [] "Until when the newest good backup has everything, in seconds since 1970; absent until there is one.";
    SPANS_SENT Counter "orderd_trace_spans_sent_total" [] "Spans that the collector of traces took.";
    SPANS_DROPPED Counter "orderd_trace_spans_dropped_total" [] "Spans that were not sent, because the queue was full or the collector failed.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_conventions() {
        let names: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name is there once");
        for family in ALL {
            let name = family.name;
            assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert!(name.starts_with("orderd_") || name == START_TIME.name, "{name}");
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n']), "{name}");
        }
    }
}
