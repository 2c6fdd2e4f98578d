//! Logging in.

use super::{
    super::audit::{self, entry},
    Credentials, Source, credentials,
};
use crate::{
    app::{App, facts},
    auth::{
        Principal,
        secret::{Kind, Secret},
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

/// Sessions that a user has at once at most.
const MOST_SESSIONS: usize = 100;

/// Begins a session. The answer is the same, and takes as long, for an unknown address, a wrong password and a user who
/// may not log in.
pub async fn log_in(app: &App, source: Source, email: &str, password: &str) -> Result<Credentials> {
    let outcome = attempt(app, source, email, password).await;
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

async fn attempt(app: &App, source: Source, email: &str, password: &str) -> Result<Credentials> {
    let address = source.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let spelled = Email::parse(email);
    let account = spelled.as_ref().map_or(email, Email::as_str);
    app.login_delays.check(account, address, app.clock.now())?;
    let found = match &spelled {
        Some(email) => app.store.read("auth.login", |tx| users::by_email(tx, email)).await?,
        None => None,
    };
    let (user, hash) = found.unzip();
    let verdict = app.hasher.verify(password, hash.clone()).await?;
    let (Some(user), Some(hash), true) = (active(user.as_ref()), hash, verdict.matches) else {
        let refusal = app.login_delays.record_failure(account, address, app.clock.now());
        note_failure(app, &source, user.map(|user| user.id), &refusal);
        return Err(refusal);
    };
    app.login_delays.record_success(account, address, app.clock.now())?;
    // A hash that cannot be renewed now is renewed at another log-in.
    let renewed = if verdict.outdated { app.hasher.renew(password).await.ok() } else { None };
    begin(app, source, user.id, Verified { hash, renewed }).await
}

fn active(user: Option<&User>) -> Option<&User> {
    user.filter(|user| user.status == UserStatus::Active)
}

/// A failed log-in goes into the audit trail: without the address that was typed, which may be a password.
fn note_failure(app: &App, source: &Source, user: Option<UserId>, refusal: &Error) {
    let changes = json!({"code": refusal.problem().code});
    let mut note = entry(&source.actor(Principal::System), "auth.login", None, AuditOutcome::Failure, &changes);
    "anonymous".clone_into(&mut note.actor);
    note.target = user.map(|id| id.to_string());
    match user {
        Some(_) => app.notes.failed(note),
        None => app.notes.failed_for_nobody(note, app.clock.now()),
    }
}

/// The hash that a password has matched, and the one to put in its place.
struct Verified {
    hash: String,
    renewed: Option<String>,
}

async fn begin(app: &App, source: Source, user: UserId, verified: Verified) -> Result<Credentials> {
    let refresh = Secret::generate(Kind::RefreshToken)?;
    let (shared, digest) = (app.clone(), refresh.digest());
    let (session, user) = app
        .store
        .write("auth.login", move |tx| {
            let user = still_welcome(tx, user, &verified.hash)?;
            if let Some(renewed) = &verified.renewed {
                users::set_password(tx, user.id, renewed)?;
            }
            let session = insert(tx, &shared, &source, user.id, digest)?;
            let actor = source.actor(Principal::User { id: user.id, session: Some(session.id) });
            let ended = end_beyond(tx, &shared, user.id)?;
            let ended: Vec<_> = ended.iter().map(ToString::to_string).collect();
            let changes = if ended.is_empty() { json!({}) } else { json!({"ended_sessions": ended}) };
            audit::record(tx, &actor, "auth.login", Some(&session.id), &changes)?;
            Ok((session, user))
        })
        .await?;
    credentials(app, &session, &refresh, &user)
}

/// Comparing passwords takes time, in which the user may have been disabled or the password changed.
fn still_welcome(tx: &WriteTx<'_>, id: UserId, hash: &str) -> Result<User> {
    let user = users::by_id(tx, id)?.filter(|user| user.status == UserStatus::Active);
    let unchanged = users::password_hash(tx, id)?.is_some_and(|present| present == hash);
    user.filter(|_| unchanged).ok_or_else(|| Error::new(&problem::INVALID_CREDENTIALS))
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
    let (app, id, facts) = (app.clone(), session.id, facts::of_session(&session));
    tx.after_commit(move || app.access.put_session(id, facts));
    Ok(session)
}

/// Ends what a user has beyond [`MOST_SESSIONS`]: the ones used longest ago, which the newest is not.
fn end_beyond(tx: &WriteTx<'_>, app: &App, user: UserId) -> Result<Vec<SessionId>> {
    let ended = sessions::beyond(tx, user, tx.now(), MOST_SESSIONS)?;
    for &session in &ended {
        sessions::end(tx, session)?;
        let app = app.clone();
        tx.after_commit(move || app.access.end_session(session));
    }
    Ok(ended)
}
