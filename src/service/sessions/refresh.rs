//! Refreshing a session. The refresh tokens of a session form a family: each is exchanged once for the next. When a
//! token is used a second time, two parties hold it, so the session ends. Because a response can get lost, the previous
//! token gets the same response again for a short time.

use super::{Credentials, Source};
use crate::{
    app::App,
    auth::{
        Principal,
        secret::{Digest, Secret, SecretKind, same_digest},
    },
    domain::{
        access::{CachedSession, Fact},
        audit::AuditOutcome,
        time::Timestamp,
        user::{User, UserStatus},
    },
    error::{Error, Result, problem},
    service::audit,
    store::{
        WriteTx,
        sessions::{self, RefreshTokens, Session},
        users,
    },
};
use serde_json::json;
use std::time::Duration;

/// How long after its first use a token gets the same response again.
const GRACE: Duration = Duration::from_secs(10);

enum Outcome {
    /// The session continues with the next token.
    Rotated(Box<Rotation>),
    /// The token was used before, so the session has ended.
    Reused,
}

struct Rotation {
    session: Session,
    user: User,
    next_token: Secret,
}

/// Exchanges a refresh token for the next credentials of its session.
///
/// # Errors
/// `invalid_refresh_token` if the token is unknown, has expired or was used before.
pub async fn refresh(app: &App, source: Source, token: &str) -> Result<Credentials> {
    let refused = || Error::new(&problem::INVALID_REFRESH_TOKEN);
    let token = Secret::parse(SecretKind::RefreshToken, token).ok_or_else(refused)?;
    let shared = app.clone();
    let outcome = app.store.write("auth.refresh", move |tx| exchange(tx, &shared, &source, &token)).await?;
    match outcome {
        Outcome::Rotated(rotation) => {
            let Rotation { session, user, next_token } = *rotation;
            Credentials::issue(app, &session, &next_token, &user)
        }
        Outcome::Reused => {
            tracing::warn!(
                auth.outcome = "refresh_token_reused",
                "a refresh token was used again; its session has ended"
            );
            Err(refused())
        }
    }
}

/// A reused token is not an error here, because an error would roll back the end of the session.
fn exchange(tx: &WriteTx<'_>, app: &App, source: &Source, token: &Secret) -> Result<Outcome> {
    let refused = || Error::new(&problem::INVALID_REFRESH_TOKEN);
    let digest = token.digest();
    let session = sessions::by_token(tx, &digest)?.filter(|session| tx.now() < session.expires_at);
    let session = session.ok_or_else(refused)?;
    let tokens = session.refresh_tokens().ok_or_else(refused)?;
    let user = users::by_id(tx, session.user_id)?.filter(|user| user.status == UserStatus::Active);
    let user = user.ok_or_else(refused)?;
    let successors = app.tokens.successors(token);
    if same_digest(&tokens.current, &digest) {
        let next_token = successors.into_iter().next().ok_or_else(|| Error::internal("no key signs"))?;
        let session = rotate(tx, app, session, &digest, &next_token)?;
        return Ok(Outcome::Rotated(Box::new(Rotation { session, user, next_token })));
    }
    let same_successor = successors.into_iter().find(|next| same_digest(&next.digest(), &tokens.current));
    match same_successor.filter(|_| is_within_grace(&tokens, &digest, tx.now())) {
        Some(next_token) => Ok(Outcome::Rotated(Box::new(Rotation { session, user, next_token }))),
        None => end(tx, source, &session).map(|()| Outcome::Reused),
    }
}

fn is_within_grace(tokens: &RefreshTokens, used: &[u8; 32], now: Timestamp) -> bool {
    tokens.previous.is_some_and(|(digest, at)| same_digest(&digest, used) && now <= at.plus(GRACE))
}

fn rotate(tx: &WriteTx<'_>, app: &App, session: Session, used: &Digest, next: &Secret) -> Result<Session> {
    let expires_at = tx.now().plus(app.config.auth.refresh_ttl);
    sessions::rotate(tx, session.id, used, &next.digest(), expires_at)?;
    let session = Session { expires_at, ..session };
    tx.tell(Fact::Session(session.id, CachedSession::from(&session)));
    Ok(session)
}

fn end(tx: &WriteTx<'_>, source: &Source, session: &Session) -> Result<()> {
    let id = session.id;
    sessions::end(tx, id)?;
    let actor = source.actor(Principal::User { id: session.user_id, session: Some(id) });
    let changes = json!({"reason": "a refresh token was used again", "session_ended": true});
    audit::record_as(tx, &actor, "auth.refresh", Some(&id), AuditOutcome::Denied, &changes)?;
    tx.tell(Fact::SessionEnded(id));
    Ok(())
}
