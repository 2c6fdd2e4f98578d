//! Starting the session of a user who has proven who they are.

use super::Source;
use crate::{
    app::App,
    auth::{Principal, access::BrowserLimits},
    domain::{
        access::{CachedSession, Fact},
        id::{SessionId, UserId},
    },
    error::Result,
    service::audit,
    store::{
        WriteTx,
        sessions::{self, Secrets, Session},
        users,
    },
};
use serde_json::Value;

/// The largest number of sessions that a user can have at once.
const MAX_SESSIONS: usize = 100;

/// A session to start.
pub(super) struct NewSession<'a> {
    /// The operation.
    pub(super) name: &'static str,
    pub(super) source: &'a Source,
    pub(super) user: UserId,
    pub(super) secrets: Secrets,
    /// Whether an OpenID provider has identified the user.
    pub(super) by_provider: bool,
    /// What the audit trail says about the log-in: a JSON object.
    pub(super) changes: Value,
}

/// Starts a session and adds it to the audit trail.
pub(super) fn start(tx: &WriteTx<'_>, app: &App, new: NewSession<'_>) -> Result<Session> {
    let session = insert(tx, app, &new)?;
    let actor = new.source.actor(Principal::User { id: new.user, session: Some(session.id) });
    let ended = end_excess_sessions(tx, new.user)?;
    let mut changes = new.changes;
    if !ended.is_empty() {
        changes["ended_sessions"] = ended.iter().map(ToString::to_string).collect();
    }
    audit::record(tx, &actor, new.name, Some(&session.id), &changes)?;
    Ok(session)
}

fn insert(tx: &WriteTx<'_>, app: &App, new: &NewSession<'_>) -> Result<Session> {
    let (now, settings) = (tx.now(), &app.config.auth);
    let session = Session {
        id: tx.new_id(),
        user_id: new.user,
        secrets: new.secrets,
        by_provider: new.by_provider,
        created_at: now,
        last_used_at: now,
        expires_at: match new.secrets {
            Secrets::Program(_) => now.plus(settings.refresh_ttl),
            Secrets::Browser { .. } => BrowserLimits::from(settings).end(now, now),
        },
        ip: new.source.address.map(|address| address.to_string()),
        user_agent: new.source.user_agent.clone(),
    };
    sessions::insert(tx, &session)?;
    users::set_last_login(tx, session.user_id, session.created_at)?;
    tx.tell(Fact::Session(session.id, CachedSession::from(&session)));
    Ok(session)
}

/// Ends the sessions of a user beyond [`MAX_SESSIONS`], those used longest ago first. The new session is never among
/// them.
fn end_excess_sessions(tx: &WriteTx<'_>, user: UserId) -> Result<Vec<SessionId>> {
    let ended = sessions::excess(tx, user, tx.now(), MAX_SESSIONS)?;
    for &session in &ended {
        sessions::end(tx, session)?;
        tx.tell(Fact::SessionEnded(session));
    }
    Ok(ended)
}
