//! What a server of PostgreSQL says about itself, and about the journal in it.

use super::{Fault, Session};
use crate::domain::time::Timestamp;
use std::time::Duration;
use tokio_postgres::Row;

/// The oldest version that has all that is used here.
pub const OLDEST_VERSION: i32 = 15;

/// What the server makes of a commit.
#[derive(Clone, Debug)]
pub struct Promises {
    /// Whether it waits for its disk.
    pub fsync: bool,
    /// Whether it survives a torn page.
    pub full_page_writes: bool,
    /// What a commit waits for: its setting.
    pub synchronous_commit: String,
    /// Which standbys it waits for: its setting. Empty if none.
    pub synchronous_standbys: String,
}

impl Promises {
    /// Why an answered commit may be lost in a crash of the server, if it may.
    pub fn broken(&self) -> Option<&'static str> {
        if !self.fsync {
            Some("fsync = off: a power failure destroys the journal")
        } else if self.synchronous_commit == "off" {
            Some("synchronous_commit = off: a crash of the server loses what was answered last")
        } else {
            None
        }
    }

    /// Whether an answered commit is on a second machine.
    pub fn has_second_machine(&self) -> bool {
        !self.synchronous_standbys.is_empty() && !["off", "local"].contains(&self.synchronous_commit.as_str())
    }
}

/// A standby that is connected. A role without the rights of `pg_monitor` is told nothing but that it is there.
#[derive(Clone, Debug)]
pub struct Standby {
    /// How it calls itself.
    pub name: String,
    /// `streaming`, if all is well.
    pub state: String,
    /// `sync`, `quorum`, `potential` or `async`.
    pub kind: String,
    /// The bytes that it has not written yet.
    pub behind_bytes: Option<i64>,
}

/// A process on the journal that was there a moment ago.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its version of orderd.
    pub version: String,
    /// The newest entry that its file includes.
    pub position: i64,
    /// The identifier of its signing keys.
    pub keys: String,
    /// Whether it does what only one may do.
    pub has_lease: bool,
}

/// The sizes and ends of the journal.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The newest entry.
    pub newest: i64,
    /// The entry that the snapshot includes.
    pub snapshot: i64,
    /// How long ago it was made.
    pub snapshot_age: Duration,
    /// The bytes on disk of the entries, and of the snapshot.
    pub bytes: (i64, i64),
}

/// What the server says about itself.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// Its version, in words.
    pub version: String,
    /// The major version.
    pub major: i32,
    /// Whether it takes writes.
    pub is_primary: bool,
    /// What it makes of a commit.
    pub promises: Promises,
    /// Its time.
    pub now: Timestamp,
}

impl Session {
    pub(in crate::store::journal) async fn promises(&self) -> Result<Promises, Fault> {
        let sql = "SELECT current_setting('fsync')::boolean, current_setting('full_page_writes')::boolean,
                          current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
        let row = self.row(sql).await?;
        Ok(Promises {
            fsync: row.get(0),
            full_page_writes: row.get(1),
            synchronous_commit: row.get(2),
            synchronous_standbys: row.get(3),
        })
    }

    pub(in crate::store::journal) async fn server(&self) -> Result<ServerState, Fault> {
        let sql = "SELECT current_setting('server_version'), current_setting('server_version_num')::integer / 10000,
                          NOT pg_is_in_recovery()";
        let row = self.row(sql).await?;
        Ok(ServerState {
            version: row.get(0),
            major: row.get(1),
            is_primary: row.get(2),
            promises: self.promises().await?,
            now: self.now().await?,
        })
    }

    /// The time of the server.
    pub(in crate::store::journal) async fn now(&self) -> Result<Timestamp, Fault> {
        self.row(super::NOW).await.map(|row| Timestamp::from_millis(row.get(0)))
    }

    pub(in crate::store::journal) async fn standbys(&self) -> Result<Vec<Standby>, Fault> {
        let sql = "SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''),
                          pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint
                   FROM pg_stat_replication ORDER BY application_name";
        let standby =
            |row: &Row| Standby { name: row.get(0), state: row.get(1), kind: row.get(2), behind_bytes: row.get(3) };
        self.rows(sql, &[]).await.map(|rows| rows.iter().map(standby).collect())
    }

    pub(in crate::store::journal) async fn extent(&self) -> Result<Extent, Fault> {
        let sql = "SELECT snapshot, greatest(extract(epoch FROM now() - made_at), 0)::bigint,
                          pg_total_relation_size('orderd.journal'), pg_total_relation_size('orderd.snapshot')
                   FROM orderd.turn";
        let row = self.row(sql).await?;
        Ok(Extent {
            newest: self.head().await?,
            snapshot: row.get(0),
            snapshot_age: Duration::from_secs(row.get::<_, i64>(1).unsigned_abs()),
            bytes: (row.get(2), row.get(3)),
        })
    }

    pub(in crate::store::journal) async fn processes(&self) -> Result<Vec<Process>, Fault> {
        let sql = "SELECT version, position, keys, coalesce(lease > now(), false) FROM orderd.member
                   WHERE seen > now() - interval '15 s' ORDER BY seen";
        let process =
            |row: &Row| Process { version: row.get(0), position: row.get(1), keys: row.get(2), has_lease: row.get(3) };
        self.rows(sql, &[]).await.map(|rows| rows.iter().map(process).collect())
    }

    async fn row(&self, sql: &str) -> Result<Row, Fault> {
        let missing = || Fault::Refused("a query that always has a row had none".to_owned());
        self.rows(sql, &[]).await?.into_iter().next().ok_or_else(missing)
    }
}
