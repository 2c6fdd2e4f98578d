//! Logging in over HTTP.

use super::extract::{Origin, Valid};
use crate::{
    app::App,
    auth::Actor,
    error::Result,
    service::{
        sessions::{self, Credentials, Me, Source},
        views::UserView,
    },
};
use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

impl From<Origin> for Source {
    fn from(origin: Origin) -> Self {
        Self { request_id: origin.request_id, address: origin.address, user_agent: origin.user_agent }
    }
}

/// The first administrator.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    /// The token that the server printed.
    #[schemars(length(min = 1, max = 255))]
    token: String,
    /// What they log in with.
    #[schemars(length(min = 1, max = 254))]
    email: String,
    /// What to call them.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// At least 15 characters.
    #[schemars(length(min = 1, max = 1024))]
    password: String,
}

/// Makes the first administrator.
pub(super) async fn set_up(
    State(app): State<App>,
    origin: Origin,
    Valid { body, .. }: Valid<SetUp>,
) -> Result<(StatusCode, Json<UserView>)> {
    let new = super::users::new_user(&body.email, body.name, "admin".to_owned(), body.password)?;
    let user = sessions::set_up(&app, &origin.into(), &body.token, new).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Who logs in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"email": "ada@example.com", "password": "a long and private phrase"}))]
pub(super) struct LogIn {
    /// The user's address.
    #[schemars(length(min = 1, max = 1024))]
    email: String,
    /// The user's password.
    #[schemars(length(min = 1, max = 4096))]
    password: String,
}

/// Begins a session.
pub(super) async fn log_in(
    State(app): State<App>,
    origin: Origin,
    Valid { body, .. }: Valid<LogIn>,
) -> Result<Json<Credentials>> {
    sessions::log_in(&app, origin.into(), &body.email, &body.password).await.map(Json)
}

/// Who is calling.
pub(super) async fn me(State(app): State<App>, actor: Actor) -> Result<Json<Me>> {
    sessions::me(&app, &actor).map(Json)
}
