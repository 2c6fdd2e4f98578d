//! Keys of requests that took effect, and what was answered.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, rows},
};
use crate::{domain::time::Timestamp, error::Result};
use rusqlite::params;

/// A request that took effect.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// HTTP method.
    pub method: String,
    /// Path as it was requested.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// `Location` of the answer.
    pub location: Option<String>,
    /// `ETag` of the answer: the order's version.
    pub etag: Option<i64>,
    /// Where the answer's body is.
    pub answer: Answer,
    /// The request that took effect.
    pub request_id: String,
    /// When it did.
    pub created_at: Timestamp,
}

/// Where the body of an answer is kept.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is the data of this event.
    Event(i64),
    /// Here.
    Body(String),
}

/// What became of `key` of `principal`, if it took effect at `since` or later.
pub fn find(tx: &ReadTx<'_>, principal: &[u8], key: &str, since: Timestamp) -> Result<Option<StoredResponse>> {
    let sql = "SELECT fingerprint, method, path, status, location, etag, event_seq, body, request_id, created_at
               FROM idempotency_keys WHERE principal = ?1 AND key = ?2 AND created_at >= ?3";
    tx.row(sql, (principal, key, since.millis()), |row| {
        let mut columns = Columns::of(row);
        Ok(StoredResponse {
            fingerprint: columns.take()?,
            method: columns.take()?,
            path: columns.take()?,
            status: columns.take()?,
            location: columns.take()?,
            etag: columns.take()?,
            answer: match (columns.take::<Option<i64>>()?, columns.take::<Option<String>>()?) {
                (Some(event), _) => Answer::Event(event),
                (None, body) => Answer::Body(body.unwrap_or_default()),
            },
            request_id: columns.take()?,
            created_at: columns.instant()?,
        })
    })
}

/// Keeps what became of `key`, in the transaction of its effect, in the place of what was too old to be found.
pub fn settle(tx: &WriteTx<'_>, principal: &[u8], key: &str, settled: &StoredResponse) -> Result<()> {
    let (event, body) = match &settled.answer {
        Answer::Event(seq) => (Some(*seq), None),
        Answer::Body(body) => (None, Some(body)),
    };
    tx.execute(
        "INSERT OR REPLACE INTO idempotency_keys
           (principal, key, fingerprint, method, path, status, location, etag, event_seq, body, request_id, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            principal,
            key,
            settled.fingerprint,
            settled.method,
            settled.path,
            settled.status,
            settled.location,
            settled.etag,
            event,
            body,
            settled.request_id,
            settled.created_at.millis(),
        ],
    )
    .map(drop)
}

/// Forgets at most `most` keys older than `before`, the oldest first, and says how many.
pub fn prune(tx: &WriteTx<'_>, before: Timestamp, most: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM idempotency_keys WHERE seq IN
           (SELECT seq FROM (SELECT seq, created_at FROM idempotency_keys ORDER BY seq LIMIT ?2) WHERE created_at < ?1)",
        (before.millis(), rows(most)),
    )
}
