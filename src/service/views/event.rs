//! The JSON document of an event.

use super::{AsText, StoredJson};
use crate::{
    domain::{
        event::EventType,
        id::{EventId, OrderId},
        time::Timestamp,
        trace::TraceId,
    },
    store::events::Event,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A change of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Number of the event among all events, from 1, without gaps.
    #[schemars(range(min = 1))]
    pub seq: i64,
    /// Identifier of the event.
    pub id: AsText<EventId>,
    /// Type of the event.
    #[serde(rename = "type")]
    pub kind: AsText<EventType>,
    /// Identifier of the order.
    pub order_id: AsText<OrderId>,
    /// Present number of the order; a draft has none.
    #[schemars(range(min = 1))]
    pub order_number: Option<i64>,
    /// Version of the order after this event.
    pub version: i64,
    /// Identifier of the user or API key that made the change, or `system`.
    pub actor: String,
    /// What the actor is called now: the name of the user or API key, or `system`. Null if the user was erased.
    pub actor_name: Option<String>,
    /// Identifier of the request.
    pub request_id: String,
    /// Identifier of the trace, as in `traceparent`. Present if the request sent one, or if its spans were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<TraceId>")]
    pub trace_id: Option<AsText<TraceId>>,
    /// When it happened.
    pub occurred_at: AsText<Timestamp>,
    /// The order, or the transaction with its order, as the request was answered.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub data: StoredJson,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            seq: event.seq,
            id: AsText(event.id),
            kind: AsText(event.kind),
            order_id: AsText(event.order_id),
            order_number: event.order_number,
            version: event.version,
            actor: event.actor,
            actor_name: event.actor_name,
            request_id: event.request_id,
            trace_id: event.trace.map(AsText),
            occurred_at: AsText(event.occurred_at),
            data: StoredJson(event.data),
        }
    }
}
