//! Answers that take long to send, such as exports and backups: each goes on only for as long as its caller is who they
//! were and may do what they might at its beginning. An import answers line by line, and sees to that by itself.

use super::super::operation::{Body as Expected, Operation};
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

/// The same answer. Where it is streamed, it breaks off at the first part that its caller may not have any more, which
/// the client sees, since nothing ends it.
pub(crate) fn guarded(app: &App, operation: &Operation, actor: &Actor, response: Response) -> Response {
    let is_whole = response.body().size_hint().exact().is_some();
    if is_whole || matches!(operation.body, Expected::Stream(_)) {
        return response;
    }
    let (app, actor, name) = (app.clone(), actor.clone(), operation.id);
    response.map(|body| {
        let parts = body.into_data_stream().map(move |part| {
            if let Err(error) = still(&app, &actor) {
                tracing::warn!(operation = name, error.code = error.problem().code, "an answer broke off");
                return Err(BoxError::from(error));
            }
            part.map_err(BoxError::from)
        });
        Body::from_stream(parts)
    })
}

/// Refuses a caller who is gone or has lost a permission, whichever it is: what an answer shows may depend on any.
fn still(app: &App, actor: &Actor) -> Result<()> {
    let present = access::recheck(app, actor)?;
    if actor.permissions.iter().all(|permission| present.may(permission)) {
        return Ok(());
    }
    Err(Error::new(&problem::FORBIDDEN).detail("The caller may do less than when this began."))
}
