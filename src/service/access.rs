//! Who is calling: from credentials to an actor, and whether they still may, by facts in memory, without reading the
//! database.

use crate::{
    app::App,
    auth::{
        Actor, Principal,
        secret::{Secret, SecretKind},
    },
    domain::trace::TraceId,
    error::{Error, Result, problem},
};
use std::{net::IpAddr, sync::Arc};

/// Whoever `token` shows the caller of this request to be.
///
/// # Errors
/// `UNAUTHENTICATED` if it is not, or no longer, good.
pub fn authenticate(
    app: &App,
    token: &str,
    request_id: &Arc<str>,
    trace: Option<TraceId>,
    address: Option<IpAddr>,
) -> Result<Actor> {
    let now = app.clock.now();
    let refused = || Error::new(&problem::UNAUTHENTICATED).detail("The credentials are not valid.");
    let actor = |principal, role, permissions| Actor {
        principal,
        permissions,
        role,
        request_id: Arc::clone(request_id),
        trace,
        address,
    };
    if token.starts_with(SecretKind::ApiKey.prefix()) {
        let secret = Secret::parse(SecretKind::ApiKey, token).ok_or_else(refused)?;
        let key = app.access.authenticate_key(&secret.digest(), now).ok_or_else(refused)?;
        return Ok(actor(Principal::ApiKey { id: key.key, owner: key.owner }, None, key.permissions));
    }
    let claims = app.tokens.verify(token, now)?;
    let who = app.access.authenticate_session(&claims, now).ok_or_else(refused)?;
    let principal = Principal::User { id: who.user, session: Some(who.session) };
    Ok(actor(principal, Some(who.role), who.permissions))
}

/// The same caller with what they may do by now: for what goes on long after it was permitted.
///
/// # Errors
/// `UNAUTHENTICATED` if their session, key or account has ended.
pub fn recheck(app: &App, actor: &Actor) -> Result<Actor> {
    let now = app.clock.now();
    let present = match actor.principal {
        Principal::User { id, session: Some(session) } => {
            app.access.session(id, session, now).map(|who| (Some(who.role), who.permissions))
        }
        Principal::ApiKey { id, .. } => app.access.key(id, now).map(|key| (None, key.permissions)),
        Principal::User { session: None, .. } | Principal::System => Some((actor.role.clone(), actor.permissions)),
    };
    let gone = || Error::new(&problem::UNAUTHENTICATED).detail("The credentials are not valid any more.");
    let (role, permissions) = present.ok_or_else(gone)?;
    Ok(Actor { permissions, role, ..actor.clone() })
}
