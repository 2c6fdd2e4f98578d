//! Logging in, and the first administrator.

use super::{
    audit::{self, Deed},
    users::{self, NewUser},
    views::{Shown, UserView},
};
use crate::{
    app::{App, SetupToken},
    auth::{
        Actor, Principal,
        access::SessionFacts,
        secret::{Kind, Secret, same_digest},
    },
    domain::{
        id::{SessionId, UserId},
        user::{Email, User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        audit::Outcome,
        sessions::{self, Session},
        users as rows,
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// How long a set-up token is good.
const SETUP_TIME: Duration = Duration::from_hours(24);

/// Where a log-in comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The request's identifier.
    pub request_id: Arc<str>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's program.
    pub user_agent: Option<String>,
}

/// Credentials for a session.
#[derive(Debug, Serialize, JsonSchema)]
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
    /// The role of a user.
    pub role: Option<String>,
    /// What the caller may do.
    pub permissions: Vec<&'static str>,
}

/// Makes the token that the first administrator is made with, while there is no user.
pub fn offer_setup(app: &App) -> Result<Option<Secret>> {
    if app.store.read("setup.offer", rows::any)? {
        return Ok(None);
    }
    let secret = Secret::generate(Kind::SetupToken)?;
    let token = SetupToken { digest: secret.digest(), expires_at: app.clock.now().plus(SETUP_TIME) };
    *app.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(token);
    Ok(Some(secret))
}

/// Makes the first administrator for the holder of the set-up token.
pub async fn set_up(app: &App, source: &Source, token: &str, new: NewUser) -> Result<UserView> {
    if app.store.read("auth.setup", rows::any)? {
        return Err(Error::new(&problem::ALREADY_SET_UP));
    }
    let shown = Secret::parse(Kind::SetupToken, token).map(|secret| secret.digest());
    let good = shown.is_some_and(|shown| {
        let offered = app.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        offered.as_ref().is_some_and(|o| same_digest(&o.digest, &shown) && app.clock.now() < o.expires_at)
    });
    if !good {
        return Err(Error::new(&problem::INVALID_SETUP_TOKEN));
    }
    let user = first_admin(app, Arc::clone(&source.request_id), source.address, new).await?;
    app.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    Ok(user)
}

/// Makes an administrator if there is no user at all.
///
/// # Errors
/// `ALREADY_SET_UP` if there is one.
pub async fn first_admin(app: &App, request_id: Arc<str>, address: Option<IpAddr>, new: NewUser) -> Result<UserView> {
    let mut system = Actor::system(request_id);
    system.address = address;
    let hash = app.hasher.hash(users::accepted(app, &new)?).await?;
    let (access, new) = (app.clone(), Arc::new(new));
    let user = app
        .store
        .write("auth.setup", move |tx| {
            if rows::any(tx)? {
                return Err(Error::new(&problem::ALREADY_SET_UP));
            }
            users::insert(tx, &access, &system, &new, &hash, "auth.setup")
        })
        .await?;
    Ok(UserView::from(&user))
}

/// Begins a session. The answer is the same, and takes as long, for an unknown address, a wrong password and a user who
/// may not log in.
pub async fn log_in(app: &App, source: Source, email: &str, password: &str) -> Result<Credentials> {
    let address = source.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let spelled = Email::parse(email);
    let account = spelled.as_ref().map_or(email, Email::as_str);
    app.attempts.check(account, address, app.clock.now())?;
    let find = |email: &Email| app.store.read("auth.login", |tx| rows::by_email(tx, email));
    let known = spelled.as_ref().map(find).transpose()?.flatten();
    let (user, hash) = known.unzip();
    let verdict = app.hasher.verify(password, hash).await?;
    let active = user.filter(|user| verdict.matches && user.status == UserStatus::Active);
    let Some(user) = active else {
        return Err(app.attempts.failed(account, address, app.clock.now()));
    };
    app.attempts.succeeded(account, address, app.clock.now())?;
    begin(app, source, user).await
}

async fn begin(app: &App, source: Source, user: User) -> Result<Credentials> {
    let refresh = Secret::generate(Kind::RefreshToken)?;
    let (access, owner, digest) = (app.clone(), user.id, refresh.digest());
    let session = app
        .store
        .write("auth.login", move |tx| {
            let session = insert(tx, &access, &source, owner, digest)?;
            let deed = Deed { action: "auth.login", target: None, outcome: Outcome::Success };
            audit::record(tx, &acting(&source, owner, session.id), &deed, &serde_json::json!({}))?;
            Ok(session)
        })
        .await?;
    let ttl = app.config.auth.access_ttl;
    Ok(Credentials {
        access_token: app.tokens.issue(user.id, session.id, app.clock.now(), ttl)?,
        token_type: "Bearer",
        expires_in: ttl.as_secs(),
        refresh_token: refresh.reveal().to_owned(),
        refresh_expires_in: app.config.auth.refresh_ttl.as_secs(),
        user: UserView::from(&user),
    })
}

fn insert(tx: &WriteTx<'_>, app: &App, source: &Source, user: UserId, refresh_digest: [u8; 32]) -> Result<Session> {
    let now = tx.now();
    let session = Session {
        id: tx.new_id(),
        user_id: user,
        refresh_digest,
        created_at: now,
        last_used_at: now,
        expires_at: now.plus(app.config.auth.refresh_ttl),
        ip: source.address.map(|address| address.to_string()),
        user_agent: source.user_agent.clone(),
    };
    sessions::insert(tx, &session)?;
    let (app, id, facts) = (app.clone(), session.id, SessionFacts { user, expires_at: session.expires_at });
    tx.after_commit(move || app.access.put_session(id, facts));
    Ok(session)
}

fn acting(source: &Source, user: UserId, session: SessionId) -> Actor {
    Actor {
        principal: Principal::User { id: user, session: Some(session) },
        address: source.address,
        ..Actor::system(Arc::clone(&source.request_id))
    }
}

/// Who is calling, and what they may do.
pub fn me(app: &App, actor: &Actor) -> Result<Me> {
    let user = match actor.user_id() {
        Some(id) => app.store.read("auth.me", |tx| rows::by_id(tx, id))?,
        None => None,
    };
    Ok(Me {
        kind: if matches!(actor.principal, Principal::ApiKey { .. }) { "api_key" } else { "user" },
        id: Shown(actor.principal).0.to_string(),
        user: user.as_ref().map(UserView::from),
        role: actor.role.as_deref().map(str::to_owned),
        permissions: actor.permissions.iter().map(crate::domain::permission::Permission::name).collect(),
    })
}
