//! A user's sessions over HTTP.

use super::{
    input::{
        extract::{PathId, Segments},
        list::ListRequest,
    },
    output::list,
};
use crate::{
    app::App,
    auth::Actor,
    domain::id::{Identifier, SessionId, UserId},
    error::{Error, Result},
    service::sessions,
};
use axum::{extract::State, http::StatusCode, response::Response};

/// Lists a user's sessions, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    PathId(user): PathId<UserId>,
    ListRequest { options, .. }: ListRequest,
) -> Result<Response> {
    let find = move |app, actor, page| async move { sessions::list(&app, &actor, user, &page).await };
    list::answer(app, actor, options, format!("sessions.list {user}"), find).await
}

/// Ends one of a user's sessions.
pub(super) async fn revoke(
    State(app): State<App>,
    actor: Actor,
    PathId(user): PathId<UserId>,
    Segments(path): Segments,
) -> Result<StatusCode> {
    let session = path.get("session_id").and_then(|text| SessionId::parse(text)).ok_or_else(Error::absent)?;
    sessions::revoke(&app, actor, user, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of a user's sessions.
pub(super) async fn revoke_all(
    State(app): State<App>,
    actor: Actor,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode> {
    sessions::revoke_all(&app, actor, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
