//! Logging in with an e-mail address and a password.

use super::{
    super::audit::{self, entry},
    Credentials, Source,
};
use crate::{
    app::App,
    auth::{
        Principal,
        access::CachedSession,
        secret::{Secret, SecretKind},
    },
    domain::{
        audit::AuditOutcome,
        id::{SessionId, UserId},
        user::{Email, User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        sessions::{self, Session},
        users,
    },
    telemetry::metrics::SUCCEEDED,
};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

/// The largest number of sessions that a user can have at once.
const MAX_SESSIONS: usize = 100;

/// Starts a session.
///
/// # Errors
/// `invalid_credentials` for an unknown address, a wrong password and a disabled user alike, after the same time;
/// `login_delayed` or `rate_limited` after too many failures.
pub async fn log_in(app: &App, source: Source, email: &str, password: &str) -> Result<Credentials> {
    let outcome = authenticate(app, source, email, password).await;
    match &outcome {
        Ok(credentials) => {
            tracing::info!(auth.outcome = SUCCEEDED, user.id = %credentials.user.id.0, "log-in");
            app.metrics.log_ins.count(SUCCEEDED);
        }
        Err(refusal) => {
            tracing::warn!(auth.outcome = refusal.problem().code, "log-in failed");
            app.metrics.log_ins.count(refusal.problem().code);
        }
    }
    outcome
}

async fn authenticate(app: &App, source: Source, email: &str, password: &str) -> Result<Credentials> {
    let address = source.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let parsed = Email::parse(email);
    let account = parsed.as_ref().map_or(email, Email::as_str);
    app.login_delays.check(account, address, app.clock.now())?;
    let found = match &parsed {
        Some(email) => app.store.read("auth.login", |tx| users::by_email(tx, email)).await?,
        None => None,
    };
    let (user, hash) = found.unzip();
    let verdict = app.hasher.verify(password, hash.clone()).await?;
    let (Some(user), Some(hash), true) = (active(user.as_ref()), hash, verdict.matches) else {
        let refusal = app.login_delays.record_failure(account, address, app.clock.now());
        record_failure(app, &source, user.map(|user| user.id), &refusal);
        return Err(refusal);
    };
    app.login_delays.record_success(account, address, app.clock.now())?;
    // If hashing again fails now, a later log-in does it.
    let new_hash = if verdict.outdated { app.hasher.rehash(password).await.ok() } else { None };
    start_session(app, source, user.id, VerifiedPassword { hash, new_hash }).await
}

fn active(user: Option<&User>) -> Option<&User> {
    user.filter(|user| user.status == UserStatus::Active)
}

/// Adds a failed log-in to the audit trail, without the typed e-mail address, because people type passwords there.
fn record_failure(app: &App, source: &Source, user: Option<UserId>, refusal: &Error) {
    let changes = json!({"code": refusal.problem().code});
    let mut note = entry(&source.actor(Principal::System), "auth.login", None, AuditOutcome::Failure, &changes);
    "anonymous".clone_into(&mut note.actor);
    note.target = user.map(|id| id.to_string());
    note.address_of = user;
    match user {
        Some(_) => app.refusals.failed_log_in(note),
        None => app.refusals.failed_log_in_of_stranger(note, app.clock.now()),
    }
}

struct VerifiedPassword {
    /// The stored hash that the password has matched.
    hash: String,
    /// The hash to store in its place, if it is outdated.
    new_hash: Option<String>,
}

async fn start_session(app: &App, source: Source, user: UserId, password: VerifiedPassword) -> Result<Credentials> {
    let refresh_token = Secret::generate(SecretKind::RefreshToken)?;
    let (shared, digest) = (app.clone(), refresh_token.digest());
    let (session, user) = app
        .store
        .write("auth.login", move |tx| {
            let user = require_unchanged(tx, user, &password.hash)?;
            if let Some(new_hash) = &password.new_hash {
                users::set_password(tx, user.id, new_hash)?;
            }
            let session = insert(tx, &shared, &source, user.id, digest)?;
            let actor = source.actor(Principal::User { id: user.id, session: Some(session.id) });
            let ended = end_excess_sessions(tx, &shared, user.id)?;
            let ended: Vec<_> = ended.iter().map(ToString::to_string).collect();
            let changes = if ended.is_empty() { json!({}) } else { json!({"ended_sessions": ended}) };
            audit::record(tx, &actor, "auth.login", Some(&session.id), &changes)?;
            Ok((session, user))
        })
        .await?;
    Credentials::issue(app, &session, &refresh_token, &user)
}

/// Refuses the log-in if the user was disabled or the password changed while the password was being verified.
fn require_unchanged(tx: &WriteTx<'_>, id: UserId, hash: &str) -> Result<User> {
    let user = users::by_id(tx, id)?.filter(|user| user.status == UserStatus::Active);
    let is_unchanged = users::password_hash(tx, id)?.is_some_and(|current| current == hash);
    user.filter(|_| is_unchanged).ok_or_else(|| Error::new(&problem::INVALID_CREDENTIALS))
}

fn insert(tx: &WriteTx<'_>, app: &App, source: &Source, user: UserId, refresh_digest: [u8; 32]) -> Result<Session> {
    let now = tx.now();
    let session = Session {
        id: tx.new_id(),
        user_id: user,
        refresh_digest,
        previous: None,
        created_at: now,
        last_used_at: now,
        expires_at: now.plus(app.config.auth.refresh_ttl),
        ip: source.address.map(|address| address.to_string()),
        user_agent: source.user_agent.clone(),
    };
    sessions::insert(tx, &session)?;
    let (app, id, cached) = (app.clone(), session.id, CachedSession::from(&session));
    tx.after_commit(move || app.access.put_session(id, cached));
    Ok(session)
}

/// Ends the sessions of a user beyond [`MAX_SESSIONS`], those used longest ago first. The new session is never among them.
fn end_excess_sessions(tx: &WriteTx<'_>, app: &App, user: UserId) -> Result<Vec<SessionId>> {
    let ended = sessions::excess(tx, user, tx.now(), MAX_SESSIONS)?;
    for &session in &ended {
        sessions::end(tx, session)?;
        let app = app.clone();
        tx.after_commit(move || app.access.end_session(session));
    }
    Ok(ended)
}
