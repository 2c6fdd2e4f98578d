//! Logging in with an e-mail address and a password.

use super::{
    super::audit::entry,
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
use std::net::{IpAddr, Ipv4Addr};

/// What somebody types to log in.
#[derive(Clone, Copy)]
pub struct PasswordLogin<'a> {
    /// The e-mail address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Starts a session of a program.
///
/// # Errors
/// `invalid_credentials` for an unknown address, a wrong password and a disabled user alike, after the same time;
/// `login_delayed` or `rate_limited` after too many failures.
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
    match &outcome {
        Ok((_, user)) => {
            tracing::info!(auth.outcome = SUCCEEDED, user.id = %user.id, "log-in");
            app.metrics.log_ins.count(SUCCEEDED);
        }
        Err(refusal) => {
            tracing::warn!(auth.outcome = refusal.problem().code, "log-in failed");
            app.metrics.log_ins.count(refusal.problem().code);
        }
    }
    outcome
}

async fn try_to_start(
    app: &App,
    name: &'static str,
    source: Source,
    login: PasswordLogin<'_>,
    secrets: Secrets,
) -> Result<(Session, User)> {
    let proven = authenticate(app, name, &source, login).await?;
    let shared = app.clone();
    app.store
        .write(name, move |tx| {
            let user = require_unchanged(tx, &proven)?;
            if let Some(new_hash) = &proven.new_hash {
                users::set_password(tx, user.id, new_hash)?;
            }
            let session = start::start(tx, &shared, &NewSession { name, source: &source, user: user.id, secrets })?;
            Ok((session, User { last_login_at: Some(tx.now()), ..user }))
        })
        .await
}

/// A user whose password was right.
struct Proven {
    user: UserId,
    /// The stored hash that the password has matched.
    hash: String,
    /// The hash to store in its place, if it is outdated.
    new_hash: Option<String>,
}

async fn authenticate(app: &App, name: &'static str, source: &Source, login: PasswordLogin<'_>) -> Result<Proven> {
    let PasswordLogin { email, password } = login;
    let address = source.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let parsed = Email::parse(email);
    let account = parsed.as_ref().map_or(email, Email::as_str);
    app.login_delays.check(account, address, app.clock.now())?;
    let found = match &parsed {
        Some(email) => app.store.read(name, |tx| users::by_email(tx, email)).await?,
        None => None,
    };
    let (user, hash) = found.unzip();
    let verdict = app.hasher.verify(password, hash.clone()).await?;
    let (Some(user), Some(hash), true) = (active(user.as_ref()), hash, verdict.matches) else {
        let refusal = app.login_delays.record_failure(account, address, app.clock.now());
        record_failure(app, name, source, user.map(|user| user.id), &refusal);
        return Err(refusal);
    };
    app.login_delays.record_success(account, address, app.clock.now())?;
    // If hashing again fails now, a later log-in does it.
    let new_hash = if verdict.outdated { app.hasher.rehash(password).await.ok() } else { None };
    Ok(Proven { user: user.id, hash, new_hash })
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
