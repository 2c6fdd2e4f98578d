//! Sessions with PostgreSQL, and every statement that it is sent. Nothing is prepared and nothing is set beyond a
//! transaction, so that a pooler may stand between.

mod members;
mod replacing;
mod server;

pub(super) use members::Member;
pub use server::{Extent, OLDEST_VERSION, Process, Promises, ServerState, Standby};

use super::entry::Digest;
use futures_util::future::{join, join_all, try_join4};
use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use tokio_postgres::{
    Client, Row,
    error::SqlState,
    types::{ToSql, Type},
};

/// Makes a session: connects to the server that takes writes, within a time limit. The flag is set when the server
/// warns that a commit may be on one machine only.
pub type Connect = Arc<dyn Fn(Arc<AtomicBool>) -> Connecting + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<Client, String>> + Send>>;

/// The version of the tables and of the form of entries.
pub(super) const FORMAT: i32 = 1;
/// The most entries that are fetched at once.
const FETCHED: i64 = 256;
/// How long an answer may take. Waiting for the turn has its own limit, and an append is given up by nobody but the
/// server.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the answer to an append may take before the session counts as lost. The append itself is not cancelled.
const APPEND_PATIENCE: Duration = Duration::from_secs(15);
/// A transaction that does nothing for 4 s is ended by the server, so that a process that is cut off does not keep its
/// turn. Changes at the others wait for half of `server.request_timeout`, which is longer.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '4s'; SET LOCAL lock_timeout = '10s'";

/// Why PostgreSQL has not done what it was asked for.
#[derive(Debug)]
pub(super) enum Fault {
    /// It cannot be reached, or the answer was lost: whether it has done it is unknown.
    Lost(String),
    /// Its disk is full. It has done nothing.
    Full(String),
    /// It has done nothing, and may do the same a moment later: a deadlock, a lock that was not free, another's entry.
    Again(String),
    /// It has refused, and done nothing.
    Refused(String),
    /// The journal lacks what the file has.
    Diverged(String),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(e: tokio_postgres::Error) -> Self {
        let Some(refused) = e.as_db_error() else { return Self::Lost(e.to_string()) };
        // Its detail may show the values of a row.
        let text = format!("{} (SQLSTATE {})", refused.message(), refused.code().code());
        match refused.code().code() {
            // Connection, operator intervention: the session ends, perhaps in the middle of a commit.
            code if code.starts_with("08") || code.starts_with("57") => Self::Lost(text),
            code if code.starts_with("40") || ["23505", "25P03", "55P03"].contains(&code) => Self::Again(text),
            _ if *refused.code() == SqlState::DISK_FULL => Self::Full(text),
            _ => Self::Refused(text),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(e) | Self::Full(e) | Self::Again(e) | Self::Refused(e) | Self::Diverged(e) => f.write_str(e),
        }
    }
}

/// A row of the table `turn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which journal this is.
    pub(super) id: [u8; 16],
    pub(super) snapshot: i64,
    pub(super) parts: i64,
    pub(super) digest: Digest,
    /// The entry with which a backup took the place of all before it; 0 if none has.
    pub(super) restored: i64,
}

/// An entry as it is stored.
pub(in crate::store) struct Stored {
    pub(super) seq: i64,
    pub(super) body: Vec<u8>,
}

/// Entries in their order, and whether there may be more.
pub(in crate::store) struct Page {
    pub(in crate::store) entries: Vec<Stored>,
    pub(in crate::store) may_go_on: bool,
    /// The time of the server when the turn was taken, in milliseconds since the epoch.
    pub(super) taken_at: Option<i64>,
}

/// How safe an entry is that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Vouched {
    /// As safe as the server is set up to make it.
    Yes,
    /// The wait for a standby was cut short: it may be on one machine only.
    No,
}

pub(super) struct Session {
    client: Client,
    warned: Arc<AtomicBool>,
}

async fn limited<T>(limit: Duration, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, asked).await.unwrap_or_else(|_| Err(Fault::Lost("no answer".to_owned())))
}

impl Session {
    pub(super) async fn connect(connect: &Connect) -> Result<Self, Fault> {
        let warned = Arc::<AtomicBool>::default();
        let client = connect(Arc::clone(&warned)).await.map_err(Fault::Lost)?;
        Ok(Self { client, warned })
    }

    async fn rows(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Fault> {
        limited(PATIENCE, async { Ok(self.client.query_typed(sql, params).await?) }).await
    }

    async fn batch(&self, sql: &str) -> Result<(), Fault> {
        limited(PATIENCE, async { Ok(self.client.batch_execute(sql).await?) }).await
    }

    /// Whether the tables are there.
    pub(super) async fn has_tables(&self) -> Result<bool, Fault> {
        // The schema may be there already: it is also the default of `orderd mirror`.
        let sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'orderd' AND tablename = 'turn'";
        self.rows(sql, &[]).await.map(|rows| !rows.is_empty())
    }

    /// Creates the tables if there are none.
    pub(super) async fn prepare(&self) -> Result<(), Fault> {
        if !self.has_tables().await? {
            let create =
                format!("BEGIN; SELECT pg_advisory_xact_lock(7164521); {}; COMMIT", include_str!("schema.sql"));
            match self.batch(&create).await {
                Err(Fault::Refused(why)) => {
                    self.batch("ROLLBACK").await?;
                    // Another process may have been quicker.
                    if !self.has_tables().await? {
                        return Err(Fault::Refused(why));
                    }
                }
                created => created?,
            }
        }
        Ok(())
    }

    /// What the journal began with, or its newest snapshot; none if it is empty.
    pub(super) async fn origin(&self) -> Result<Option<Origin>, Fault> {
        let rows = self.rows("SELECT format, id, snapshot, parts, digest, restored FROM orderd.turn", &[]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let format: i32 = row.get(0);
        if format != FORMAT {
            return Err(Fault::Refused(format!("the journal has format {format}, and this program {FORMAT}")));
        }
        let (id, digest) = (row.get::<_, &[u8]>(1).try_into(), row.get::<_, &[u8]>(4).try_into());
        let (Ok(id), Ok(digest)) = (id, digest) else {
            return Err(Fault::Refused("the journal is damaged".to_owned()));
        };
        Ok(Some(Origin { id, snapshot: row.get(2), parts: row.get(3), digest, restored: row.get(5) }))
    }

    /// Waits for the turn to append, and fetches the entries after number `after`.
    pub(super) async fn turn(&self, after: i64) -> Result<Page, Fault> {
        let turn = async {
            // The clock is asked after the lock is there.
            let ((), locked, newer, now) = try_join4(
                self.client.batch_execute(BEGIN),
                self.client.query_typed("SELECT format FROM orderd.turn FOR UPDATE", &[]),
                self.client.query_typed(AFTER, &[(&after, Type::INT8), (&FETCHED, Type::INT8)]),
                self.client.query_typed(NOW, &[]),
            )
            .await?;
            match locked.first().map(|row| row.get::<_, i32>(0)) {
                Some(FORMAT) => Ok(Page { taken_at: now.first().map(|row| row.get(0)), ..page(&newer) }),
                format => Err(Fault::Refused(format!("the journal has format {format:?}, and this program {FORMAT}"))),
            }
        };
        limited(APPEND_PATIENCE, turn).await
    }

    /// The entries after number `after`.
    pub(super) async fn after(&self, after: i64) -> Result<Page, Fault> {
        self.rows(AFTER, &[(&after, Type::INT8), (&FETCHED, Type::INT8)]).await.map(|rows| page(&rows))
    }

    /// The entry with this number.
    pub(super) async fn entry(&self, seq: i64) -> Result<Option<Vec<u8>>, Fault> {
        let rows = self.rows("SELECT body FROM orderd.journal WHERE seq = $1", &[(&seq, Type::INT8)]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// The number of the newest entry.
    pub(super) async fn head(&self) -> Result<i64, Fault> {
        let sql = "SELECT greatest((SELECT max(seq) FROM orderd.journal), (SELECT snapshot FROM orderd.turn))";
        let rows = self.rows(sql, &[]).await?;
        let head = rows.first().and_then(|row| row.get::<_, Option<i64>>(0));
        head.ok_or_else(|| Fault::Refused("the journal is empty".to_owned()))
    }

    /// The texts of all statements.
    pub(super) async fn texts(&self) -> Result<HashMap<Digest, String>, Fault> {
        let rows = self.rows("SELECT digest, sql FROM orderd.text", &[]).await?;
        let text = |row: &Row| Some((row.get::<_, &[u8]>(0).try_into().ok()?, row.get(1)));
        Ok(rows.iter().filter_map(text).collect())
    }

    /// Appends an entry in the transaction that has the turn, with the texts that are not there yet, and commits.
    ///
    /// # Errors
    /// After [`Fault::Lost`], it is unknown whether the entry was appended; after others it was not.
    pub(super) async fn append(&self, entry: &Stored, texts: &[(Digest, String)]) -> Result<Vouched, Fault> {
        self.warned.store(false, Ordering::Release);
        let put_text = "INSERT INTO orderd.text (digest, sql) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let puts: Vec<_> = texts.iter().map(|(digest, sql)| (digest.as_slice(), sql)).collect();
        let puts: Vec<[(&(dyn ToSql + Sync), Type); 2]> = puts
            .iter()
            .map(|(digest, sql)| -> [(&(dyn ToSql + Sync), Type); 2] { [(digest, Type::BYTEA), (*sql, Type::TEXT)] })
            .collect();
        let texts = join_all(puts.iter().map(|params| self.client.execute_typed(put_text, params)));
        let params: [(&(dyn ToSql + Sync), Type); 2] = [(&entry.seq, Type::INT8), (&entry.body, Type::BYTEA)];
        let insert = self.client.execute_typed("INSERT INTO orderd.journal (seq, body) VALUES ($1, $2)", &params);
        let sent = async {
            // All of it is sent at once. After a statement that fails, the commit rolls back.
            let (texts, (inserted, committed)) = join(texts, join(insert, self.client.batch_execute("COMMIT"))).await;
            for put in texts {
                put?;
            }
            inserted?;
            // A commit that was answered with an error may still have happened.
            committed.map_err(|e| Fault::Lost(e.to_string()))?;
            Ok(self.vouched())
        };
        limited(APPEND_PATIENCE, sent).await
    }

    /// Ends the transaction that has the turn, without an entry, by a commit. The lock on the turn is reason enough for
    /// the server to make it as safe as any other commit, and with it all entries before it: after a crash of the
    /// server, or when a wait for a standby was cut short, an entry is there that no standby may have.
    pub(super) async fn vouch(&self) -> Result<Vouched, Fault> {
        self.warned.store(false, Ordering::Release);
        limited(APPEND_PATIENCE, async { Ok(self.client.batch_execute("COMMIT").await?) }).await?;
        Ok(self.vouched())
    }

    fn vouched(&self) -> Vouched {
        if self.warned.load(Ordering::Acquire) { Vouched::No } else { Vouched::Yes }
    }

    /// Ends the transaction that has the turn, in which nothing was done.
    pub(super) async fn release(&self) -> Result<(), Fault> {
        self.batch("ROLLBACK").await
    }

    /// Begins a journal with a snapshot, whose parts follow. False if another process was quicker.
    pub(super) async fn begin_journal(&self, origin: &Origin) -> Result<bool, Fault> {
        self.batch("BEGIN").await?;
        let sql = "INSERT INTO orderd.turn (id, format, snapshot, parts, digest) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT DO NOTHING";
        let (id, digest) = (origin.id.as_slice(), origin.digest.as_slice());
        let params: [(&(dyn ToSql + Sync), Type); 5] = [
            (&id, Type::BYTEA),
            (&FORMAT, Type::INT4),
            (&origin.snapshot, Type::INT8),
            (&origin.parts, Type::INT8),
            (&digest, Type::BYTEA),
        ];
        if limited(APPEND_PATIENCE, async { Ok(self.client.execute_typed(sql, &params).await?) }).await? == 0 {
            self.batch("ROLLBACK").await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Begins a transaction in which all reads see the same state of the journal.
    pub(super) async fn begin_reading(&self) -> Result<(), Fault> {
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// Commits the transaction that was begun.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        self.batch("COMMIT").await
    }

    /// The bytes of the entries after number `seq`.
    pub(super) async fn weight_after(&self, seq: i64) -> Result<i64, Fault> {
        let sql = "SELECT coalesce(sum(length(body)), 0)::bigint FROM orderd.journal WHERE seq > $1";
        let rows = self.rows(sql, &[(&seq, Type::INT8)]).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Begins to replace the snapshot.
    pub(super) async fn begin_snapshot(&self) -> Result<(), Fault> {
        self.batch("BEGIN").await
    }

    /// Puts one part of a snapshot.
    pub(super) async fn put_part(&self, snapshot: i64, part: i64, body: &[u8]) -> Result<(), Fault> {
        let sql = "INSERT INTO orderd.snapshot (seq, part, body) VALUES ($1, $2, $3)";
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&snapshot, Type::INT8), (&part, Type::INT8), (&body, Type::BYTEA)];
        limited(APPEND_PATIENCE, async { Ok(self.client.execute_typed(sql, &params).await?) }).await.map(drop)
    }

    /// Declares a snapshot the newest one. Deletes the other snapshots, and the entries that are both in it and older
    /// than a day.
    pub(super) async fn end_snapshot(&self, origin: &Origin) -> Result<(), Fault> {
        let digest = origin.digest.as_slice();
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&origin.snapshot, Type::INT8), (&origin.parts, Type::INT8), (&digest, Type::BYTEA)];
        let newest =
            "UPDATE orderd.turn SET snapshot = $1, parts = $2, digest = $3, made_at = now() WHERE snapshot < $1";
        let updated = limited(APPEND_PATIENCE, async { Ok(self.client.execute_typed(newest, &params).await?) }).await?;
        if updated != 1 {
            return Err(Fault::Again("another snapshot is newer".to_owned()));
        }
        let old = "DELETE FROM orderd.snapshot WHERE seq < $1";
        self.rows(old, &[(&origin.snapshot, Type::INT8)]).await?;
        let old = "DELETE FROM orderd.journal WHERE seq < $1 AND at < now() - interval '24 hours'";
        self.rows(old, &[(&origin.snapshot, Type::INT8)]).await?;
        self.batch("COMMIT").await
    }

    /// One part of a snapshot.
    pub(super) async fn part(&self, snapshot: i64, part: i64) -> Result<Option<Vec<u8>>, Fault> {
        let sql = "SELECT body FROM orderd.snapshot WHERE seq = $1 AND part = $2";
        let rows = self.rows(sql, &[(&snapshot, Type::INT8), (&part, Type::INT8)]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const AFTER: &str = "SELECT seq, body FROM orderd.journal WHERE seq > $1 ORDER BY seq LIMIT $2";

fn page(rows: &[Row]) -> Page {
    let entries = rows.iter().map(|row| Stored { seq: row.get(0), body: row.get(1) }).collect();
    Page { entries, may_go_on: i64::try_from(rows.len()).is_ok_and(|count| count == FETCHED), taken_at: None }
}
