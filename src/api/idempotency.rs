//! Idempotency keys over HTTP: whether a request took effect whose response was lost.

use super::{input::extract::Segments, output::reply};
use crate::{
    app::App,
    auth::Actor,
    domain::time::Timestamp,
    error::{Error, Result},
    service::{idempotency, views::AsText},
};
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

/// A request that took effect under a key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IdempotencyKey")]
pub struct IdempotencyKeyView {
    /// The key.
    key: String,
    /// The request's HTTP method.
    method: String,
    /// The request's path.
    path: String,
    /// The status of its response.
    #[schemars(range(min = 200, max = 299))]
    status: u16,
    /// When it took effect.
    created_at: AsText<Timestamp>,
    /// The path of the resource that it created, if it created one.
    resource: Option<String>,
}

/// What the caller's request with this key did.
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    Segments(mut path): Segments,
) -> Result<Json<IdempotencyKeyView>> {
    let key = path.remove("key").ok_or_else(Error::absent)?;
    let used = idempotency::find(&app, &actor, &key).await?;
    Ok(Json(IdempotencyKeyView {
        key,
        method: used.method,
        path: used.path,
        status: reply::status(used.outcome).as_u16(),
        created_at: AsText(used.created_at),
        resource: used.outcome.resource().map(reply::path),
    }))
}
