//! An event as clients see it.

use super::AsText;
use crate::{
    domain::{
        event::EventType,
        id::{EventId, OrderId},
        time::Timestamp,
        trace::TraceId,
    },
    error::{Error, Result},
    store::events::Event,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

/// Something that happened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its place in the history of everything, from 1, without gaps.
    #[schemars(range(min = 1))]
    pub seq: i64,
    /// Its identifier.
    pub id: AsText<EventId>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: AsText<EventType>,
    /// To which order.
    pub order_id: AsText<OrderId>,
    /// The order's version from then on.
    pub version: i64,
    /// Who did it: a user, an API key or `system`.
    pub actor: String,
    /// In which request.
    pub request_id: String,
    /// In which trace, as `traceparent` has it; only where the request named one or its spans were sent to a collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<TraceId>")]
    pub trace_id: Option<AsText<TraceId>>,
    /// When.
    pub occurred_at: AsText<Timestamp>,
    /// The order, or the transaction with its order, as it was answered then.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub data: Box<RawValue>,
}

impl TryFrom<Event> for EventView {
    type Error = Error;

    fn try_from(event: Event) -> Result<Self> {
        Ok(Self {
            seq: event.seq,
            id: AsText(event.id),
            kind: AsText(event.kind),
            order_id: AsText(event.order_id),
            version: event.version,
            actor: event.actor,
            request_id: event.request_id,
            trace_id: event.trace.map(AsText),
            occurred_at: AsText(event.occurred_at),
            data: RawValue::from_string(event.data).map_err(Error::internal)?,
        })
    }
}
