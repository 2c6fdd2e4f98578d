//! API keys over HTTP.

use super::{
    input::{
        extract::{PathId, Valid},
        list::ListRequest,
        parsed::{KeyPermission, Parsed},
    },
    output::list,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{id::KeyId, time::Timestamp},
    error::Result,
    service::{
        api_keys::{self, NewKey},
        views::NewKeyView,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// An API key to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "nightly export", "permissions": ["orders:read"]}))]
pub(super) struct CreateKey {
    /// The name to show.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// The permissions of the key, each of which the caller must have.
    #[schemars(length(min = 1, max = 100))]
    permissions: Vec<Parsed<KeyPermission>>,
    /// When the key expires; never if left out.
    expires_at: Option<Parsed<Timestamp>>,
}

/// Creates a key.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<CreateKey>,
) -> Result<(StatusCode, Json<NewKeyView>)> {
    let new = NewKey {
        name: body.name,
        permissions: body.permissions.into_iter().map(|permission| permission.0.0).collect(),
        expires_at: body.expires_at.map(|end| end.0),
    };
    api_keys::create(&app, actor, new).await.map(|key| (StatusCode::CREATED, Json(key)))
}

/// Lists keys, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { options, .. }: ListRequest,
) -> Result<Response> {
    let find = |app, actor, page| async move { api_keys::list(&app, &actor, &page).await };
    list::answer(app, actor, options, "api_keys.list".to_owned(), find).await
}

/// Revokes a key.
pub(super) async fn revoke(State(app): State<App>, actor: Actor, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    api_keys::revoke(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
