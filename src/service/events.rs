//! Recording events, and reading them.

use super::{orders::readable, views::EventView};
use crate::{
    app::App,
    auth::Actor,
    domain::{event::EventType, id::OrderId, order::Order, permission::Permission},
    error::{Error, Result},
    store::{
        WriteTx,
        events::{self, NewEvent},
        orders,
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
        data: &document,
    };
    Ok(Recorded { seq: events::append(tx, &event)?, document })
}

/// The whole history after event `seq`, oldest first.
pub fn after(app: &App, actor: &Actor, seq: i64, limit: usize) -> Result<Vec<EventView>> {
    actor.require(Permission::OrdersRead)?;
    let events = app.store.read("events.list", |tx| events::after(tx, seq, limit))?;
    events.into_iter().map(EventView::try_from).collect()
}

/// The history of an order after `version`, oldest first, if the actor may read it.
pub fn of_order(app: &App, actor: &Actor, id: OrderId, version: i64, limit: usize) -> Result<Vec<EventView>> {
    let events = app.store.read("orders.events", |tx| {
        let order = orders::by_id(tx, id)?.filter(|o| readable(actor, o)).ok_or_else(Error::absent)?;
        events::of_order(tx, order.seq, version, limit)
    })?;
    events.into_iter().map(EventView::try_from).collect()
}
