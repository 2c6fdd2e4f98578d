//! Creating the first administrator: over the API by the holder of the set-up token, or at start from the environment.

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
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

/// How long a set-up token is valid.
const SETUP_TOKEN_TTL: Duration = Duration::from_hours(24);

fn setup_token(app: &App) -> MutexGuard<'_, Option<SetupToken>> {
    app.setup.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the first administrator is still to be created.
pub fn awaits_setup(app: &App) -> bool {
    setup_token(app).is_some()
}

/// The set-up token: a new one, or the one of the journal. `None` if there is a user already.
pub async fn offer_setup(app: &App) -> Result<Option<Secret>> {
    if app.store.read("setup.offer", rows::any).await? {
        return Ok(None);
    }
    let secret = match app.store.journal_id() {
        // Whichever process the browser gets to, it knows the token that another one has printed.
        Some(journal) => Secret::from_seed(SecretKind::SetupToken, &app.setup_tokens.digest(&journal)),
        None => Secret::generate(SecretKind::SetupToken)?,
    };
    *setup_token(app) = Some(SetupToken { digest: secret.digest(), expires_at: app.clock.now().plus(SETUP_TOKEN_TTL) });
    Ok(Some(secret))
}

/// Creates the first administrator for the holder of the set-up token.
///
/// # Errors
/// `already_set_up` if there is a user; `invalid_setup_token` if the token is wrong or has expired.
pub async fn set_up(app: &App, source: &Source, token: &str, new: NewUser) -> Result<UserView> {
    if app.store.read("auth.setup", rows::any).await? {
        return Err(Error::new(&problem::ALREADY_SET_UP));
    }
    let digest = Secret::parse(SecretKind::SetupToken, token).map(|secret| secret.digest());
    let is_valid = digest.is_some_and(|digest| {
        let expected = setup_token(app);
        expected.as_ref().is_some_and(|token| same_digest(&token.digest, &digest) && app.clock.now() < token.expires_at)
    });
    if !is_valid {
        return Err(Error::new(&problem::INVALID_SETUP_TOKEN));
    }
    let user = first_admin(app, source, new).await?;
    setup_token(app).take();
    Ok(user)
}

/// Creates an administrator if there is no user at all.
///
/// # Errors
/// `already_set_up` if there is a user.
pub async fn first_admin(app: &App, source: &Source, new: NewUser) -> Result<UserView> {
    let system = source.actor(Principal::System);
    let user = users::validate(app, &new)?.hash_password(app, new).await?;
    let user = app
        .store
        .write("auth.setup", move |tx| {
            if rows::any(tx)? {
                return Err(Error::new(&problem::ALREADY_SET_UP));
            }
            users::insert(tx, &system, &user, "auth.setup")
        })
        .await?;
    Ok(UserView::from(&user))
}
