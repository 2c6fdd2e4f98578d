//! Logging in with an e-mail address and a password, and with a code where the user has a second factor.

use super::{
    super::{
        audit::entry,
        guesses::Guesses,
        second_factor::{self, UsedCode},
    },
    Credentials, Source,
    start::{self, NewSession},
};
use crate::{
    app::App,
    auth::{
        Principal,
        secret::{Secret, SecretKind},
    },
    domain::{
        audit::AuditOutcome,
        id::UserId,
        user::{Email, User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        sessions::{RefreshTokens, Secrets, Session},
        users,
    },
    telemetry::metrics::SUCCEEDED,
};
use serde_json::json;
use zeroize::Zeroizing;

/// What somebody types to log in.
#[derive(Clone, Copy)]
pub struct PasswordLogin<'a> {
    /// The e-mail address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// A code of the second factor, or a recovery code.
    pub code: Option<&'a str>,
}

/// Starts a session of a program.
///
/// # Errors
/// `invalid_credentials` for an unknown address, a wrong password and a disabled user alike, after the same time;
/// `second_factor_required` if the password was right and a code is missing, wrong or used; `login_delayed` or
/// `rate_limited` after too many failures.
pub async fn log_in(app: &App, source: Source, login: PasswordLogin<'_>) -> Result<Credentials> {
    let refresh_token = Secret::generate(SecretKind::RefreshToken)?;
    let tokens = RefreshTokens { current: refresh_token.digest(), previous: None };
    let (session, user) = start_session(app, "auth.login", source, login, Secrets::Program(tokens)).await?;
    Credentials::issue(app, &session, &refresh_token, &user)
}

/// Starts a session with these secrets for whom `login` proves to be a user. `name` is the operation.
pub(super) async fn start_session(
    app: &App,
    name: &'static str,
    source: Source,
    login: PasswordLogin<'_>,
    secrets: Secrets,
) -> Result<(Session, User)> {
    let outcome = try_to_start(app, name, source, login, secrets).await;
    report_log_in(app, outcome.as_ref().map(|(_, user)| user.id));
    outcome
}

/// Logs and counts the outcome of a log-in.
pub(in crate::service) fn report_log_in(app: &App, outcome: Result<UserId, &Error>) {
    match outcome {
        Ok(user) => {
            tracing::info!(auth.outcome = SUCCEEDED, user.id = %user, "log-in");
            app.metrics.log_ins.count(SUCCEEDED);
        }
        Err(refusal) => {
            tracing::warn!(auth.outcome = refusal.problem().code, "log-in failed");
            app.metrics.log_ins.count(refusal.problem().code);
        }
    }
}

async fn try_to_start(
    app: &App,
    name: &'static str,
    source: Source,
    login: PasswordLogin<'_>,
    secrets: Secrets,
) -> Result<(Session, User)> {
    let guesses = Guesses::about(app, login.email, source.address);
    let proven = authenticate(app, name, &source, login, &guesses).await?;
    let (user, has_code) = (proven.user, proven.code.is_some());
    let (shared, origin, counted) = (app.clone(), source.clone(), guesses.clone());
    let start = move |tx: &WriteTx<'_>| {
        let user = require_unchanged(tx, &proven)?;
        let code = require_code(tx, &shared, &user, proven.code.as_ref().map(|code| code.as_str()))?;
        counted.succeeded()?;
        if let Some(new_hash) = &proven.new_hash {
            users::set_password(tx, user.id, new_hash)?;
        }
        let changes = code.map_or_else(|| json!({}), UsedCode::audited);
        let session = NewSession { name, source: &origin, user: user.id, secrets, by_provider: false, changes };
        let session = start::start(tx, &shared, session)?;
        Ok((session, User { last_login_at: Some(tx.now()), ..user }))
    };
    let outcome = app.store.write(name, start).await;
    outcome.map_err(|error| {
        if !has_code || !error.is(&problem::SECOND_FACTOR_REQUIRED) {
            return error;
        }
        let refusal = guesses.failed(error);
        record_failure(app, name, &source, Some(user), &refusal);
        refusal
    })
}

/// A user whose password was right.
struct Proven {
    user: UserId,
    /// The stored hash that the password has matched.
    hash: String,
    /// The hash to store in its place, if it is outdated.
    new_hash: Option<String>,
    /// The code that was typed.
    code: Option<Zeroizing<String>>,
}

async fn authenticate(
    app: &App,
    name: &'static str,
    source: &Source,
    login: PasswordLogin<'_>,
    guesses: &Guesses,
) -> Result<Proven> {
    guesses.check()?;
    let found = match &Email::parse(login.email) {
        Some(email) => app.store.read(name, |tx| users::by_email(tx, email)).await?,
        None => None,
    };
    let (user, hash) = found.unzip();
    let hash = hash.flatten();
    let verdict = app.hasher.verify(login.password, hash.clone()).await?;
    let (Some(user), Some(hash), true) = (active(user.as_ref()), hash, verdict.matches) else {
        let refusal = guesses.failed(Error::new(&problem::INVALID_CREDENTIALS));
        record_failure(app, name, source, user.map(|user| user.id), &refusal);
        return Err(refusal);
    };
    if user.second_factor && login.code.is_none() {
        // This answer tells that the password is right, so it is given only to who may guess now.
        guesses.check()?;
        return Err(Error::new(&problem::SECOND_FACTOR_REQUIRED));
    }
    // If hashing again fails now, a later log-in does it.
    let new_hash = if verdict.outdated { app.hasher.rehash(login.password).await.ok() } else { None };
    Ok(Proven { user: user.id, hash, new_hash, code: login.code.map(|code| Zeroizing::new(code.to_owned())) })
}

fn active(user: Option<&User>) -> Option<&User> {
    user.filter(|user| user.status == UserStatus::Active)
}

/// Adds a failed log-in to the audit trail, without the typed e-mail address, because people type passwords there.
fn record_failure(app: &App, name: &'static str, source: &Source, user: Option<UserId>, refusal: &Error) {
    let changes = json!({"code": refusal.problem().code});
    let mut note = entry(&source.actor(Principal::System), name, None, AuditOutcome::Failure, &changes);
    "anonymous".clone_into(&mut note.actor);
    note.target = user.map(|id| id.to_string());
    note.address_of = user;
    match user {
        Some(_) => app.refusals.failed_log_in(note),
        None => app.refusals.failed_log_in_of_stranger(note, app.clock.now()),
    }
}

/// Refuses the log-in if the user was disabled or the password changed while the password was being verified.
fn require_unchanged(tx: &WriteTx<'_>, proven: &Proven) -> Result<User> {
    let user = users::by_id(tx, proven.user)?.filter(|user| user.status == UserStatus::Active);
    let is_unchanged = users::password_hash(tx, proven.user)?.is_some_and(|current| current == proven.hash);
    user.filter(|_| is_unchanged).ok_or_else(|| Error::new(&problem::INVALID_CREDENTIALS))
}

/// Uses up the code of a user who has a second factor.
fn require_code(tx: &WriteTx<'_>, app: &App, user: &User, code: Option<&str>) -> Result<Option<UsedCode>> {
    if !user.second_factor {
        return Ok(None);
    }
    let used = code.map_or(Ok(None), |code| second_factor::use_code(tx, app, user.id, code))?;
    used.map(Some).ok_or_else(|| Error::new(&problem::SECOND_FACTOR_REQUIRED))
}
