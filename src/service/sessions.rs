//! Sessions: log-in of programs and browsers, refresh, set-up of the first administrator, and listing and ending the
//! sessions of a user.

mod browser;
mod credentials;
mod log_in;
mod me;
mod refresh;
mod setup;
mod start;

pub(super) use browser::browser_session;
pub use browser::{BrowserSession, BrowserSessionView, keep_last_use, start_in_browser};
pub use credentials::Credentials;
pub(super) use log_in::report_log_in;
pub use log_in::{PasswordLogin, log_in};
pub use me::{Me, me};
pub use refresh::refresh;
pub use setup::{awaits_setup, first_admin, offer_setup, set_up};

use super::{
    audit,
    page::{Page, PageRequest},
    views::{AsText, SessionView},
};
use crate::{
    app::App,
    auth::{Actor, Principal},
    domain::{
        access::Fact,
        id::{SessionId, UserId},
        permission::Permission,
        trace::TraceId,
    },
    error::{Error, Result, problem},
    store::{WriteTx, sessions, users},
};
use serde_json::json;
use std::{net::IpAddr, sync::Arc};

/// The origin of a request that carries no access token or API key.
#[derive(Clone, Debug)]
pub struct Source {
    /// The identifier of the request.
    pub request_id: Arc<str>,
    /// The trace of the request, if the client or a trace collector knows it too.
    pub trace: Option<TraceId>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The `User-Agent` that the client sent.
    pub user_agent: Option<String>,
}

impl Source {
    /// An actor for `principal`, which the request body has authenticated, or for the system.
    pub(super) fn actor(&self, principal: Principal) -> Actor {
        let system = Actor::system(Arc::clone(&self.request_id));
        Actor { principal, trace: self.trace, address: self.address, ..system }
    }
}

/// Ends the caller's session and its access tokens. `name` is the operation.
pub async fn log_out(app: &App, name: &'static str, actor: Actor) -> Result<()> {
    let session = actor.session().ok_or_else(session_required)?;
    app.store
        .write(name, move |tx| {
            sessions::end(tx, session)?;
            audit::record(tx, &actor, name, Some(&session), &json!({}))?;
            tx.tell(Fact::SessionEnded(session));
            Ok(())
        })
        .await
}

/// The error for an API key that calls an operation of sessions or passwords.
pub(super) fn session_required() -> Error {
    Error::new(&problem::FORBIDDEN).detail("An API key has no session and no password. Log in as a user to do this.")
}

/// Refuses an actor that is neither this user nor may change all users. To that actor the user does not exist.
fn require_self_or_writer(actor: &Actor, user: UserId) -> Result<()> {
    if actor.user_id() == Some(user) || actor.may(Permission::UsersWrite) { Ok(()) } else { Err(Error::absent()) }
}

/// Lists the sessions of a user, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    user: UserId,
    request: &PageRequest<SessionId>,
) -> Result<Page<SessionView, SessionId>> {
    require_self_or_writer(actor, user)?;
    keep_last_use(app).await?;
    let now = app.clock.now();
    let found = app.store.read("sessions.list", |tx| {
        users::by_id(tx, user)?.ok_or_else(Error::absent)?;
        let found = sessions::page(tx, user, request.after, now, request.limit_and_one())?;
        request.page(found, |session| session.id, || sessions::count(tx, user, now))
    });
    Ok(found.await?.map(|session| SessionView {
        id: AsText(session.id),
        created_at: AsText(session.created_at),
        last_used_at: AsText(session.last_used_at),
        expires_at: AsText(session.expires_at),
        ip: session.ip,
        user_agent: session.user_agent,
        current: actor.session() == Some(session.id),
    }))
}

/// Ends one session of a user.
pub async fn revoke(app: &App, actor: Actor, user: UserId, session: SessionId) -> Result<()> {
    require_self_or_writer(&actor, user)?;
    keep_last_use(app).await?;
    app.store
        .write("sessions.delete", move |tx| {
            sessions::by_id(tx, user, session, tx.now())?.ok_or_else(Error::absent)?;
            sessions::end(tx, session)?;
            audit::record(tx, &actor, "sessions.delete", Some(&session), &json!({"user_id": user.to_string()}))?;
            tx.tell(Fact::SessionEnded(session));
            Ok(())
        })
        .await
}

/// Ends all sessions of a user.
pub async fn revoke_all(app: &App, actor: Actor, user: UserId) -> Result<()> {
    require_self_or_writer(&actor, user)?;
    app.store
        .write("sessions.delete_all", move |tx| {
            users::by_id(tx, user)?.ok_or_else(Error::absent)?;
            let ended = end_all(tx, user, None)?;
            audit::record(tx, &actor, "sessions.delete_all", Some(&user), &json!({"sessions_ended": ended}))
        })
        .await
}

/// Ends all sessions of a user except one. Returns how many ended.
pub(super) fn end_all(tx: &WriteTx<'_>, user: UserId, except: Option<SessionId>) -> Result<usize> {
    let ended = sessions::end_of_user(tx, user, except)?;
    tx.tell(Fact::SessionsEnded(user, except));
    Ok(ended)
}
