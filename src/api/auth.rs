//! Set-up, log-in, log-out and the caller's own account over HTTP.

use super::{
    browser::{Browser, SESSION},
    input::extract::Valid,
    orders::NoFields,
};
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Fault, Result},
    service::{
        oidc, password_resets, passwords,
        sessions::{self, Credentials, Me, PasswordLogin, Source},
        users::NewUser,
        views::UserView,
    },
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
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
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess,
    /// nor be the e-mail address or the name.
    #[schemars(length(min = 1, max = 1024), extend("writeOnly" = true))]
    password: String,
}

/// Creates the first administrator.
pub(super) async fn set_up(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<SetUp>,
) -> Result<(StatusCode, Json<UserView>)> {
    let new =
        NewUser { email: body.email, name: body.name, role: "admin".to_owned(), password: Some(body.password.into()) };
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
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    password: String,
    /// If the user has a second factor: the code that the app shows now, or a recovery code.
    #[schemars(length(min = 1, max = 64), extend("writeOnly" = true))]
    code: Option<String>,
}

/// Starts a session.
pub(super) async fn log_in(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<LogIn>,
) -> Result<Json<Credentials>> {
    let login = PasswordLogin { email: &body.email, password: &body.password, code: body.code.as_deref() };
    sessions::log_in(&app, source, login).await.map(Json)
}

/// The credentials of a user: an address and a password, or the claim of a sign-in by OpenID Connect.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"email": "ada@example.com", "password": "a long and private phrase"}))]
pub(super) struct StartSession {
    /// The user's address.
    #[schemars(length(min = 1, max = 1024))]
    email: Option<String>,
    /// The user's password.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    password: Option<String>,
    /// In place of all the rest: the claim in the address to which `/v1/auth/oidc/callback` has led.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    claim: Option<String>,
    /// If the user has a second factor: the code that the app shows now, or a recovery code.
    #[schemars(length(min = 1, max = 64), extend("writeOnly" = true))]
    code: Option<String>,
}

/// Starts a session of a browser.
pub(super) async fn start_session(
    State(app): State<App>,
    source: Source,
    browser: Browser,
    Valid { body, .. }: Valid<StartSession>,
) -> Result<Response> {
    let session = match &body {
        StartSession { claim: Some(claim), email: None, password: None, code: None } => {
            oidc::redeem(&app, source, &browser.cookies, claim).await?
        }
        StartSession { claim: None, email: Some(email), password: Some(password), code } => {
            let login = PasswordLogin { email, password, code: code.as_deref() };
            sessions::start_in_browser(&app, source, login).await?
        }
        incomplete => return Err(Error::invalid(incomplete.faults())),
    };
    let mut response = (StatusCode::CREATED, Json(session.view)).into_response();
    if let Some(secret) = session.cookie {
        let cookie = SESSION.lasting_for(app.config.auth.session_max);
        response.headers_mut().insert(header::SET_COOKIE, browser.scheme.set(cookie, secret.reveal())?);
    }
    Ok(response)
}

impl StartSession {
    /// What is missing, or does not go together.
    fn faults(&self) -> Vec<Fault> {
        if self.claim.is_some() {
            return vec![Fault::body("#/claim", "not_alone", "must be sent without email, password and code")];
        }
        let fields = [("#/email", &self.email), ("#/password", &self.password)];
        let missing = fields.into_iter().filter(|(_, value)| value.is_none());
        missing
            .map(|(pointer, _)| Fault::body(pointer, "required", "is required, unless `claim` is sent instead"))
            .collect()
    }
}

/// Ends the caller's session, and takes its cookie back.
pub(super) async fn end_session(State(app): State<App>, browser: Browser, actor: Actor) -> Result<Response> {
    sessions::log_out(&app, "auth.end_session", actor).await?;
    ended(&browser)
}

fn ended(browser: &Browser) -> Result<Response> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if browser.is_signed_in {
        response.headers_mut().insert(header::SET_COOKIE, browser.scheme.remove(SESSION)?);
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
pub(super) async fn log_out(
    State(app): State<App>,
    browser: Browser,
    actor: Actor,
    _: Valid<NoFields>,
) -> Result<Response> {
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
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess,
    /// nor be the caller's e-mail address or name.
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

/// A new password for the holder of a reset token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetPassword {
    /// The token that an administrator made (`POST /v1/users/{id}/reset`).
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    token: String,
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess,
    /// nor be the user's e-mail address or name.
    #[schemars(length(min = 1, max = 1024), extend("writeOnly" = true))]
    new_password: String,
}

/// Sets the password of the user whom a reset token was made for.
pub(super) async fn reset_password(
    State(app): State<App>,
    source: Source,
    Valid { body, .. }: Valid<ResetPassword>,
) -> Result<StatusCode> {
    password_resets::redeem(&app, source, &body.token, &body.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Describes the caller.
pub(super) async fn me(State(app): State<App>, actor: Actor) -> Result<Json<Me>> {
    sessions::me(&app, &actor).await.map(Json)
}
