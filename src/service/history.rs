//! Recording events: the history of an order.

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

/// A recorded event and its document.
pub(super) struct Recorded {
    pub(super) seq: i64,
    pub(super) document: String,
}

/// Appends an event of type `kind` with `document` as its data. `order` has its new version already.
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
