//! Recording what happened to orders.

use crate::{
    auth::Actor,
    domain::{event::EventType, order::Order},
    error::{Error, Result},
    store::{
        WriteTx,
        events::{self, NewEvent},
    },
};
use serde::Serialize;

/// An event that was recorded, and the document that went into it.
pub(super) struct Recorded {
    pub(super) seq: i64,
    pub(super) document: String,
}

/// Records that `kind` happened to `order`, whose version is the new one already.
pub(super) fn record(
    tx: &WriteTx<'_>,
    actor: &Actor,
    kind: EventType,
    order: &Order,
    document: &impl Serialize,
) -> Result<Recorded> {
    let document = serde_json::to_string(document).map_err(Error::internal)?;
    let event = NewEvent {
        kind,
        order_seq: order.seq,
        version: order.version,
        actor: &actor.principal.to_string(),
        request_id: &actor.request_id,
        trace: actor.trace,
        data: &document,
    };
    Ok(Recorded { seq: events::append(tx, &event)?, document })
}
