//! Reading events: all of them in order, or those of one order.

mod feed;
mod subscription;

pub use feed::{after, current, one};
pub use subscription::{Signal, Subscription, subscribe};

use super::{
    orders::readable_order,
    page::{Page, PageRequest},
    views::EventView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{id::OrderId, listing::Direction, permission::Permission},
    error::Result,
    store::{ReadTx, events},
};
use std::time::Duration;

/// A page of all events, keyed by `seq`. If there is none after `request.after`, waits up to `wait` for the next one.
pub async fn list(
    app: &App,
    actor: &Actor,
    direction: Direction,
    request: PageRequest<i64>,
    wait: Duration,
) -> Result<Page<EventView, i64>> {
    actor.require(Permission::OrdersRead)?;
    if !wait.is_zero() {
        tokio::select! {
            () = app.store.event_after(request.after.unwrap_or(0)) => {}
            () = app.drained() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    app.store.read("events.list", |tx| page(tx, direction, &request)).await
}

/// A part of an export of all events: like a page, but longer, and read among the long queries.
pub async fn export(
    app: &App,
    actor: &Actor,
    direction: Direction,
    request: PageRequest<i64>,
) -> Result<Page<EventView, i64>> {
    actor.require(Permission::OrdersRead)?;
    app.store.scan("events.export", move |tx| page(tx, direction, &request)).await
}

fn page(tx: &ReadTx<'_>, direction: Direction, request: &PageRequest<i64>) -> Result<Page<EventView, i64>> {
    let found = events::page(tx, direction, request.after, request.limit_and_one())?;
    request.page(views(found), |event| event.seq, || events::last(tx))
}

/// A page of the events of an order, keyed by version.
///
/// # Errors
/// `NOT_FOUND` if there is no order that the actor may read.
pub async fn of_order(
    app: &App,
    actor: &Actor,
    id: OrderId,
    direction: Direction,
    request: &PageRequest<i64>,
) -> Result<Page<EventView, i64>> {
    app.store
        .read("orders.events", |tx| {
            let order = readable_order(tx, actor, id)?;
            let found = events::of_order(tx, order.seq, direction, request.after, request.limit_and_one())?;
            request.page(views(found), |event| event.version, || Ok(order.version))
        })
        .await
}

fn views(events: Vec<events::Event>) -> Vec<EventView> {
    events.into_iter().map(EventView::from).collect()
}
