//! Long responses, such as exports and backups, continue only while the caller's credentials stay valid and keep every
//! permission that they had at the beginning. An import checks this itself, for each line, and so does an event stream.

use super::{
    super::operation::{Body as Expected, Operation},
    event_stream::ChecksItsCaller,
};
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Result, problem},
    service::access,
};
use axum::{
    BoxError,
    body::{Body, HttpBody},
    response::Response,
};
use futures_util::StreamExt;

/// Makes a streamed response check its caller before each part, and abort as soon as the caller has lost a right. The
/// client can tell an aborted response from a complete one.
pub(crate) fn guarded(app: &App, operation: &Operation, actor: &Actor, response: Response) -> Response {
    let is_whole = response.body().size_hint().exact().is_some();
    if is_whole
        || response.extensions().get::<ChecksItsCaller>().is_some()
        || matches!(operation.body, Expected::Stream(_))
    {
        return response;
    }
    let (app, actor, name) = (app.clone(), actor.clone(), operation.id);
    response.map(|body| {
        let parts = body.into_data_stream().map(move |part| {
            if let Err(error) = check(&app, &actor) {
                tracing::warn!(
                    operation = name,
                    error.code = error.problem().code,
                    "response aborted: its caller lost a right"
                );
                return Err(BoxError::from(error));
            }
            part.map_err(BoxError::from)
        });
        Body::from_stream(parts)
    })
}

/// Refuses a caller whose credentials have ended or who has lost a permission. It may be any permission, because what a
/// response shows can depend on each.
fn check(app: &App, actor: &Actor) -> Result<()> {
    let present = access::recheck(app, actor)?;
    if actor.permissions.iter().all(|permission| present.may(permission)) {
        return Ok(());
    }
    Err(Error::new(&problem::FORBIDDEN).detail("The caller has lost a permission since the response began."))
}
