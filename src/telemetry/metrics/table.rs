//! THE TABLE of metrics: every family with its kind, its labels and its help text. The page is written from it, and a
//! test compares the guide's table with it. Names follow Prometheus's conventions: base units, and `_total` for
//! counters.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A count that starts at 0 with the process and only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Counts of observations by size.
    Histogram,
}

impl Kind {
    /// The name of the type in the text format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// All series of one name.
#[derive(Debug)]
pub struct Family {
    /// Such as `orderd_http_requests_total`.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// The names of its labels. Label values are names that are compiled into this program, never input.
    pub labels: &'static [&'static str],
    /// The help text.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident $kind:ident $name:literal [$($label:literal)*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub static $id: Family = Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )+
        /// Every family, in the order of the page.
        pub static ALL: &[&Family] = &[$(&$id),+];
    };
}

families! {
    BUILD_INFO Gauge "orderd_build_info" ["version" "sqlite"] "1, labelled with the versions of orderd and of the SQLite in it.";
    START_TIME Gauge "process_start_time_seconds" [] "When the process started, in seconds since 1970.";
    CPU_SECONDS Counter "process_cpu_seconds_total" [] "Processor time used, in seconds.";
    RESIDENT_BYTES Gauge "process_resident_memory_bytes" [] "Memory in use.";
    VIRTUAL_BYTES Gauge "process_virtual_memory_bytes" [] "Addresses in use.";
    OPEN_FDS Gauge "process_open_fds" [] "Open descriptors of files and connections.";
    MAX_FDS Gauge "process_max_fds" [] "The most descriptors that may be open.";
    CERTIFICATE_END Gauge "orderd_tls_certificate_expiry_timestamp_seconds" [] "Until when the TLS certificate is valid, in seconds since 1970; absent without TLS.";
    HTTP_REQUESTS Counter "orderd_http_requests_total" ["operation" "status"] "Requests answered, by operation and HTTP status; `none` stands for requests that belong to no operation, such as those for a page.";
    HTTP_DURATION Histogram "orderd_http_request_duration_seconds" ["operation"] "Time from the head of a request to the head of its response.";
    HTTP_IN_FLIGHT Gauge "orderd_http_requests_in_flight" [] "Requests in progress.";
    HTTP_ABANDONED Counter "orderd_http_requests_abandoned_total" [] "Requests whose client closed the connection before the response.";
    REFUSED_CONNECTIONS Counter "orderd_http_connections_refused_total" [] "Connections closed at once because their address had `limits.connections_per_address` of them.";
    PROBLEMS Counter "orderd_problems_total" ["code"] "Requests refused or failed, by the code of the problem; `rate_limited` and `login_delayed` count requests over a limit.";
    LOG_INS Counter "orderd_log_ins_total" ["outcome"] "Log-in attempts: `succeeded`, or the code of the problem.";
    HASHES_RUNNING Gauge "orderd_password_hashes_running" [] "Passwords being hashed.";
    HASHES_WAITING Gauge "orderd_password_hashes_waiting" [] "Passwords waiting to be hashed.";
    EVENTS Counter "orderd_events_total" ["type"] "Events recorded since the start: orders created, payments and refunds recorded, and so on.";
    LAST_EVENT Gauge "orderd_last_event_seq" [] "The seq of the newest event.";
    WRITE_QUEUE Gauge "orderd_write_queue_length" [] "Changes waiting for the writer.";
    WRITE_BATCH Histogram "orderd_write_batch_size" [] "Changes committed together.";
    WRITE_COMMIT Histogram "orderd_write_commit_seconds" [] "Time of a commit of changes, including its sync.";
    WRITE_ROLLBACKS Counter "orderd_write_rollbacks_total" [] "Transactions rolled back: one change that fails after writing makes its batch run again one by one.";
    CHECKPOINTS Histogram "orderd_checkpoint_seconds" [] "Time to move the write-ahead log into the file, including its sync.";
    JOURNAL_TURN Histogram "orderd_journal_turn_seconds" [] "Time until this process has its turn to append to the journal.";
    JOURNAL_APPEND Histogram "orderd_journal_append_seconds" [] "Time to append an entry to the journal.";
    JOURNAL_ENTRY Gauge "orderd_journal_entry" [] "The newest entry of the journal in this process's file; 0 without a journal.";
    JOURNAL_REACHABLE Gauge "orderd_journal_reachable" [] "1 if the journal has answered last time, or there is none.";
    JOURNAL_CURRENT Histogram "orderd_journal_current_seconds" [] "Time that requests waited until this process's file showed all that others on the journal had acknowledged.";
    JOURNAL_LEASE Gauge "orderd_journal_lease" [] "1 if this process does what only one process on a journal does, such as delivering webhooks.";
    JOURNAL_SINCE_SNAPSHOT Gauge "orderd_journal_since_snapshot_bytes" [] "Size of the entries since the newest snapshot in the journal; 0 at processes without the lease.";
    JOURNAL_SNAPSHOT Gauge "orderd_journal_snapshot_bytes" [] "Size of the newest snapshot in the journal; 0 at processes without the lease.";
    READ_WAIT Histogram "orderd_read_wait_seconds" ["lane"] "Time that reads waited for a connection: `lookup` for short ones, `scan` for those in the lane of long ones.";
    OLDEST_READ Gauge "orderd_oldest_read_age_seconds" [] "Age of the oldest running read; while it runs, the write-ahead log cannot shrink.";
    DATABASE_BYTES Gauge "orderd_database_bytes" [] "Size of the database file.";
    WAL_BYTES Gauge "orderd_wal_bytes" [] "Size of the write-ahead log.";
    DISK_FREE_BYTES Gauge "orderd_disk_free_bytes" [] "Free space on the database's disk.";
    LAST_BACKUP Gauge "orderd_last_backup_timestamp_seconds" [] "The moment up to which the newest good backup is complete, in seconds since 1970; absent until there is one.";
    SPANS_SENT Counter "orderd_trace_spans_sent_total" [] "Spans that the collector of traces accepted.";
    SPANS_DROPPED Counter "orderd_trace_spans_dropped_total" [] "Spans that were not sent because the queue was full or the collector failed.";
    WEBHOOK_ATTEMPTS Counter "orderd_webhook_attempts_total" ["outcome"] "Attempts to deliver to webhook endpoints: `delivered`, `retried` for one that failed and is tried again, `failed` for one after which the delivery was given up.";
    WEBHOOK_ENDPOINTS Gauge "orderd_webhook_endpoints" ["status"] "Webhook endpoints: `active`, `disabled` by a caller, `gone` or `failing` if the server has disabled them.";
    WEBHOOK_PENDING Gauge "orderd_webhook_deliveries_pending" [] "Deliveries that failed and are tried again.";
    WEBHOOK_PENDING_AGE Gauge "orderd_webhook_oldest_pending_age_seconds" [] "Age of the oldest delivery that is tried again; 0 if there is none.";
    WEBHOOK_BEHIND Gauge "orderd_webhook_events_behind" [] "Events that the slowest active endpoint has not been sent yet.";
    EVENT_STREAMS Gauge "orderd_event_streams" [] "Open event streams.";
    WORKER_PANICS Counter "orderd_worker_panics_total" ["task"] "Panics of background tasks, by task; a task starts again after five seconds.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_conventions() {
        let names: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len(), "each name occurs once");
        for family in ALL {
            let name = family.name;
            assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            // Those that programs of all kinds have.
            assert!(name.starts_with("orderd_") || name.starts_with("process_"), "{name}");
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n']), "{name}");
        }
    }
}
