//! Changing one's own password.

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

/// Changes the caller's password and ends their other sessions.
pub async fn change(app: &App, actor: Actor, current: &str, new: &str) -> Result<()> {
    let id = actor.user_id().ok_or_else(sessions::not_for_keys)?;
    let found = app.store.read("auth.password", |tx| {
        let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
        Ok((user, users::password_hash(tx, id)?.ok_or_else(Error::absent)?))
    });
    let (user, hash) = found.await?;
    let owner = Owner { email: user.email.as_str(), name: &user.name };
    let accepted = app.password_rules.check(new, owner, Field::NewPassword);
    let wrong = verify(app, &actor, &user, current, &hash).await?;
    let accepted = match (accepted, wrong) {
        (Ok(accepted), None) => accepted,
        (accepted, wrong) => {
            return Err(Error::invalid(wrong.into_iter().chain(accepted.err().into_iter().flatten()).collect()));
        }
    };
    let new_hash = app.hasher.hash(accepted).await?;
    replace(app, actor, id, hash, new_hash).await
}

/// What is wrong with the password that the caller shows. Guessing it is limited as log-ins are.
async fn verify(app: &App, actor: &Actor, user: &User, shown: &str, hash: &str) -> Result<Option<Fault>> {
    let (account, now) = (user.email.as_str(), || app.clock.now());
    let address = actor.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    app.login_delays.check(account, address, now())?;
    if app.hasher.verify(shown, Some(hash.to_owned())).await?.matches {
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
            // Hashing takes time, in which another request may have changed it.
            if users::password_hash(tx, id)?.as_ref() != Some(&old_hash) {
                return Err(Error::invalid(vec![wrong_password()]));
            }
            users::set_password(tx, id, &new_hash)?;
            let ended = sessions::end_all(tx, &shared, id, actor.session())?;
            audit::record(tx, &actor, "auth.password", Some(&id), &json!({"sessions_ended": ended}))
        })
        .await
}
