//! Sessions: who is calling, which log-ins a user has, and ending them.

mod log_in;
mod refresh;
mod setup;

pub use log_in::log_in;
pub use refresh::refresh;
pub use setup::{first_admin, offer_setup, set_up};

use super::{
    api_keys, audit,
    page::{Page, PageRequest},
    views::{AsText, KeyView, SessionView, UserView},
};
use crate::{
    app::App,
    auth::{Actor, Principal, secret::Secret},
    domain::{
        id::{SessionId, UserId},
        permission::Permission,
        trace::TraceId,
        user::User,
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        sessions::{self, Session},
        users,
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::{net::IpAddr, sync::Arc};

/// Where a request without credentials comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The request's identifier.
    pub request_id: Arc<str>,
    /// Its trace, where somebody else knows it too.
    pub trace: Option<TraceId>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's program.
    pub user_agent: Option<String>,
}

impl Source {
    /// Somebody who has shown no credentials, or those of `principal` in the body.
    fn actor(&self, principal: Principal) -> Actor {
        let system = Actor::system(Arc::clone(&self.request_id));
        Actor { principal, trace: self.trace, address: self.address, ..system }
    }
}

/// Credentials for a session.
#[derive(Serialize, JsonSchema)]
pub struct Credentials {
    /// Goes into `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    #[schemars(extend("const" = "Bearer"))]
    pub token_type: &'static str,
    /// Seconds for which the access token is good.
    pub expires_in: u64,
    /// Gives the next credentials; good once.
    pub refresh_token: String,
    /// Seconds for which the refresh token is good.
    pub refresh_expires_in: u64,
    /// Who has logged in.
    pub user: UserView,
}

/// The credentials of `session`, whose refresh token is `refresh`.
fn credentials(app: &App, session: &Session, refresh: &Secret, user: &User) -> Result<Credentials> {
    let (now, ttl) = (app.clock.now(), app.config.auth.access_ttl);
    let left = session.expires_at.millis().saturating_sub(now.millis()) / 1000;
    Ok(Credentials {
        access_token: app.tokens.issue(user.id, session.id, now, ttl)?,
        token_type: "Bearer",
        expires_in: ttl.as_secs(),
        refresh_token: refresh.reveal().to_owned(),
        refresh_expires_in: u64::try_from(left).unwrap_or_default(),
        user: UserView::from(user),
    })
}

/// Who is calling.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Me {
    /// `user` or `api_key`.
    #[schemars(extend("enum" = ["user", "api_key"]))]
    pub kind: &'static str,
    /// The user's or key's identifier.
    pub id: String,
    /// The user, if it is one.
    pub user: Option<UserView>,
    /// The API key, if it is one.
    pub api_key: Option<KeyView>,
    /// The role of a user.
    pub role: Option<String>,
    /// What the caller may do at present.
    pub permissions: Vec<AsText<Permission>>,
}

/// Who is calling, and what they may do.
pub async fn me(app: &App, actor: &Actor) -> Result<Me> {
    let (user, api_key) = match actor.principal {
        Principal::User { id, .. } => (app.store.read("auth.me", |tx| users::by_id(tx, id)).await?, None),
        Principal::ApiKey { id, .. } => (None, api_keys::find(app, id).await?),
        Principal::System => (None, None),
    };
    Ok(Me {
        kind: if matches!(actor.principal, Principal::ApiKey { .. }) { "api_key" } else { "user" },
        id: actor.principal.to_string(),
        user: user.as_ref().map(UserView::from),
        api_key,
        role: actor.role.as_deref().map(str::to_owned),
        permissions: actor.permissions.iter().map(AsText).collect(),
    })
}

/// Ends the caller's session now, its access tokens included.
pub async fn log_out(app: &App, actor: Actor) -> Result<()> {
    let session = actor.session().ok_or_else(not_for_keys)?;
    let shared = app.clone();
    app.store
        .write("auth.logout", move |tx| {
            sessions::end(tx, session)?;
            audit::record(tx, &actor, "auth.logout", Some(&session), &json!({}))?;
            let app = shared.clone();
            tx.after_commit(move || app.access.end_session(session));
            Ok(())
        })
        .await
}

/// What only a person can do, with a session of theirs.
pub(super) fn not_for_keys() -> Error {
    Error::new(&problem::FORBIDDEN).detail("An API key has no session and no password.")
}

/// Refuses whoever is neither this user nor permitted to change all; to them the user does not exist.
fn require_self_or_writer(actor: &Actor, user: UserId) -> Result<()> {
    if actor.user_id() == Some(user) || actor.may(Permission::UsersWrite) { Ok(()) } else { Err(Error::absent()) }
}

/// A user's log-ins, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    user: UserId,
    request: &PageRequest<SessionId>,
) -> Result<Page<SessionView, SessionId>> {
    require_self_or_writer(actor, user)?;
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

/// Ends one of a user's log-ins.
pub async fn revoke(app: &App, actor: Actor, user: UserId, session: SessionId) -> Result<()> {
    require_self_or_writer(&actor, user)?;
    let shared = app.clone();
    app.store
        .write("sessions.delete", move |tx| {
            sessions::by_id(tx, user, session, tx.now())?.ok_or_else(Error::absent)?;
            sessions::end(tx, session)?;
            audit::record(tx, &actor, "sessions.delete", Some(&session), &json!({"user_id": user.to_string()}))?;
            let app = shared.clone();
            tx.after_commit(move || app.access.end_session(session));
            Ok(())
        })
        .await
}

/// Ends all of a user's log-ins.
pub async fn revoke_all(app: &App, actor: Actor, user: UserId) -> Result<()> {
    require_self_or_writer(&actor, user)?;
    let shared = app.clone();
    app.store
        .write("sessions.delete_all", move |tx| {
            users::by_id(tx, user)?.ok_or_else(Error::absent)?;
            let ended = end_all(tx, &shared, user, None)?;
            audit::record(tx, &actor, "sessions.delete_all", Some(&user), &json!({"sessions_ended": ended}))
        })
        .await
}

/// Ends all sessions of a user, now, but for one that is to go on; says how many there were.
pub(super) fn end_all(tx: &WriteTx<'_>, app: &App, user: UserId, except: Option<SessionId>) -> Result<usize> {
    let ended = sessions::end_of_user(tx, user, except)?;
    let app = app.clone();
    tx.after_commit(move || app.access.end_sessions_of(user, except));
    Ok(ended)
}
