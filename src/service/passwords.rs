//! Changing one's own password. Setting the password of another user is an update of that user.

use super::{audit, guesses::Guesses, sessions};
use crate::{
    app::App,
    auth::{Actor, password::Owner},
    domain::id::UserId,
    error::{Error, Fault, Field, Result, problem},
    store::{password_resets, users},
};
use serde_json::json;

/// Changes the caller's password and ends the caller's other sessions.
///
/// # Errors
/// `validation_failed` if the current password is wrong or the new one breaks a rule, or both.
pub async fn change(app: &App, actor: Actor, current: &str, new: &str) -> Result<()> {
    let id = actor.user_id().ok_or_else(sessions::session_required)?;
    let found = app.store.read("auth.password", |tx| {
        Ok((users::by_id(tx, id)?.ok_or_else(Error::absent)?, users::password_hash(tx, id)?))
    });
    let (user, hash) = found.await?;
    let owner = Owner { email: user.address(), name: user.display_name() };
    let accepted = app.password_rules.check(new, owner, Field::NewPassword);
    let guesses = Guesses::about_oneself(app, &actor, &user);
    let current = match require(app, &guesses, current, hash.clone(), Field::CurrentPassword).await {
        // Wrong guesses meanwhile refuse this one too, before it is told that the password is right.
        Ok(()) => guesses.check().map(|()| None)?,
        Err(error) if error.is(&problem::VALIDATION_FAILED) => Some(wrong(Field::CurrentPassword)),
        Err(error) => return Err(error),
    };
    let accepted = match (accepted, current) {
        (Ok(accepted), None) => accepted,
        (accepted, current) => {
            return Err(Error::invalid(current.into_iter().chain(accepted.err().into_iter().flatten()).collect()));
        }
    };
    guesses.succeeded()?;
    let new_hash = app.hasher.hash(accepted).await?;
    replace(app, actor, id, hash, new_hash).await
}

/// Refuses a wrong password, and counts it as a guess. A right one does not reset the count: that is for the caller,
/// once everything was right.
///
/// # Errors
/// `validation_failed` at `field` if the password is wrong; `login_delayed` or `rate_limited` after too many guesses.
pub(super) async fn require(
    app: &App,
    guesses: &Guesses,
    password: &str,
    hash: Option<String>,
    field: Field,
) -> Result<()> {
    guesses.check()?;
    if app.hasher.verify(password, hash).await?.matches {
        return Ok(());
    }
    Err(guesses.failed(Error::invalid(vec![wrong(field)])))
}

/// The fault of a wrong password.
pub(super) fn wrong(field: Field) -> Fault {
    Fault::new(field, "wrong_password", "must be the present password")
}

async fn replace(app: &App, actor: Actor, id: UserId, old_hash: Option<String>, new_hash: String) -> Result<()> {
    app.store
        .write("auth.password", move |tx| {
            // Another request may have changed the password while the new one was being hashed.
            if users::password_hash(tx, id)? != old_hash {
                return Err(Error::invalid(vec![wrong(Field::CurrentPassword)]));
            }
            users::set_password(tx, id, &new_hash)?;
            password_resets::end(tx, id)?;
            let ended = sessions::end_all(tx, id, actor.session())?;
            audit::record(tx, &actor, "auth.password", Some(&id), &json!({"sessions_ended": ended}))
        })
        .await
}
