//! Idempotency keys over HTTP: whether a request whose answer was lost took effect.

use super::input::extract::Segments;
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Result},
    service::{idempotency, views::IdempotencyKeyView},
};
use axum::{Json, extract::State};

/// What became of one of the caller's keys.
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    Segments(mut path): Segments,
) -> Result<Json<IdempotencyKeyView>> {
    let key = path.remove("key").ok_or_else(Error::absent)?;
    idempotency::look_up(&app, &actor, &key).await.map(Json)
}
