//! Reset tokens: whoever may change a user makes one and hands it over, and its holder sets a password with it, without
//! knowing the old one. The first password of an invited user is set the same way.

use super::{
    audit,
    guesses::{check_stranger, stranger_failed},
    sessions::{self, Source},
    users::{require_not_erased, require_to_hold_all_of},
    views::AsText,
};
use crate::{
    app::App,
    auth::{
        Actor, Principal,
        password::Owner,
        secret::{Digest, Secret, SecretKind},
    },
    domain::{id::UserId, permission::Permission, time::Timestamp, user::User},
    error::{Error, Field, Result, problem},
    store::{ReadTx, WriteTx, password_resets as rows, users},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// How long a token is valid.
const TTL: Duration = Duration::from_hours(24);

/// A new reset token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ResetToken")]
pub struct ResetTokenView {
    /// The token, for `POST /v1/auth/reset`. It is never shown again.
    pub token: String,
    /// When it stops being valid.
    pub expires_at: AsText<Timestamp>,
}

/// Makes a reset token for a user. Earlier ones end.
///
/// # Errors
/// `user_erased`; `permission_not_held` if the actor lacks a permission of the user's role.
pub async fn create(app: &App, actor: Actor, id: UserId) -> Result<ResetTokenView> {
    actor.require(Permission::UsersWrite)?;
    let token = Secret::generate(SecretKind::ResetToken)?;
    let digest = token.digest();
    let create = move |tx: &WriteTx<'_>| {
        let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
        require_not_erased(&user)?;
        require_to_hold_all_of(tx, &actor, &user)?;
        let expires_at = tx.now().plus(TTL);
        rows::put(tx, id, &digest, expires_at)?;
        audit::record(tx, &actor, "users.reset", Some(&id), &json!({"expires_at": expires_at.to_string()}))?;
        Ok(expires_at)
    };
    let expires_at = app.store.write("users.reset", create).await?;
    Ok(ResetTokenView { token: token.reveal().to_owned(), expires_at: AsText(expires_at) })
}

/// Sets the password of the user whom a reset token was made for, ends their sessions and uses the token up. The user's
/// status and second factor stay.
///
/// # Errors
/// `invalid_reset_token` if the token is unknown, used, replaced or late; `validation_failed` if the password breaks a
/// rule, which does not use the token up.
pub async fn redeem(app: &App, source: Source, token: &str, new: &str) -> Result<()> {
    check_stranger(app, source.address)?;
    let digest = Secret::parse(SecretKind::ResetToken, token).map(|token| token.digest());
    let found = match digest {
        Some(digest) => app.store.read("auth.reset", |tx| owner(tx, &digest, app.clock.now())).await?,
        None => None,
    };
    let (Some(digest), Some(user)) = (digest, found) else {
        let refusal = stranger_failed(app, source.address, invalid());
        tracing::warn!(auth.outcome = refusal.problem().code, "a password reset failed");
        return Err(refusal);
    };
    let owner_words = Owner { email: user.address(), name: user.display_name() };
    let accepted = app.password_rules.check(new, owner_words, Field::NewPassword).map_err(Error::invalid)?;
    let hash = app.hasher.hash(accepted).await?;
    app.store
        .write("auth.reset", move |tx| {
            // The token may have been used or replaced while the password was being hashed.
            let user = owner(tx, &digest, tx.now())?.ok_or_else(invalid)?;
            users::set_password(tx, user.id, &hash)?;
            rows::end(tx, user.id)?;
            let ended = sessions::end_all(tx, user.id, None)?;
            let actor = source.actor(Principal::User { id: user.id, session: None });
            audit::record(tx, &actor, "auth.reset", Some(&user.id), &json!({"sessions_ended": ended}))
        })
        .await
}

fn owner(tx: &ReadTx<'_>, digest: &Digest, now: Timestamp) -> Result<Option<User>> {
    rows::user_of(tx, digest, now)?.map_or(Ok(None), |id| users::by_id(tx, id))
}

fn invalid() -> Error {
    Error::new(&problem::INVALID_RESET_TOKEN)
}
