//! Authentication of requests: from credentials to an actor. It uses the access cache and does not read the database.

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

/// Authenticates a request by its bearer token, which is an access token or an API key.
///
/// # Errors
/// `unauthenticated` if the token is not or no longer valid.
pub fn authenticate(
    app: &App,
    token: &str,
    request_id: &Arc<str>,
    trace: Option<TraceId>,
    address: Option<IpAddr>,
) -> Result<Actor> {
    let now = app.clock.now();
    let refused = || {
        Error::new(&problem::UNAUTHENTICATED).detail("The token or key is not valid, or it has expired or was revoked.")
    };
    let actor = |principal, role, permissions| Actor {
        principal,
        permissions,
        role,
        request_id: Arc::clone(request_id),
        trace,
        address,
        valid_until: None,
    };
    if token.starts_with(SecretKind::ApiKey.prefix()) {
        let secret = Secret::parse(SecretKind::ApiKey, token).ok_or_else(refused)?;
        let key = app.access.authenticate_key(&secret.digest(), now).ok_or_else(refused)?;
        return Ok(actor(Principal::ApiKey { id: key.key, owner: key.owner }, None, key.permissions));
    }
    let claims = app.tokens.verify(token, now)?;
    let identity = app.access.authenticate_session(&claims, now).ok_or_else(refused)?;
    let principal = Principal::User { id: identity.user, session: Some(identity.session) };
    let actor = actor(principal, Some(identity.role), identity.permissions);
    Ok(Actor { valid_until: Some(claims.expires), ..actor })
}

/// The same actor with its current permissions. Long operations call this while they run.
///
/// # Errors
/// `unauthenticated` if the session has ended, the key was revoked, or the user was disabled.
pub fn recheck(app: &App, actor: &Actor) -> Result<Actor> {
    let now = app.clock.now();
    let current = match actor.principal {
        Principal::User { id, session: Some(session) } => {
            app.access.session(id, session, now).map(|identity| (Some(identity.role), identity.permissions))
        }
        Principal::ApiKey { id, .. } => app.access.key(id, now).map(|key| (None, key.permissions)),
        Principal::User { session: None, .. } | Principal::System => Some((actor.role.clone(), actor.permissions)),
    };
    let refused = || Error::new(&problem::UNAUTHENTICATED).detail("The credentials are not valid any more.");
    let (role, permissions) = current.ok_or_else(refused)?;
    Ok(Actor { permissions, role, ..actor.clone() })
}
