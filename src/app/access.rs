//! Converts rows to entries of the access cache, because `auth` and `store` do not know each other.

use crate::{
    auth::access::{AccessRules, BrowserLimits, Entries, Sessions},
    config::Auth,
    domain::{
        access::{BrowserHalves, CachedKey, CachedSession, CachedUser, SessionSecrets},
        time::Timestamp,
        user::{User, UserStatus},
    },
    error::Result,
    store::{
        Store,
        api_keys::{self, ApiKey},
        roles,
        sessions::{self, Secrets, Session},
        users,
    },
};

/// Loads the whole cache from the database.
pub(super) fn load(store: &Store, now: Timestamp) -> Result<Entries> {
    store.read_blocking("access.load", |tx| {
        Ok(Entries {
            users: users::all(tx)?.iter().map(|user| (user.id, user.into())).collect(),
            roles: roles::all(tx)?.into_iter().map(|role| (role.name.into(), role.permissions)).collect(),
            sessions: live_sessions(&sessions::live(tx, now)?),
            keys: api_keys::all(tx)?.iter().map(|key| (key.digest, CachedKey::from(key).into())).collect(),
        })
    })
}

fn live_sessions(live: &[Session]) -> Sessions {
    let mut sessions = Sessions::default();
    for session in live {
        sessions.insert(session.id, session.into());
    }
    sessions
}

impl From<&Auth> for BrowserLimits {
    fn from(settings: &Auth) -> Self {
        Self { idle: settings.session_idle, max: settings.session_max }
    }
}

impl From<&Auth> for AccessRules {
    fn from(settings: &Auth) -> Self {
        Self { browser_limits: settings.into(), second_factor_for: settings.require_second_factor.clone() }
    }
}

impl From<&User> for CachedUser {
    fn from(user: &User) -> Self {
        Self {
            role: user.role.as_str().into(),
            active: user.status == UserStatus::Active,
            second_factor: user.second_factor,
        }
    }
}

impl From<&Session> for CachedSession {
    fn from(session: &Session) -> Self {
        let secrets = match session.secrets {
            Secrets::Program(_) => SessionSecrets::Program { expires_at: session.expires_at },
            Secrets::Browser { cookie, console_key } => SessionSecrets::Browser(BrowserHalves {
                cookie,
                console_key,
                created_at: session.created_at,
                last_used_at: session.last_used_at,
            }),
        };
        Self { user: session.user_id, secrets, by_provider: session.by_provider }
    }
}

impl From<&ApiKey> for CachedKey {
    fn from(key: &ApiKey) -> Self {
        Self { id: key.id, owner: key.created_by, permissions: key.permissions, expires_at: key.expires_at }
    }
}
