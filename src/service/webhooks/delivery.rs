//! Making deliveries: the signed message, one attempt, and what is recorded of it.

use super::{announce, secrets, status};
use crate::{
    app::{App, recent_events::FeedEvent},
    auth::{Actor, WebhookSecret},
    domain::{
        id::{EventId, WebhookId},
        time::Timestamp,
        url::Url,
        webhook::{
            AttemptOutcome, DeliveryStatus, DisabledReason, Next, PING, WebhookStatus, after_attempt, failing_since,
        },
    },
    error::Result,
    outbound::{Client, Limits, OutboundError, Response},
    service::{audit, events, views::AttemptView},
    store::{
        WriteTx,
        deliveries::{self, Delivery},
        webhooks::{self, Webhook},
    },
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The bounds of one attempt.
const LIMITS: Limits = Limits { time: Duration::from_secs(10), body_bytes: 64 * 1024 };
/// The most attempts of a delivery that are kept.
const MOST_ATTEMPTS: usize = 20;

/// What an attempt delivers.
#[derive(Clone)]
pub enum Subject {
    /// An event, for the first time.
    Event(Arc<FeedEvent>),
    /// What was tried before or asked for.
    Again(Delivery),
}

/// An attempt that has ended.
#[derive(Clone)]
pub struct DeliveryAttempt {
    /// What was delivered.
    pub subject: Subject,
    outcome: AttemptOutcome,
    ended_at: Timestamp,
    shown: AttemptView,
}

impl DeliveryAttempt {
    /// Whether it failed, or was made for a delivery that was waiting.
    pub fn may_be_tried_again(&self) -> bool {
        self.outcome != AttemptOutcome::Accepted || matches!(self.subject, Subject::Again(_))
    }
}

/// Attempts to record together.
#[derive(Clone, Default)]
pub struct Batch {
    /// The attempts, in the order in which they ended.
    pub attempts: Vec<DeliveryAttempt>,
    /// The endpoint's cursor before, and after these attempts are recorded.
    pub cursor: Option<(i64, i64)>,
}

/// Every endpoint.
pub async fn endpoints(app: &App) -> Result<Vec<Webhook>> {
    app.store.read("webhooks.load", webhooks::all).await
}

/// The endpoint as it is now, if it exists and is active.
pub async fn endpoint(app: &App, id: WebhookId) -> Result<Option<Webhook>> {
    let found = app.store.read("webhooks.load", |tx| webhooks::by_id(tx, id)).await?;
    Ok(found.filter(|webhook| webhook.status == WebhookStatus::Active))
}

/// What is to be tried again at an endpoint, the earliest first.
pub async fn pending(app: &App, id: WebhookId, limit: usize) -> Result<Vec<Delivery>> {
    app.store.read("webhooks.pending", |tx| deliveries::pending(tx, id, limit)).await
}

/// A signed message.
struct Message {
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
}

/// Delivers `subject` to the endpoint, once.
pub async fn attempt(app: &App, client: &Client, webhook: &Webhook, subject: Subject) -> DeliveryAttempt {
    let (at, begun) = (app.clock.now(), Instant::now());
    let ended = match message(app, webhook, &subject, at).await {
        Ok(message) => send(client, webhook, message, at).await,
        Err(error) => Ended { status: None, outcome: AttemptOutcome::Failed { wait: None }, error: Some(error) },
    };
    let shown = AttemptView {
        at: at.to_string(),
        status_code: ended.status,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        error: ended.error,
    };
    DeliveryAttempt { subject, outcome: ended.outcome, ended_at: app.clock.now(), shown }
}

async fn message(app: &App, webhook: &Webhook, subject: &Subject, at: Timestamp) -> Result<Message, String> {
    let secrets = secrets::open(app, webhook, at);
    let secrets = secrets.ok_or("the secret cannot be read with the present key file: rotate the secret")?;
    let (event_id, body) = match subject {
        Subject::Event(event) => {
            let event = events::current(app, event).await.map_err(|_| "the event cannot be read")?;
            (event.id, body(event.kind.name(), event.occurred_at, &event.document))
        }
        Subject::Again(delivery) => match delivery.event_seq {
            None => {
                let data = json!({"webhook_id": webhook.id.to_string()});
                (delivery.event_id, body(PING, delivery.created_at, &data.to_string()))
            }
            Some(seq) => {
                let event = events::one(app, seq).await.ok().flatten().ok_or("the event cannot be read")?;
                (event.id, body(event.kind.name(), event.occurred_at, &event.document))
            }
        },
    };
    Ok(signed(&secrets, event_id, webhook.id, at, body))
}

fn body(kind: &str, at: Timestamp, data: &str) -> String {
    format!(r#"{{"type":"{kind}","timestamp":"{at}","data":{data}}}"#)
}

fn signed(secrets: &[WebhookSecret], event: EventId, webhook: WebhookId, at: Timestamp, body: String) -> Message {
    let (id, body) = (format!("{event}-{webhook}"), body.into_bytes());
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(&id, at.seconds(), &body)).collect();
    Message { id, timestamp: at.seconds().to_string(), signatures: signatures.join(" "), body }
}

/// How a request ended.
struct Ended {
    status: Option<u16>,
    outcome: AttemptOutcome,
    error: Option<String>,
}

async fn send(client: &Client, webhook: &Webhook, message: Message, now: Timestamp) -> Ended {
    let Ok(url) = Url::parse(&webhook.url) else {
        let outcome = AttemptOutcome::Failed { wait: None };
        return Ended { status: None, outcome, error: Some("the URL is not valid".to_owned()) };
    };
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", message.id.as_str()),
        ("webhook-timestamp", &message.timestamp),
        ("webhook-signature", &message.signatures),
    ];
    match client.post(&url, &headers, message.body, LIMITS).await {
        Ok(response) => answered(response.status, wait(&response, now)),
        // It was answered; what the answer says is of no interest.
        Err(OutboundError::Incomplete { response, .. }) => answered(response.status, wait(&response, now)),
        Err(error) => {
            tracing::debug!(webhook.id = %webhook.id, error.cause = %error, "webhook not delivered: {error}");
            let outcome = AttemptOutcome::Failed { wait: None };
            Ended { status: None, outcome, error: Some(reason(&error).to_owned()) }
        }
    }
}

fn answered(status: u16, wait: Option<Duration>) -> Ended {
    let (outcome, error) = match status {
        200..=299 => (AttemptOutcome::Accepted, None),
        300..=399 => (
            AttemptOutcome::Failed { wait },
            Some(format!("the receiver answered {status}: redirects are not followed")),
        ),
        410 => (AttemptOutcome::Gone, Some("the receiver answered 410: the endpoint was disabled".to_owned())),
        _ => (AttemptOutcome::Failed { wait }, Some(format!("the receiver answered {status}"))),
    };
    Ended { status: Some(status), outcome, error }
}

/// How long the receiver asks to wait (RFC 9110, section 10.2.3).
fn wait(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let millis = Timestamp::parse_http(text)?.millis() - now.millis();
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// The reason without addresses: those of the operator's network are nobody else's business.
fn reason(error: &OutboundError) -> &'static str {
    match error {
        OutboundError::Request(_) => "the request cannot be made",
        OutboundError::Resolve(_) => "the host name cannot be resolved",
        OutboundError::RefusedAddress(_) => "the host has an address that is not public",
        OutboundError::Connect(..) | OutboundError::Socket(..) => "the connection was refused or failed",
        OutboundError::Roots(_) => "the root certificates of the server cannot be read",
        OutboundError::Tls(_) => "the TLS handshake failed: the certificate must be valid for the host",
        OutboundError::Timeout => "no complete answer within 10 seconds",
        OutboundError::Proxy(_) => "the proxy of this server did not connect to the host",
        OutboundError::Incomplete { .. } | OutboundError::Protocol(_) => "the answer was not valid HTTP or was cut off",
    }
}

/// Records attempts and moves the endpoint's cursor, all in one transaction. Returns the endpoint as it is then, if it
/// still exists.
pub async fn record(app: &App, id: WebhookId, batch: Arc<Batch>) -> Result<Option<Webhook>> {
    let shared = app.clone();
    app.store
        .write("webhooks.record", move |tx| {
            let Some(before) = webhooks::by_id(tx, id)? else { return Ok(None) };
            if batch.cursor.is_some_and(|(from, to)| from < to && before.cursor == to) {
                // Recorded already, by a transaction of which nobody knew whether it was carried out.
                return Ok(Some(before));
            }
            let mut after = before.clone();
            for attempt in &batch.attempts {
                after.failing_since = failing_since(after.failing_since, attempt.outcome, attempt.ended_at);
                record_attempt(&shared, tx, id, attempt)?;
                if let Some(reason) = reason_to_disable(&shared, &after, attempt) {
                    disable(tx, &mut after, reason)?;
                }
            }
            move_cursor(&mut after, batch.cursor);
            webhooks::put(tx, &after)?;
            Ok(Some(after))
        })
        .await
}

/// Moves the cursor unless it was set to another event meanwhile, such as by a replay.
fn move_cursor(webhook: &mut Webhook, cursor: Option<(i64, i64)>) {
    if let Some((from, to)) = cursor
        && webhook.cursor == from
    {
        webhook.cursor = to;
        webhook.gaps.retain(|(_, end)| *end > to);
    }
}

fn record_attempt(app: &App, tx: &WriteTx<'_>, webhook: WebhookId, attempt: &DeliveryAttempt) -> Result<()> {
    let before = match &attempt.subject {
        Subject::Event(event) => Delivery {
            seq: 0,
            id: tx.new_id(),
            webhook,
            event_seq: Some(event.seq),
            event_id: event.id,
            kind: event.kind.name().to_owned(),
            status: DeliveryStatus::Pending,
            attempts: "[]".to_owned(),
            tried: 0,
            next_attempt_at: None,
            created_at: tx.now(),
        },
        // It may have changed since, and is gone if it was too old.
        Subject::Again(delivery) => match deliveries::by_id(tx, delivery.id)? {
            Some(found) if found.tried == delivery.tried => found,
            // Recorded already, by a transaction of which nobody knew whether it was carried out.
            Some(_) | None => return Ok(()),
        },
    };
    let after = attempted(app, before, attempt);
    match &attempt.subject {
        Subject::Event(_) => deliveries::insert(tx, &after)?,
        Subject::Again(_) => deliveries::update(tx, &after)?,
    }
    let outcome = match after.status {
        DeliveryStatus::Pending => "retried",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Failed => "failed",
    };
    let app = app.clone();
    tx.after_commit(move || app.metrics.webhook_attempts.count(outcome));
    Ok(())
}

/// The delivery after this attempt.
fn attempted(app: &App, before: Delivery, attempt: &DeliveryAttempt) -> Delivery {
    let tried = before.tried + 1;
    // A ping is tried once.
    let retries = if before.event_seq.is_some() { app.config.webhooks.retries.as_slice() } else { &[] };
    let next = after_attempt(attempt.outcome, before.id, tried, retries, attempt.ended_at);
    let (status, next_attempt_at) = match next {
        Next::Delivered => (DeliveryStatus::Delivered, None),
        Next::TryAt(at) => (DeliveryStatus::Pending, Some(at)),
        Next::GiveUp => (DeliveryStatus::Failed, None),
    };
    let mut attempts: Vec<AttemptView> = serde_json::from_str(&before.attempts).unwrap_or_default();
    attempts.push(attempt.shown.clone());
    attempts.drain(..attempts.len().saturating_sub(MOST_ATTEMPTS));
    let attempts = serde_json::to_string(&attempts).unwrap_or_else(|_| "[]".to_owned());
    Delivery { status, attempts, tried, next_attempt_at, ..before }
}

fn reason_to_disable(app: &App, webhook: &Webhook, attempt: &DeliveryAttempt) -> Option<DisabledReason> {
    if webhook.status == WebhookStatus::Disabled {
        return None;
    }
    if attempt.outcome == AttemptOutcome::Gone {
        return Some(DisabledReason::Gone);
    }
    let limit = app.config.webhooks.give_up_after;
    let since = webhook.failing_since.filter(|_| !limit.is_zero())?;
    (attempt.ended_at >= since.plus(limit)).then_some(DisabledReason::Failing)
}

fn disable(tx: &WriteTx<'_>, webhook: &mut Webhook, reason: DisabledReason) -> Result<()> {
    status::disable(webhook, webhooks::last_event(tx), Some(reason));
    webhook.updated_at = tx.now();
    let changes = json!({"reason": reason.name(), "failing_since": webhook.failing_since.map(|at| at.to_string())});
    audit::record(tx, &Actor::system("webhooks.deliver"), "webhooks.disable", Some(&webhook.id), &changes)?;
    announce(tx);
    let id = webhook.id;
    tx.after_commit(move || {
        tracing::warn!(webhook.id = %id, webhook.reason = reason.name(), "webhook endpoint {id} disabled: {reason}");
    });
    Ok(())
}

/// Sets the gauges of the metrics.
pub async fn measure(app: &App) -> Result<()> {
    let measured = app.store.scan("webhooks.measure", |tx| {
        let found = webhooks::all(tx)?;
        let backlogs: Vec<_> =
            found.iter().map(|webhook| deliveries::backlog(tx, webhook.id)).collect::<Result<_>>()?;
        Ok((found, backlogs))
    });
    let (found, backlogs) = measured.await?;
    let gauges = &app.metrics.webhooks;
    let state = |webhook: &Webhook| webhook.disabled_reason.map_or(webhook.status.name(), DisabledReason::name);
    for name in ["active", "disabled", "failing", "gone"] {
        let count = found.iter().filter(|webhook| state(webhook) == name).count();
        gauges.endpoints.with(name, |gauge| gauge.store(i64::try_from(count).unwrap_or(i64::MAX), Relaxed));
    }
    gauges.pending.store(backlogs.iter().map(|(count, _)| count).sum(), Relaxed);
    let oldest = backlogs.iter().filter_map(|(_, oldest)| *oldest).min();
    gauges.oldest_pending.store(oldest.map_or(0, Timestamp::millis), Relaxed);
    let active = found.iter().filter(|webhook| webhook.status == WebhookStatus::Active);
    gauges.slowest.store(active.map(|webhook| webhook.cursor).min().unwrap_or(-1), Relaxed);
    Ok(())
}
