//! Webhook endpoints and deliveries, as clients see them.

use super::AsText;
use crate::domain::{
    event::EventType,
    id::{DeliveryId, EventId, WebhookId},
    time::Timestamp,
    webhook::{DeliveryStatus, DisabledReason, WebhookStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An endpoint that events are delivered to, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub struct WebhookView {
    /// The identifier of the endpoint.
    pub id: AsText<WebhookId>,
    /// Where events are sent.
    pub url: String,
    /// The types of events that are sent; null for all.
    pub events: Option<Vec<AsText<EventType>>>,
    /// A note for people.
    pub description: Option<String>,
    /// Whether events are sent.
    pub status: AsText<WebhookStatus>,
    /// Why the server has disabled the endpoint: `gone` if it answered 410, `failing` if every attempt failed for
    /// `webhooks.give_up_after`.
    pub disabled_reason: Option<AsText<DisabledReason>>,
    /// The first failure after the last success.
    pub failing_since: Option<AsText<Timestamp>>,
    /// Until when the previous secret signs too.
    pub previous_secret_until: Option<AsText<Timestamp>>,
    /// When the endpoint was created.
    pub created_at: AsText<Timestamp>,
    /// When the endpoint was last changed.
    pub updated_at: AsText<Timestamp>,
}

/// An endpoint that was just created, or whose secret was.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookWithSecret")]
pub struct NewWebhookView {
    /// The secret with which to verify signatures (Standard Webhooks 1.0). It is never shown again.
    pub secret: String,
    /// The endpoint, as lists show it.
    #[serde(flatten)]
    pub webhook: WebhookView,
}

/// A delivery to an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub struct DeliveryView {
    /// The identifier of the delivery.
    pub id: AsText<DeliveryId>,
    /// The event; for a ping an identifier of its own. `webhook-id` is this, a hyphen, and the endpoint's identifier.
    pub event_id: AsText<EventId>,
    /// The type of the event, or `ping`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How far it has come.
    pub status: AsText<DeliveryStatus>,
    /// The attempts, oldest first; the last twenty of them.
    pub attempts: Vec<AttemptView>,
    /// When it is tried next, if it is.
    pub next_attempt_at: Option<AsText<Timestamp>>,
}

/// An attempt to deliver. It is stored in this form too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// When it began.
    #[schemars(with = "AsText<Timestamp>")]
    pub at: String,
    /// The HTTP status of the answer, if there was one.
    #[schemars(range(min = 100, max = 999))]
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds.
    #[schemars(range(min = 0))]
    pub duration_ms: u64,
    /// Why it failed; null if it did not.
    pub error: Option<String>,
}

/// What is sent again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Replay")]
pub struct ReplayView {
    /// The events after this `seq` are sent again.
    #[schemars(range(min = 0))]
    pub after: i64,
    /// The last event at the moment of the request.
    #[schemars(range(min = 0))]
    pub last: i64,
}
