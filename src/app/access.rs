//! Converts rows to entries of the access cache, because `auth` and `store` do not know each other.

use crate::{
    auth::access::{CachedKey, CachedSession, CachedUser, Entries},
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

/// Loads the whole cache from the database.
pub(super) fn load(store: &Store, now: Timestamp) -> Result<Entries> {
    store.read_blocking("access.load", |tx| {
        Ok(Entries {
            users: users::all(tx)?.iter().map(|user| (user.id, user.into())).collect(),
            roles: roles::all(tx)?.into_iter().map(|role| (role.name.into(), role.permissions)).collect(),
            sessions: sessions::live(tx, now)?.iter().map(|session| (session.id, session.into())).collect(),
            keys: api_keys::all(tx)?.iter().map(|key| (key.digest, CachedKey::from(key).into())).collect(),
        })
    })
}

impl From<&User> for CachedUser {
    fn from(user: &User) -> Self {
        Self { role: user.role.as_str().into(), active: user.status == UserStatus::Active }
    }
}

impl From<&Session> for CachedSession {
    fn from(session: &Session) -> Self {
        Self { user: session.user_id, expires_at: session.expires_at }
    }
}

impl From<&ApiKey> for CachedKey {
    fn from(key: &ApiKey) -> Self {
        Self { id: key.id, owner: key.created_by, permissions: key.permissions, expires_at: key.expires_at }
    }
}
