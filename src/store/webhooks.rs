//! Webhook endpoints. Their secrets are stored encrypted, and this module does not decrypt them.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob, before_id, sql_int},
};
use crate::{
    domain::{
        event::EventType,
        id::WebhookId,
        time::Timestamp,
        webhook::{DisabledReason, WebhookStatus},
    },
    error::{Error, Result},
};
use rusqlite::{Row, named_params};

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The endpoint's identifier.
    pub id: WebhookId,
    /// Where events are sent.
    pub url: String,
    /// The types that are sent; `None` for all.
    pub events: Option<Vec<EventType>>,
    /// A note for people.
    pub description: Option<String>,
    /// Whether events are sent.
    pub status: WebhookStatus,
    /// Why the server has disabled it.
    pub disabled_reason: Option<DisabledReason>,
    /// The encrypted secret.
    pub secret: Vec<u8>,
    /// The encrypted secret before the last rotation, and how long it signs.
    pub previous_secret: Option<(Vec<u8>, Timestamp)>,
    /// The events up to this number are done, or rows of `deliveries`.
    pub cursor: i64,
    /// The last event when the endpoint was disabled.
    pub paused_at: Option<i64>,
    /// The events after the first number of each pair and up to the second are passed over.
    pub gaps: Vec<(i64, i64)>,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// Whether events are sent.
    pub fn is_active(&self) -> bool {
        self.status == WebhookStatus::Active
    }

    /// Whether events of this type are sent.
    pub fn wants(&self, kind: EventType) -> bool {
        self.events.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Whether the event with this number happened while the endpoint was disabled.
    pub fn passes_over(&self, seq: i64) -> bool {
        self.gaps.iter().any(|&(from, to)| seq > from && seq <= to)
    }
}

const COLUMNS: &str = "id, url, events, description, status, disabled_reason, secret, previous_secret, previous_until,
     cursor, paused_at, gaps, failing_since, created_at, updated_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let mut columns = Columns::of(row);
    Ok(Webhook {
        id: columns.id()?,
        url: columns.take()?,
        events: columns.parsed_or_none(parse_events)?,
        description: columns.take()?,
        status: columns.parsed(WebhookStatus::parse)?,
        disabled_reason: columns.parsed_or_none(DisabledReason::parse)?,
        secret: columns.take()?,
        previous_secret: columns.take::<Option<Vec<u8>>>()?.zip(columns.instant_or_none()?),
        cursor: columns.take()?,
        paused_at: columns.take()?,
        gaps: columns.parsed(|text| serde_json::from_str(text).ok())?,
        failing_since: columns.instant_or_none()?,
        created_at: columns.instant()?,
        updated_at: columns.instant()?,
    })
}

fn parse_events(text: &str) -> Option<Vec<EventType>> {
    text.split_whitespace().map(EventType::parse).collect()
}

/// Inserts an endpoint, or replaces the one with its identifier.
pub fn put(tx: &WriteTx<'_>, webhook: &Webhook) -> Result<()> {
    let events =
        webhook.events.as_ref().map(|kinds| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" "));
    let previous = webhook.previous_secret.as_ref();
    tx.execute(
        "INSERT INTO webhooks (id, url, events, description, status, disabled_reason, secret, previous_secret,
           previous_until, cursor, paused_at, gaps, failing_since, created_at, updated_at)
         VALUES (:id, :url, :events, :description, :status, :disabled_reason, :secret, :previous_secret,
           :previous_until, :cursor, :paused_at, :gaps, :failing_since, :created_at, :updated_at)
         ON CONFLICT (id) DO UPDATE SET url = :url, events = :events, description = :description, status = :status,
           disabled_reason = :disabled_reason, secret = :secret, previous_secret = :previous_secret,
           previous_until = :previous_until, cursor = :cursor, paused_at = :paused_at, gaps = :gaps,
           failing_since = :failing_since, updated_at = :updated_at",
        named_params! {
            ":id": IdBlob(webhook.id), ":url": webhook.url, ":events": events, ":description": webhook.description,
            ":status": webhook.status.name(), ":disabled_reason": webhook.disabled_reason.map(DisabledReason::name),
            ":secret": webhook.secret, ":previous_secret": previous.map(|(secret, _)| secret),
            ":previous_until": previous.map(|(_, until)| until.millis()), ":cursor": webhook.cursor,
            ":paused_at": webhook.paused_at, ":gaps": serde_json::to_string(&webhook.gaps).map_err(Error::internal)?,
            ":failing_since": webhook.failing_since.map(Timestamp::millis),
            ":created_at": webhook.created_at.millis(), ":updated_at": webhook.updated_at.millis(),
        },
    )
    .map(drop)
}

/// The number of the last event, the one of this transaction included.
pub fn last_event(tx: &WriteTx<'_>) -> i64 {
    tx.with_counters(|counters| counters.event)
}

/// Every endpoint, oldest first.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Webhook>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM webhooks ORDER BY id"), [], read)
}

/// The endpoint with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: WebhookId) -> Result<Option<Webhook>> {
    tx.row(&format!("SELECT {COLUMNS} FROM webhooks WHERE id = ?1"), [IdBlob(id)], read)
}

/// The endpoints before `before`, newest first.
pub fn page(tx: &ReadTx<'_>, before: Option<WebhookId>, limit: usize) -> Result<Vec<Webhook>> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    tx.rows(&sql, (before_id(before), sql_int(limit)), read)
}

/// The number of endpoints.
pub fn count(tx: &ReadTx<'_>) -> Result<i64> {
    tx.row("SELECT count(*) FROM webhooks", [], |row| row.get(0)).map(Option::unwrap_or_default)
}

/// Deletes an endpoint that has no deliveries any more.
pub fn delete(tx: &WriteTx<'_>, id: WebhookId) -> Result<()> {
    tx.execute("DELETE FROM webhooks WHERE id = ?1", [IdBlob(id)]).map(drop)
}
