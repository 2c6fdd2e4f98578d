//! Changing one's own password. Setting the password of another user is an update of that user.

use super::{audit, sessions};
use crate::{
    app::App,
    auth::{Actor, password::Owner},
    domain::{id::UserId, user::User},
    error::{Error, Fault, Field, Result, problem},
    store::users,
};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

/// Changes the caller's password and ends the caller's other sessions.
///
/// # Errors
/// `validation_failed` if the current password is wrong or the new one breaks a rule, or both.
pub async fn change(app: &App, actor: Actor, current: &str, new: &str) -> Result<()> {
    let id = actor.user_id().ok_or_else(sessions::session_required)?;
    let found = app.store.read("auth.password", |tx| {
        let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
        Ok((user, users::password_hash(tx, id)?.ok_or_else(Error::absent)?))
    });
    let (user, hash) = found.await?;
    let owner = Owner { email: user.address(), name: user.display_name() };
    let accepted = app.password_rules.check(new, owner, Field::NewPassword);
    let fault = verify(app, &actor, &user, current, &hash).await?;
    let accepted = match (accepted, fault) {
        (Ok(accepted), None) => accepted,
        (accepted, fault) => {
            return Err(Error::invalid(fault.into_iter().chain(accepted.err().into_iter().flatten()).collect()));
        }
    };
    let new_hash = app.hasher.hash(accepted).await?;
    replace(app, actor, id, hash, new_hash).await
}

/// Verifies the current password and returns the fault if it is wrong. The delays of log-ins apply to guesses here too.
async fn verify(app: &App, actor: &Actor, user: &User, current: &str, hash: &str) -> Result<Option<Fault>> {
    let (account, now) = (user.address(), || app.clock.now());
    let address = actor.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    app.login_delays.check(account, address, now())?;
    if app.hasher.verify(current, Some(hash.to_owned())).await?.matches {
        app.login_delays.record_success(account, address, now())?;
        return Ok(None);
    }
    let refusal = app.login_delays.record_failure(account, address, now());
    if refusal.is(&problem::INVALID_CREDENTIALS) { Ok(Some(wrong_password())) } else { Err(refusal) }
}

fn wrong_password() -> Fault {
    Fault::new(Field::CurrentPassword, "wrong_password", "must be the present password")
}

async fn replace(app: &App, actor: Actor, id: UserId, old_hash: String, new_hash: String) -> Result<()> {
    let shared = app.clone();
    app.store
        .write("auth.password", move |tx| {
            // Another request may have changed the password while the new one was being hashed.
            if users::password_hash(tx, id)?.as_ref() != Some(&old_hash) {
                return Err(Error::invalid(vec![wrong_password()]));
            }
            users::set_password(tx, id, &new_hash)?;
            let ended = sessions::end_all(tx, &shared, id, actor.session())?;
            audit::record(tx, &actor, "auth.password", Some(&id), &json!({"sessions_ended": ended}))
        })
        .await
}
