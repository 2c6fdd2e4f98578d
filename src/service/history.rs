//! Recording events: the history of an order.

use crate::{
    auth::Actor,
    domain::{
        event::EventType,
        order::Order,
        personal::{PersonalRow, SplitDocument},
    },
    error::{Error, Result},
    store::{
        ReadTx, WriteTx,
        events::{self, NewEvent},
        personal,
    },
};
use serde::Serialize;

/// A recorded event and its document.
pub(super) struct Recorded {
    pub(super) seq: i64,
    pub(super) document: SplitDocument,
}

/// Appends an event of type `kind` with `document` as its data, which has `null` for the personal data in row
/// `personal`. `order` has its new version already.
pub(super) fn record(
    tx: &WriteTx<'_>,
    actor: &Actor,
    kind: EventType,
    order: &Order,
    document: &impl Serialize,
    personal: Option<PersonalRow>,
) -> Result<Recorded> {
    let document = serde_json::to_string(document).map_err(Error::internal)?;
    record_text(tx, actor, kind, order, document, personal)
}

/// [`record`] with a document that is rendered already.
pub(super) fn record_text(
    tx: &WriteTx<'_>,
    actor: &Actor,
    kind: EventType,
    order: &Order,
    document: String,
    personal: Option<PersonalRow>,
) -> Result<Recorded> {
    let document = personal::split_document(tx, document, personal)?;
    let event = NewEvent {
        kind,
        order_seq: order.seq,
        order_id: order.id,
        version: order.version,
        actor: &actor.principal.to_string(),
        request_id: &actor.request_id,
        trace: actor.trace,
        data: document.stored(),
        personal,
    };
    Ok(Recorded { seq: events::append(tx, &event)?, document })
}

/// A document that has `null` for the personal data in row `personal`, in both its forms.
pub(super) fn split(
    tx: &ReadTx<'_>,
    document: &impl Serialize,
    personal: Option<PersonalRow>,
) -> Result<SplitDocument> {
    let document = serde_json::to_string(document).map_err(Error::internal)?;
    personal::split_document(tx, document, personal)
}
