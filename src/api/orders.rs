//! Orders over HTTP.

mod body;
mod files;
mod import;
mod list;
mod patch;
mod transition;

use super::{
    input::extract::{PathId, Segments, Valid},
    output::reply,
};
use crate::{
    app::App,
    auth::Actor,
    domain::id::OrderId,
    error::{Error, Result},
    service::{
        idempotency::Effect,
        orders::{self, OrderName},
        views::OrderCounts,
    },
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
pub use body::CreateOrder;
pub use files::Export;
pub(super) use import::import;
pub use import::{Answer, FileError, FileFormat, LineResult, Source, import_file};
pub use list::ListOrders;
pub(super) use list::list;
pub use patch::PatchOrder;
pub(super) use patch::update;
pub(super) use transition::{CancelOrder, NoFields, cancel, erase, moves};

/// Places an order or creates a draft. The same `Idempotency-Key` always yields the same order.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, request }: Valid<CreateOrder>,
) -> Result<Effect> {
    let new = body.into_order()?;
    orders::create(&app, actor, request, new).await
}

/// Counts the orders that the caller may read, by status.
pub(super) async fn counts(State(app): State<App>, actor: Actor) -> Result<Json<OrderCounts>> {
    orders::counts(&app, &actor).await.map(Json)
}

/// Reads an order by its identifier.
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    headers: HeaderMap,
) -> Result<Response> {
    one(&app, &actor, &OrderName::Id(id), &headers).await
}

/// Reads an order by its number.
pub(super) async fn get_by_number(
    State(app): State<App>,
    actor: Actor,
    Segments(path): Segments,
    headers: HeaderMap,
) -> Result<Response> {
    let digits = path.get("number").filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    let number = digits.and_then(|text| text.parse().ok()).ok_or_else(Error::absent)?;
    one(&app, &actor, &OrderName::Number(number), &headers).await
}

/// Reads an order by its external reference.
pub(super) async fn get_by_ref(
    State(app): State<App>,
    actor: Actor,
    Segments(mut path): Segments,
    headers: HeaderMap,
) -> Result<Response> {
    let reference = path.remove("external_ref").ok_or_else(Error::absent)?;
    one(&app, &actor, &OrderName::ExternalRef(reference), &headers).await
}

async fn one(app: &App, actor: &Actor, name: &OrderName, headers: &HeaderMap) -> Result<Response> {
    let order = orders::get(app, actor, name).await?;
    Ok(reply::versioned(&order.json, order.version, headers))
}
