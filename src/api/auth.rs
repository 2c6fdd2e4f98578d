//! Set-up, log-in, log-out and the caller's own account over HTTP.

use super::{browser::Browser, input::extract::Valid};
use crate::{
    app::App,
    auth::Actor,
    error::Result,
    service::{
        passwords,
        sessions::{self, BrowserSessionView, Credentials, Me, PasswordLogin, Source},
        users::NewUser,
        views::UserView,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The first administrator.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    /// The token that the server printed.
    #[schemars(length(min = 1, max = 255))]
    token: String,
    /// The e-mail address, with which they log in.
    #[schemars(length(min = 1, max = 254), extend("format" = "idn-email"))]
    email: String,
    /// The name to show.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess, nor be
    /// the e-mail address or the name.
    #[schemars(length(min = 1, max = 1024), extend("writeOnly" = true))]
    password: String,
}

/// Creates the first administrator.
pub(super) async fn set_up(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<SetUp>,
) -> Result<(StatusCode, Json<UserView>)> {
    let new = NewUser { email: body.email, name: body.name, role: "admin".to_owned(), password: body.password.into() };
    let user = sessions::set_up(&app, &source, &body.token, new).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// The credentials of a user.
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

/// Starts a session.
pub(super) async fn log_in(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<LogIn>,
) -> Result<Json<Credentials>> {
    let login = PasswordLogin { email: &body.email, password: &body.password };
    sessions::log_in(&app, source, login).await.map(Json)
}

/// The credentials of a user.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"email": "ada@example.com", "password": "a long and private phrase"}))]
pub(super) struct StartSession {
    /// The user's address.
    #[schemars(length(min = 1, max = 1024))]
    email: String,
    /// The user's password.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    password: String,
}

/// Starts a session of a browser.
pub(super) async fn start_session(
    State(app): State<App>,
    source: Source,
    browser: Browser,
    Valid { body, .. }: Valid<StartSession>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<BrowserSessionView>)> {
    let login = PasswordLogin { email: &body.email, password: &body.password };
    let session = sessions::start_in_browser(&app, source, login).await?;
    let cookie = browser.scheme.set_cookie(&session.cookie, app.config.auth.session_max)?;
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(session.view)))
}

/// Ends the caller's session, and takes its cookie back.
pub(super) async fn end_session(State(app): State<App>, browser: Browser, actor: Actor) -> Result<Response> {
    sessions::log_out(&app, "auth.end_session", actor).await?;
    ended(&browser)
}

fn ended(browser: &Browser) -> Result<Response> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if browser.is_signed_in {
        response.headers_mut().insert(header::SET_COOKIE, browser.scheme.remove_cookie()?);
    }
    Ok(response)
}

/// The token with which a session continues.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// The `refresh_token` of the last response.
    #[schemars(length(min = 1, max = 4096))]
    refresh_token: String,
}

/// Continues a session.
pub(super) async fn refresh(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<Refresh>,
) -> Result<Json<Credentials>> {
    sessions::refresh(&app, source, &body.refresh_token).await.map(Json)
}

/// Ends the caller's session.
pub(super) async fn log_out(State(app): State<App>, browser: Browser, actor: Actor) -> Result<Response> {
    sessions::log_out(&app, "auth.logout", actor).await?;
    ended(&browser)
}

/// A new password for the caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    /// The current password.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    current_password: String,
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess, nor be
    /// the caller's e-mail address or name.
    #[schemars(length(min = 1, max = 1024), extend("writeOnly" = true))]
    new_password: String,
}

/// Changes the caller's password.
pub(super) async fn change_password(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<ChangePassword>,
) -> Result<StatusCode> {
    passwords::change(&app, actor, &body.current_password, &body.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Describes the caller.
pub(super) async fn me(State(app): State<App>, actor: Actor) -> Result<Json<Me>> {
    sessions::me(&app, &actor).await.map(Json)
}
