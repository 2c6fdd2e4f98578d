//! Converts database rows into the facts that authentication keeps in memory. It lives here because `auth` and `store`
//! do not know each other.

use crate::{
    auth::access::{Facts, KeyFacts, SessionFacts, UserFacts},
    domain::{
        time::Timestamp,
        user::{User, UserStatus},
    },
    error::Result,
    store::{
        Store,
        api_keys::{self, ApiKey},
        roles,
        sessions::{self, Session},
        users,
    },
};

/// Reads the facts about all users, roles, live sessions and API keys.
pub(super) fn load(store: &Store, now: Timestamp) -> Result<Facts> {
    store.read_blocking("access.facts", |tx| {
        Ok(Facts {
            users: users::all(tx)?.iter().map(|user| (user.id, of_user(user))).collect(),
            roles: roles::all(tx)?.into_iter().map(|role| (role.name.into(), role.permissions)).collect(),
            sessions: sessions::live(tx, now)?.iter().map(|session| (session.id, of_session(session))).collect(),
            keys: api_keys::all(tx)?.iter().map(|key| (key.digest, of_key(key).into())).collect(),
        })
    })
}

/// The facts of one user.
pub fn of_user(user: &User) -> UserFacts {
    UserFacts { role: user.role.as_str().into(), active: user.status == UserStatus::Active }
}

/// The facts of one session.
pub fn of_session(session: &Session) -> SessionFacts {
    SessionFacts { user: session.user_id, expires_at: session.expires_at }
}

/// The facts of one API key.
pub fn of_key(key: &ApiKey) -> KeyFacts {
    KeyFacts { id: key.id, maker: key.created_by, permissions: key.permissions, expires_at: key.expires_at }
}
