//! The caller as it sees itself: identity, role and permissions.

use crate::{
    app::App,
    auth::{Actor, Principal},
    domain::permission::Permission,
    error::Result,
    service::{
        api_keys,
        views::{AsText, KeyView, UserView},
    },
    store::users,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The caller.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Me {
    /// `user` or `api_key`.
    #[schemars(extend("enum" = ["user", "api_key"]))]
    pub kind: &'static str,
    /// The identifier of the user or the API key.
    pub id: String,
    /// The user, if the caller is one.
    pub user: Option<UserView>,
    /// The API key, if the caller is one.
    pub api_key: Option<KeyView>,
    /// The role of a user.
    pub role: Option<String>,
    /// The permissions that the caller holds now.
    pub permissions: Vec<AsText<Permission>>,
}

/// Describes the caller.
pub async fn me(app: &App, actor: &Actor) -> Result<Me> {
    let (user, api_key) = match actor.principal {
        Principal::User { id, .. } => (app.store.read("auth.me", |tx| users::by_id(tx, id)).await?, None),
        Principal::ApiKey { id, .. } => (None, api_keys::find(app, id).await?),
        Principal::System => (None, None),
    };
    Ok(Me {
        kind: if matches!(actor.principal, Principal::ApiKey { .. }) { "api_key" } else { "user" },
        id: actor.principal.to_string(),
        user: user.as_ref().map(UserView::from),
        api_key,
        role: actor.role.as_deref().map(str::to_owned),
        permissions: actor.permissions.iter().map(AsText).collect(),
    })
}
