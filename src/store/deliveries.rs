//! Deliveries to webhook endpoints, as far as they have been tried or are to be tried at a certain time.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob, sql_int},
};
use crate::{
    domain::{
        id::{DeliveryId, EventId, WebhookId},
        time::Timestamp,
        webhook::DeliveryStatus,
    },
    error::Result,
};
use rusqlite::{Row, params};

/// A delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its row.
    pub seq: i64,
    /// The delivery's identifier.
    pub id: DeliveryId,
    /// The endpoint.
    pub webhook: WebhookId,
    /// The number of the event; `None` for a ping.
    pub event_seq: Option<i64>,
    /// The identifier of the event, or of the ping.
    pub event_id: EventId,
    /// The type of the event, or `ping`.
    pub kind: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// The attempts: a JSON array.
    pub attempts: String,
    /// The number of attempts by the schedule.
    pub tried: usize,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// The time of the first attempt, or of the request for it.
    pub created_at: Timestamp,
}

const COLUMNS: &str =
    "seq, id, webhook_id, event_seq, event_id, type, status, attempts, tried, next_attempt_at, created_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let mut columns = Columns::of(row);
    Ok(Delivery {
        seq: columns.take()?,
        id: columns.id()?,
        webhook: columns.id()?,
        event_seq: columns.take()?,
        event_id: columns.id()?,
        kind: columns.take()?,
        status: columns.parsed(DeliveryStatus::parse)?,
        attempts: columns.take()?,
        tried: columns.take::<i64>()?.try_into().unwrap_or_default(),
        next_attempt_at: columns.instant_or_none()?,
        created_at: columns.instant()?,
    })
}

/// Inserts a delivery; its row is chosen here.
pub fn insert(tx: &WriteTx<'_>, delivery: &Delivery) -> Result<()> {
    tx.execute(
        "INSERT INTO deliveries (id, webhook_id, event_seq, event_id, type, status, attempts, tried, next_attempt_at,
           created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            IdBlob(delivery.id),
            IdBlob(delivery.webhook),
            delivery.event_seq,
            IdBlob(delivery.event_id),
            delivery.kind,
            delivery.status.name(),
            delivery.attempts,
            sql_int(delivery.tried),
            delivery.next_attempt_at.map(Timestamp::millis),
            delivery.created_at.millis(),
        ],
    )
    .map(drop)
}

/// Stores how far a delivery has come.
pub fn update(tx: &WriteTx<'_>, delivery: &Delivery) -> Result<()> {
    tx.execute(
        "UPDATE deliveries SET status = ?2, attempts = ?3, tried = ?4, next_attempt_at = ?5 WHERE seq = ?1",
        params![
            delivery.seq,
            delivery.status.name(),
            delivery.attempts,
            sql_int(delivery.tried),
            delivery.next_attempt_at.map(Timestamp::millis),
        ],
    )
    .map(drop)
}

/// The delivery with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: DeliveryId) -> Result<Option<Delivery>> {
    tx.row(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1"), [IdBlob(id)], read)
}

/// The deliveries to an endpoint before row `before`, newest first; those with `status` alone if there is one.
pub fn page(
    tx: &ReadTx<'_>,
    webhook: WebhookId,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Delivery>> {
    let before = before.unwrap_or(i64::MAX);
    let (id, limit) = (IdBlob(webhook), sql_int(limit));
    match status {
        None => {
            let range = "webhook_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
            tx.rows(&format!("SELECT {COLUMNS} FROM deliveries WHERE {range}"), (id, before, limit), read)
        }
        Some(status) => {
            let range = "webhook_id = ?1 AND status = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4";
            let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE {range}");
            tx.rows(&sql, (id, status.name(), before, limit), read)
        }
    }
}

/// The number of deliveries to an endpoint; of those with `status` alone if there is one.
pub fn count(tx: &ReadTx<'_>, webhook: WebhookId, status: Option<DeliveryStatus>) -> Result<i64> {
    let count = |row: &Row<'_>| row.get(0);
    let found = match status {
        None => tx.row("SELECT count(*) FROM deliveries WHERE webhook_id = ?1", [IdBlob(webhook)], count),
        Some(status) => {
            let sql = "SELECT count(*) FROM deliveries WHERE webhook_id = ?1 AND status = ?2";
            tx.row(sql, (IdBlob(webhook), status.name()), count)
        }
    };
    found.map(Option::unwrap_or_default)
}

/// What is to be tried again at an endpoint, the earliest first, whether it is due or not.
pub fn pending(tx: &ReadTx<'_>, webhook: WebhookId, limit: usize) -> Result<Vec<Delivery>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM deliveries WHERE webhook_id = ?1 AND next_attempt_at IS NOT NULL
         ORDER BY next_attempt_at, seq LIMIT ?2"
    );
    tx.rows(&sql, (IdBlob(webhook), sql_int(limit)), read)
}

/// How much is to be tried again at an endpoint, and the time of the oldest of it.
pub fn backlog(tx: &ReadTx<'_>, webhook: WebhookId) -> Result<(i64, Option<Timestamp>)> {
    let count = "SELECT count(*) FROM deliveries WHERE webhook_id = ?1 AND next_attempt_at IS NOT NULL";
    let count = tx.row(count, [IdBlob(webhook)], |row| row.get(0))?.unwrap_or_default();
    let oldest = "SELECT created_at FROM deliveries WHERE webhook_id = ?1 AND status = 'pending' ORDER BY seq LIMIT 1";
    Ok((count, tx.row(oldest, [IdBlob(webhook)], |row| row.get(0).map(Timestamp::from_millis))?))
}

/// Deletes at most `limit` deliveries older than `before`, the oldest first, and returns how many.
pub fn prune(tx: &WriteTx<'_>, before: Timestamp, limit: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM deliveries WHERE seq IN
           (SELECT seq FROM (SELECT seq, created_at FROM deliveries ORDER BY seq LIMIT ?2) WHERE created_at < ?1)",
        (before.millis(), sql_int(limit)),
    )
}

/// Deletes at most `limit` deliveries to an endpoint, and returns how many.
pub fn delete_some(tx: &WriteTx<'_>, webhook: WebhookId, limit: usize) -> Result<usize> {
    let sql =
        "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries WHERE webhook_id = ?1 ORDER BY seq LIMIT ?2)";
    tx.execute(sql, (IdBlob(webhook), sql_int(limit)))
}
