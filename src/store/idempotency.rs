//! Idempotency keys: for each request that took effect, the key and the response.

use super::{
    ReadTx, WriteTx, events, personal,
    sql::{Columns, sql_int, store_error, violates},
};
use crate::{
    domain::{
        outcome::{Outcome, Resource},
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::params;

/// A request that took effect, and its response.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// The keyed digest of method, path and body.
    pub fingerprint: [u8; 32],
    /// The HTTP method.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// What the request did.
    pub outcome: Outcome,
    /// The version of the order in the body, if the body shows an order.
    pub version: Option<i64>,
    /// The body of the response.
    pub body: ResponseBody,
    /// The identifier of the request.
    pub request_id: String,
    /// When the request took effect.
    pub created_at: Timestamp,
}

/// Where the body of a response is stored.
#[derive(Clone, Debug)]
pub enum ResponseBody {
    /// It is the document of the event with this number.
    Event(i64),
    /// It is stored with the key, with `null` for the personal data in this row.
    Text(String, Option<i64>),
    /// There is none.
    Absent,
}

/// The response stored under `key` of `principal` at `since` or later.
pub fn find(tx: &ReadTx<'_>, principal: &[u8], key: &str, since: Timestamp) -> Result<Option<StoredResponse>> {
    let sql = "SELECT fingerprint, method, path, resource, outcome, version, event_seq, body, personal_seq, request_id,
                 created_at
               FROM idempotency_keys WHERE principal = ?1 AND key = ?2 AND created_at >= ?3";
    tx.row(sql, (principal, key, since.millis()), |row| {
        let mut columns = Columns::of(row);
        let (fingerprint, method, path) = (columns.take()?, columns.take()?, columns.take()?);
        let resource = columns.take::<Option<String>>()?.as_deref().and_then(Resource::parse);
        Ok(StoredResponse {
            fingerprint,
            method,
            path,
            outcome: columns.parsed(|name| Outcome::parse(name, resource))?,
            version: columns.take()?,
            body: match (columns.take::<Option<i64>>()?, columns.take::<Option<String>>()?, columns.take()?) {
                (Some(event), ..) => ResponseBody::Event(event),
                (None, Some(body), personal) => ResponseBody::Text(body, personal),
                (None, None, _) => ResponseBody::Absent,
            },
            request_id: columns.take()?,
            created_at: columns.instant()?,
        })
    })
}

/// The body of a response, as far as it is not erased.
pub fn body(tx: &ReadTx<'_>, body: ResponseBody) -> Result<Option<String>> {
    match body {
        ResponseBody::Event(seq) => events::data(tx, seq).map(Some),
        ResponseBody::Text(body, None) => Ok(Some(body)),
        ResponseBody::Text(body, Some(row)) => personal::merged_with(tx, &body, row).map(Some),
        ResponseBody::Absent => Ok(None),
    }
}

/// Stores the response of the request with `key`, in the transaction of its effect. An expired response is replaced.
pub fn insert(tx: &WriteTx<'_>, principal: &[u8], key: &str, response: &StoredResponse) -> Result<()> {
    let (event, body, personal) = match &response.body {
        ResponseBody::Event(seq) => (Some(*seq), None, None),
        ResponseBody::Text(body, personal) => (None, Some(body), *personal),
        ResponseBody::Absent => (None, None, None),
    };
    let insert = || {
        tx.try_execute(
            "INSERT INTO idempotency_keys
               (principal, key, fingerprint, method, path, resource, outcome, version, event_seq, body,
                personal_seq, request_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                principal,
                key,
                response.fingerprint,
                response.method,
                response.path,
                response.outcome.resource().map(|resource| resource.to_string()),
                response.outcome.name(),
                response.version,
                event,
                body,
                personal,
                response.request_id,
                response.created_at.millis(),
            ],
        )
    };
    // `INSERT OR REPLACE` would have SQLite copy the pages that each insert changes, and few keys are used again.
    let inserted = match insert() {
        Err(e) if violates(&e, "idempotency_keys.key") => {
            tx.execute("DELETE FROM idempotency_keys WHERE principal = ?1 AND key = ?2", (principal, key))?;
            insert()
        }
        outcome => outcome,
    };
    inserted.map(drop).map_err(store_error)
}

/// Deletes at most `limit` keys older than `before`, the oldest first, and returns how many.
pub fn prune(tx: &WriteTx<'_>, before: Timestamp, limit: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM idempotency_keys WHERE seq IN
           (SELECT seq FROM (SELECT seq, created_at FROM idempotency_keys ORDER BY seq LIMIT ?2) WHERE created_at < ?1)",
        (before.millis(), sql_int(limit)),
    )
}
