//! Second factors over HTTP.

use super::input::extract::{PathId, Valid};
use crate::{
    app::App,
    auth::Actor,
    domain::id::UserId,
    error::Result,
    service::second_factor::{self, EnrolmentView},
};
use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

/// The password of the caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginEnrolment {
    /// The caller's password.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    password: String,
}

/// Begins an enrolment.
pub(super) async fn begin(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<BeginEnrolment>,
) -> Result<(StatusCode, Json<EnrolmentView>)> {
    let enrolment = second_factor::begin(&app, actor, &body.password).await?;
    Ok((StatusCode::CREATED, Json(enrolment)))
}

/// The first code of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmEnrolment {
    /// The code that the app shows now.
    #[schemars(length(min = 1, max = 64), extend("writeOnly" = true))]
    code: String,
}

/// Puts an enrolment in force.
pub(super) async fn confirm(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<ConfirmEnrolment>,
) -> Result<StatusCode> {
    second_factor::confirm(&app, actor, &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What it takes to end one's second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndSecondFactor {
    /// The caller's password.
    #[schemars(length(min = 1, max = 4096), extend("writeOnly" = true))]
    password: String,
    /// The code that the app shows now, or a recovery code.
    #[schemars(length(min = 1, max = 64), extend("writeOnly" = true))]
    code: String,
}

/// Ends the caller's second factor.
pub(super) async fn end(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<EndSecondFactor>,
) -> Result<StatusCode> {
    second_factor::end(&app, actor, &body.password, &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the second factor of a user.
pub(super) async fn end_of(State(app): State<App>, actor: Actor, PathId(id): PathId<UserId>) -> Result<StatusCode> {
    second_factor::end_of(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
