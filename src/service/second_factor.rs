//! The second factor of a user: enrolling an authenticator app, using its codes, and ending it.

use super::{audit, guesses::Guesses, passwords, sessions, users::update_cache};
use crate::{
    app::App,
    auth::{
        Actor,
        second_factor::{TimeStep, TotpSecret, TypedCode, recovery_codes, recovery_digest},
    },
    domain::{
        id::{Identifier, UserId},
        permission::Permission,
        user::User,
    },
    error::{Error, Fault, Field, Result, problem},
    store::{ReadTx, WriteTx, second_factors as rows, users},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A second factor that waits for its first code. Nothing of this is ever shown again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Enrolment")]
pub struct EnrolmentView {
    /// The secret in base32, to be typed into an authenticator app.
    #[schemars(regex(pattern = "^[A-Z2-7]{32}$"))]
    pub secret: String,
    /// The same as an address, for a QR code.
    pub uri: String,
    /// Ten codes for the time when the app is lost, each for one use.
    pub recovery_codes: Vec<String>,
}

/// Begins an enrolment for the caller. It comes into force with the first code. One that was begun before ends.
///
/// # Errors
/// `second_factor_active` while a second factor is in force; `validation_failed` if the password is wrong.
pub async fn begin(app: &App, actor: Actor, password: &str) -> Result<EnrolmentView> {
    let id = actor.user_id().ok_or_else(sessions::session_required)?;
    let (user, hash) = app.store.read("auth.begin_totp", |tx| account(tx, id)).await?;
    refuse_active(&user)?;
    let guesses = Guesses::about_oneself(app, &actor, &user);
    passwords::require(app, &guesses, password, hash.clone(), Field::Password).await?;
    guesses.succeeded()?;
    let (secret, codes) = (TotpSecret::generate()?, recovery_codes(id)?);
    let sealed = app.totp_sealer.seal(id.bytes(), secret.bytes())?;
    let digests: Vec<_> = codes.iter().map(|(_, digest)| *digest).collect();
    let begin = move |tx: &WriteTx<'_>| {
        let (user, present_hash) = account(tx, id)?;
        refuse_active(&user)?;
        if present_hash != hash {
            return Err(Error::invalid(vec![passwords::wrong(Field::Password)]));
        }
        rows::begin(tx, id, &sealed, &digests)?;
        audit::record(tx, &actor, "auth.begin_totp", Some(&id), &json!({}))
    };
    app.store.write("auth.begin_totp", begin).await?;
    Ok(EnrolmentView {
        secret: (*secret.reveal()).clone(),
        uri: (*secret.uri(user.address())).clone(),
        recovery_codes: codes.into_iter().map(|(code, _)| (*code).clone()).collect(),
    })
}

/// Puts the enrolment of the caller in force, by the first code of the app.
///
/// # Errors
/// `second_factor_active` if one is in force; `validation_failed` if the code is wrong or no enrolment was begun.
pub async fn confirm(app: &App, actor: Actor, code: &str) -> Result<()> {
    let id = actor.user_id().ok_or_else(sessions::session_required)?;
    let (user, _) = app.store.read("auth.confirm_totp", |tx| account(tx, id)).await?;
    let guesses = Guesses::about_oneself(app, &actor, &user);
    guesses.check()?;
    let (shared, code, counted) = (app.clone(), Zeroizing::new(code.to_owned()), guesses.clone());
    let confirm = move |tx: &WriteTx<'_>| {
        let (user, _) = account(tx, id)?;
        refuse_active(&user)?;
        let begun = rows::by_user(tx, id)?.ok_or_else(|| Error::invalid(vec![not_begun()]))?;
        use_app_code(tx, &shared, id, &begun, &code)?.ok_or_else(wrong_code)?;
        counted.succeeded()?;
        rows::confirm(tx, id)?;
        audit::record(tx, &actor, "auth.confirm_totp", Some(&id), &json!({}))?;
        changed(tx, id)
    };
    let outcome = app.store.write("auth.confirm_totp", confirm).await;
    outcome.map_err(|error| counting_wrong_codes(&guesses, error))
}

/// Ends the second factor of the caller.
///
/// # Errors
/// `not_found` if there is none in force; `validation_failed` if the password or the code is wrong.
pub async fn end(app: &App, actor: Actor, password: &str, code: &str) -> Result<()> {
    let id = actor.user_id().ok_or_else(sessions::session_required)?;
    let (user, hash) = app.store.read("auth.end_totp", |tx| account(tx, id)).await?;
    if !user.second_factor {
        return Err(Error::absent().detail("No second factor is in force."));
    }
    let guesses = Guesses::about_oneself(app, &actor, &user);
    passwords::require(app, &guesses, password, hash, Field::Password).await?;
    let (shared, code, counted) = (app.clone(), Zeroizing::new(code.to_owned()), guesses.clone());
    let end = move |tx: &WriteTx<'_>| {
        let used = use_code(tx, &shared, id, &code)?.ok_or_else(wrong_code)?;
        counted.succeeded()?;
        rows::end(tx, id)?;
        audit::record(tx, &actor, "auth.end_totp", Some(&id), &used.audited())?;
        changed(tx, id)
    };
    let outcome = app.store.write("auth.end_totp", end).await;
    outcome.map_err(|error| counting_wrong_codes(&guesses, error))
}

/// Ends the second factor of a user who has lost it, and an enrolment that was begun.
///
/// # Errors
/// `permission_not_held` if the actor lacks a permission of the user's role.
pub async fn end_of(app: &App, actor: Actor, id: UserId) -> Result<()> {
    actor.require(Permission::UsersWrite)?;
    app.store
        .write("users.end_totp", move |tx| {
            let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
            super::users::require_to_hold_all_of(tx, &actor, &user)?;
            let was_there = rows::end(tx, id)?;
            audit::record(tx, &actor, "users.end_totp", Some(&id), &json!({"was_in_force": user.second_factor}))?;
            if was_there { changed(tx, id) } else { Ok(()) }
        })
        .await
}

/// How a code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedCode {
    /// It was the app's.
    App,
    /// It was a recovery code, of which this many are left.
    Recovery(i64),
}

impl UsedCode {
    /// What the audit trail says about it.
    pub(super) fn audited(self) -> Value {
        match self {
            Self::App => json!({}),
            Self::Recovery(left) => json!({"recovery_codes_left": left}),
        }
    }
}

/// Uses up a code of a user whose second factor is in force; `None` if the code is wrong, or was used before. The
/// transaction makes sure that of two requests with the same code only one succeeds.
pub(super) fn use_code(tx: &WriteTx<'_>, app: &App, user: UserId, code: &str) -> Result<Option<UsedCode>> {
    let Some(factor) = rows::by_user(tx, user)?.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(None) };
    if let TypedCode::Recovery(plain) = TypedCode::parse(code) {
        let was_there = rows::use_recovery_code(tx, user, &recovery_digest(user, &plain))?;
        return if was_there { Ok(Some(UsedCode::Recovery(rows::recovery_codes_left(tx, user)?))) } else { Ok(None) };
    }
    Ok(use_app_code(tx, app, user, &factor, code)?.map(|()| UsedCode::App))
}

fn use_app_code(
    tx: &WriteTx<'_>,
    app: &App,
    user: UserId,
    factor: &rows::SecondFactor,
    code: &str,
) -> Result<Option<()>> {
    let TypedCode::Totp(code) = TypedCode::parse(code) else { return Ok(None) };
    let Some(secret) = app.totp_sealer.open(user.bytes(), &factor.sealed_secret).map(TotpSecret::from_bytes) else {
        tracing::error!(user.id = %user, "the second factor cannot be read: the key file is another one than when it was made");
        return Ok(None);
    };
    let Some(step) = secret.step_of(&code, tx.now(), TimeStep(factor.last_step)) else { return Ok(None) };
    rows::set_last_step(tx, user, step.0)?;
    Ok(Some(()))
}

fn account(tx: &ReadTx<'_>, id: UserId) -> Result<(User, Option<String>)> {
    let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
    Ok((user, users::password_hash(tx, id)?))
}

fn refuse_active(user: &User) -> Result<()> {
    if user.second_factor { Err(Error::new(&problem::SECOND_FACTOR_ACTIVE)) } else { Ok(()) }
}

fn wrong_code() -> Error {
    Error::invalid(vec![Fault::new(Field::Code, WRONG_CODE, "must be the present code of the app, not used before")])
}

/// The code of the fault of a wrong code, which is counted.
const WRONG_CODE: &str = "wrong_code";

fn not_begun() -> Fault {
    Fault::new(Field::Code, "not_begun", "must follow `POST /v1/auth/totp`, which gives the secret for the app")
}

fn counting_wrong_codes(guesses: &Guesses, error: Error) -> Error {
    let is_guess = error.faults().iter().any(|fault| fault.code == WRONG_CODE);
    if is_guess { guesses.failed(error) } else { error }
}

/// Lets the access cache know, after the commit, whether the user has a second factor.
fn changed(tx: &WriteTx<'_>, id: UserId) -> Result<()> {
    let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
    update_cache(tx, &user);
    Ok(())
}
