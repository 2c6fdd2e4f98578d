//! Recording events, and reading them.

use super::{
    orders::readable,
    page::{Found, Wanted},
    views::EventView,
};
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
use std::time::Duration;

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

/// Some events, oldest first.
pub struct Listed {
    /// The events.
    pub events: Vec<EventView>,
    /// The place after which more follow, if any do: a `seq`, or a version in an order's history.
    pub next: Option<i64>,
}

impl Listed {
    fn of(mut found: Vec<events::Event>, limit: usize, place: impl Fn(&events::Event) -> i64) -> Result<Self> {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(place);
        Ok(Self { events: found.into_iter().map(EventView::try_from).collect::<Result<_>>()?, next })
    }
}

/// The whole history after event `seq`, oldest first. If there is nothing yet, waits this long for something.
pub async fn after(app: &App, actor: &Actor, seq: i64, limit: usize, wait: Duration) -> Result<Listed> {
    actor.require(Permission::OrdersRead)?;
    tokio::select! {
        () = app.store.event_after(seq) => {}
        () = app.drained() => {}
        () = tokio::time::sleep(wait) => {}
    }
    let found = app.store.read("events.list", |tx| events::after(tx, seq, limit + 1))?;
    Listed::of(found, limit, |event| event.seq)
}

/// A part of the whole history for an export: longer than a page, and read beside those.
pub async fn export(app: &App, actor: &Actor, seq: i64, limit: usize) -> Result<Listed> {
    actor.require(Permission::OrdersRead)?;
    let found = app.store.scan("events.export", move |tx| events::after(tx, seq, limit + 1)).await?;
    Listed::of(found, limit, |event| event.seq)
}

/// The history of an order by version, oldest first, if the actor may read it.
pub fn of_order(app: &App, actor: &Actor, id: OrderId, wanted: &Wanted<i64>) -> Result<Found<EventView, i64>> {
    let found = app.store.read("orders.events", |tx| {
        let order = orders::by_id(tx, id)?.filter(|o| readable(actor, o)).ok_or_else(Error::absent)?;
        let found = events::of_order(tx, order.seq, wanted.after.unwrap_or(0), wanted.look_for())?;
        // Each event is a version.
        wanted.found(found, |event| event.version, || Ok(order.version))
    })?;
    let entries = found.entries.into_iter().map(EventView::try_from).collect::<Result<_>>()?;
    Ok(Found { entries, next: found.next, total: found.total })
}
