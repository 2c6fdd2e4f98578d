//! API keys over HTTP.

use super::{
    input::{
        extract::{PathId, Valid},
        permissions::KeyPermission,
    },
    output::list::{self, Asked},
};
use crate::{
    app::App,
    auth::Actor,
    domain::{id::KeyId, time::Timestamp},
    error::Result,
    service::{
        api_keys::{self, NewKey},
        page::Wanted,
        views::NewKeyView,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// An API key to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "nightly export", "permissions": ["orders:read"]}))]
pub(super) struct CreateKey {
    /// What to call it.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// What it may do, as far as its maker may.
    #[schemars(length(min = 1, max = 100))]
    permissions: Vec<KeyPermission>,
    /// When it ends by itself; left out, it does not.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

/// Makes a key.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<CreateKey>,
) -> Result<(StatusCode, Json<NewKeyView>)> {
    let new = NewKey {
        name: body.name,
        permissions: body.permissions.into_iter().map(|permission| permission.0).collect(),
        // The schema has held it to the form of a date-time.
        expires_at: body.expires_at.as_deref().and_then(Timestamp::parse),
    };
    api_keys::create(&app, actor, new).await.map(|key| (StatusCode::CREATED, Json(key)))
}

/// Keys, newest first.
pub(super) async fn list(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Response> {
    let shared = app.clone();
    let find = move |wanted: Wanted<KeyId>| {
        let (app, actor) = (shared.clone(), actor.clone());
        async move { api_keys::list(&app, &actor, &wanted).await }
    };
    asked.answer(&app, "api_keys.list".to_owned(), list::id, list::cursor, find).await
}

/// Revokes a key.
pub(super) async fn revoke(State(app): State<App>, actor: Actor, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    api_keys::revoke(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
