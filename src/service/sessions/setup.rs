//! The first administrator: made by whoever holds the set-up token, or named by the environment.

use super::{
    super::{
        users::{self, NewUser},
        views::UserView,
    },
    Source,
};
use crate::{
    app::{App, SetupToken},
    auth::{
        Principal,
        secret::{Secret, SecretKind, same_digest},
    },
    error::{Error, Result, problem},
    store::users as rows,
};
use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a set-up token is good.
const SETUP_TIME: Duration = Duration::from_hours(24);

fn offered(app: &App) -> MutexGuard<'_, Option<SetupToken>> {
    app.setup.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the token that the first administrator is made with, while there is no user.
pub async fn offer_setup(app: &App) -> Result<Option<Secret>> {
    if app.store.read("setup.offer", rows::any).await? {
        return Ok(None);
    }
    let secret = Secret::generate(SecretKind::SetupToken)?;
    *offered(app) = Some(SetupToken { digest: secret.digest(), expires_at: app.clock.now().plus(SETUP_TIME) });
    Ok(Some(secret))
}

/// Makes the first administrator for the holder of the set-up token.
pub async fn set_up(app: &App, source: &Source, token: &str, new: NewUser) -> Result<UserView> {
    if app.store.read("auth.setup", rows::any).await? {
        return Err(Error::new(&problem::ALREADY_SET_UP));
    }
    let shown = Secret::parse(SecretKind::SetupToken, token).map(|secret| secret.digest());
    let good = shown.is_some_and(|shown| {
        offered(app).as_ref().is_some_and(|o| same_digest(&o.digest, &shown) && app.clock.now() < o.expires_at)
    });
    if !good {
        return Err(Error::new(&problem::INVALID_SETUP_TOKEN));
    }
    let user = first_admin(app, source, new).await?;
    offered(app).take();
    Ok(user)
}

/// Makes an administrator if there is no user at all.
///
/// # Errors
/// `ALREADY_SET_UP` if there is one.
pub async fn first_admin(app: &App, source: &Source, new: NewUser) -> Result<UserView> {
    let system = source.actor(Principal::System);
    let (email, password) = users::accepted(app, &new)?;
    let hash = app.hasher.hash(password).await?;
    let (access, new) = (app.clone(), Arc::new(new));
    let user = app
        .store
        .write("auth.setup", move |tx| {
            if rows::any(tx)? {
                return Err(Error::new(&problem::ALREADY_SET_UP));
            }
            users::insert(tx, &access, &system, (&email, &new), &hash, "auth.setup")
        })
        .await?;
    Ok(UserView::from(&user))
}
