//! Continuing a session: a refresh token is exchanged for the next one. A token that was exchanged before is in the
//! wrong hands, whoever shows it, and ends its session; but an answer may get lost on the way, so the token before the
//! present one gives the same answer again for a moment.

use super::{super::audit, Credentials, Source, credentials};
use crate::{
    app::{App, facts},
    auth::{
        Principal,
        secret::{Kind, Secret, same_digest},
    },
    domain::{
        audit::AuditOutcome,
        time::Timestamp,
        user::{User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        sessions::{self, Session},
        users,
    },
};
use serde_json::json;
use std::time::Duration;

/// How long after its use a token gives the same answer again.
const GRACE: Duration = Duration::from_secs(10);

/// What became of a refresh token.
enum Exchange {
    /// Its session goes on with this token.
    Next(Box<(Session, User, Secret)>),
    /// It had been used before, and its session has ended.
    Reused,
}

/// Exchanges a refresh token for the next credentials of its session.
///
/// # Errors
/// `INVALID_REFRESH_TOKEN` if it is unknown, expired or was used before.
pub async fn refresh(app: &App, source: Source, token: &str) -> Result<Credentials> {
    let refused = || Error::new(&problem::INVALID_REFRESH_TOKEN);
    let shown = Secret::parse(Kind::RefreshToken, token).ok_or_else(refused)?;
    let shared = app.clone();
    let exchange = app.store.write("auth.refresh", move |tx| exchange(tx, &shared, &source, &shown)).await?;
    match exchange {
        Exchange::Next(next) => {
            let (session, user, token) = *next;
            credentials(app, &session, &token, &user)
        }
        Exchange::Reused => {
            tracing::warn!(
                auth.outcome = "refresh_token_reused",
                "a refresh token was used again; its session has ended"
            );
            Err(refused())
        }
    }
}

/// The end of a session has to be committed, so a reused token is no error here.
fn exchange(tx: &WriteTx<'_>, app: &App, source: &Source, shown: &Secret) -> Result<Exchange> {
    let refused = || Error::new(&problem::INVALID_REFRESH_TOKEN);
    let digest = shown.digest();
    let session = sessions::by_token(tx, &digest)?.filter(|session| tx.now() < session.expires_at);
    let session = session.ok_or_else(refused)?;
    let user = users::by_id(tx, session.user_id)?.filter(|user| user.status == UserStatus::Active);
    let user = user.ok_or_else(refused)?;
    let successors = app.tokens.successors(shown);
    if same_digest(&session.refresh_digest, &digest) {
        let next = successors.into_iter().next().ok_or_else(|| Error::internal("no key signs"))?;
        let session = go_on(tx, app, session, &next)?;
        return Ok(Exchange::Next(Box::new((session, user, next))));
    }
    let again = successors.into_iter().find(|next| same_digest(&next.digest(), &session.refresh_digest));
    match again.filter(|_| within_grace(&session, &digest, tx.now())) {
        Some(next) => Ok(Exchange::Next(Box::new((session, user, next)))),
        None => end(tx, app, source, &session).map(|()| Exchange::Reused),
    }
}

fn within_grace(session: &Session, used: &[u8; 32], now: Timestamp) -> bool {
    session.previous.is_some_and(|(digest, at)| same_digest(&digest, used) && now <= at.plus(GRACE))
}

fn go_on(tx: &WriteTx<'_>, app: &App, session: Session, next: &Secret) -> Result<Session> {
    let expires_at = tx.now().plus(app.config.auth.refresh_ttl);
    sessions::rotate(tx, &session, &next.digest(), expires_at)?;
    let session = Session { expires_at, ..session };
    let (app, id, facts) = (app.clone(), session.id, facts::of_session(&session));
    tx.after_commit(move || app.access.put_session(id, facts));
    Ok(session)
}

fn end(tx: &WriteTx<'_>, app: &App, source: &Source, session: &Session) -> Result<()> {
    let id = session.id;
    sessions::end(tx, id)?;
    let actor = source.actor(Principal::User { id: session.user_id, session: Some(id) });
    let changes = json!({"reason": "a refresh token was used again", "session_ended": true});
    audit::record_as(tx, &actor, "auth.refresh", Some(&id), AuditOutcome::Denied, &changes)?;
    let app = app.clone();
    tx.after_commit(move || app.access.end_session(id));
    Ok(())
}
