//! Reading events.

use super::{
    orders::readable_order,
    page::{Page, PageRequest},
    views::EventView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{id::OrderId, permission::Permission},
    error::Result,
    store::{ReadTx, events},
};
use std::time::Duration;

/// The whole history, oldest first. The key of an event is its `seq`. If there is nothing yet after that of the last
/// one, waits this long for something.
pub async fn list(app: &App, actor: &Actor, request: PageRequest<i64>, wait: Duration) -> Result<Page<EventView, i64>> {
    actor.require(Permission::OrdersRead)?;
    tokio::select! {
        () = app.store.event_after(request.after.unwrap_or(0)) => {}
        () = app.drained() => {}
        () = tokio::time::sleep(wait) => {}
    }
    app.store.read("events.list", |tx| page(tx, &request)).await
}

/// A part of the whole history for an export: longer than a page, and read beside those.
pub async fn export(app: &App, actor: &Actor, request: PageRequest<i64>) -> Result<Page<EventView, i64>> {
    actor.require(Permission::OrdersRead)?;
    app.store.scan("events.export", move |tx| page(tx, &request)).await
}

fn page(tx: &ReadTx<'_>, request: &PageRequest<i64>) -> Result<Page<EventView, i64>> {
    let found = events::after(tx, request.after.unwrap_or(0), request.limit_and_one())?;
    request.page(views(found)?, |event| event.seq, || events::last(tx))
}

/// The history of an order, oldest first, if the actor may read it. The key of an event is its version.
pub async fn of_order(
    app: &App,
    actor: &Actor,
    id: OrderId,
    request: &PageRequest<i64>,
) -> Result<Page<EventView, i64>> {
    app.store
        .read("orders.events", |tx| {
            let order = readable_order(tx, actor, id)?;
            let found = events::of_order(tx, order.seq, request.after.unwrap_or(0), request.limit_and_one())?;
            request.page(views(found)?, |event| event.version, || Ok(order.version))
        })
        .await
}

fn views(events: Vec<events::Event>) -> Result<Vec<EventView>> {
    events.into_iter().map(EventView::try_from).collect()
}
