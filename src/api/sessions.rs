//! A user's sessions over HTTP.

use super::{
    export::Format,
    extract::{Parameters, PathId, Segments},
    list::{self, Paging, Place},
    reply,
};
use crate::{
    app::App,
    auth::Actor,
    domain::id::{Identifier, SessionId, UserId},
    error::{Error, Result},
    service::sessions,
};
use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use std::future::ready;

/// A page of a user's sessions, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    PathId(user): PathId<UserId>,
    Parameters(paging): Parameters<Paging>,
    format: Format,
    uri: Uri,
) -> Result<Response> {
    if format != Format::Page {
        paging.refuse()?;
        return list::all(format, move |wanted| ready(sessions::list(&app, &actor, user, &wanted))).await;
    }
    let place = Place::plain(&app, format!("sessions.list {user}"), &paging)?;
    let found = sessions::list(&app, &actor, user, &place.wanted(list::id))?;
    Ok(reply::page(&place.found(&app, found, list::cursor), &uri))
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
