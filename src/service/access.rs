//! Authentication of requests: from credentials to an actor. It uses the access cache and does not read the database.

use crate::{
    app::App,
    auth::{
        Actor, Principal,
        access::SessionIdentity,
        secret::{Secret, SecretKind},
    },
    domain::{permission::PermissionSet, trace::TraceId},
    error::{Error, Result, problem},
};
use std::{net::IpAddr, sync::Arc};

/// What is known about a request before its caller is.
pub struct RequestIdentity<'a> {
    /// The identifier of the request.
    pub request_id: &'a Arc<str>,
    /// The trace of the request, if the client or a trace collector knows it too.
    pub trace: Option<TraceId>,
    /// The client's address.
    pub address: Option<IpAddr>,
}

impl RequestIdentity<'_> {
    fn actor(&self, principal: Principal, role: Option<Arc<str>>, permissions: PermissionSet) -> Actor {
        Actor {
            principal,
            permissions,
            role,
            request_id: Arc::clone(self.request_id),
            trace: self.trace,
            address: self.address,
            second_factor_due: false,
            valid_until: None,
        }
    }

    fn actor_of(&self, identity: SessionIdentity) -> Actor {
        let principal = Principal::User { id: identity.user, session: Some(identity.session) };
        let actor = self.actor(principal, Some(identity.role), identity.permissions);
        Actor { second_factor_due: identity.second_factor_due, ..actor }
    }
}

fn refused() -> Error {
    Error::new(&problem::UNAUTHENTICATED).detail("The token or key is not valid, or it has expired or was revoked.")
}

/// Authenticates a request by its bearer token, which is an access token or an API key.
///
/// # Errors
/// `unauthenticated` if the token is not or no longer valid.
pub fn authenticate(app: &App, token: &str, request: &RequestIdentity<'_>) -> Result<Actor> {
    let now = app.clock.now();
    if token.starts_with(SecretKind::ApiKey.prefix()) {
        let secret = Secret::parse(SecretKind::ApiKey, token).ok_or_else(refused)?;
        let key = app.access.authenticate_key(&secret.digest(), now).ok_or_else(refused)?;
        let actor = request.actor(Principal::ApiKey { id: key.key, owner: key.owner }, None, key.permissions);
        return Ok(Actor { second_factor_due: key.second_factor_due, ..actor });
    }
    let claims = app.tokens.verify(token, now)?;
    let identity = app.access.authenticate_session(&claims, now).ok_or_else(refused)?;
    Ok(Actor { valid_until: Some(claims.expires), ..request.actor_of(identity) })
}

/// Resolves when this process knows all that another process on the same journal has acknowledged or revoked before.
///
/// # Errors
/// `overloaded` if the journal does not answer in time.
pub async fn current(app: &App) -> Result<()> {
    app.store.current().await
}

/// Authenticates a request of a browser by both halves of its session: one of these cookies, and its console key.
///
/// # Errors
/// `unauthenticated` if they do not belong together, or their session has ended.
pub fn authenticate_browser(
    app: &App,
    cookies: &[Secret],
    console_key: &Secret,
    request: &RequestIdentity<'_>,
) -> Result<Actor> {
    let (now, key) = (app.clock.now(), console_key.digest());
    let identity = cookies.iter().find_map(|cookie| app.access.authenticate_browser(&cookie.digest(), &key, now));
    identity.map(|identity| request.actor_of(identity)).ok_or_else(refused)
}

/// The same actor with its current permissions. Long operations call this while they run.
///
/// # Errors
/// `unauthenticated` if the session has ended, the key was revoked, or the user was disabled;
/// `second_factor_setup_required` if that has become due.
pub fn recheck(app: &App, actor: &Actor) -> Result<Actor> {
    let now = app.clock.now();
    let current = match actor.principal {
        Principal::User { id, session: Some(session) } => app.access.session(id, session, now).map(|identity| Actor {
            permissions: identity.permissions,
            role: Some(identity.role),
            second_factor_due: identity.second_factor_due,
            ..actor.clone()
        }),
        Principal::ApiKey { id, .. } => app.access.key(id, now).map(|key| Actor {
            permissions: key.permissions,
            second_factor_due: key.second_factor_due,
            ..actor.clone()
        }),
        Principal::User { session: None, .. } | Principal::System => Some(actor.clone()),
    };
    let refused = || Error::new(&problem::UNAUTHENTICATED).detail("The credentials are not valid any more.");
    let current = current.ok_or_else(refused)?;
    require_second_factor(&current)?;
    Ok(current)
}

/// Refuses an actor who has to set up a second factor first.
///
/// # Errors
/// `second_factor_setup_required`.
pub fn require_second_factor(actor: &Actor) -> Result<()> {
    if actor.second_factor_due { Err(Error::new(&problem::SECOND_FACTOR_SETUP_REQUIRED)) } else { Ok(()) }
}
