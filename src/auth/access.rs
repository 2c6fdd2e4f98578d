//! The access cache: users, roles, sessions and API keys in memory, so that authentication does not read the database.
//! Whoever commits a change to one of them updates the cache, and the change applies from the next request on.
//!
//! The database remains the source of truth; the cache is loaded from it at start.

mod entries;
mod sessions;
#[cfg(test)]
mod tests;

pub use entries::{Entries, KeyEntry, KeyIdentity, SessionIdentity};
pub use sessions::{BrowserLimits, Sessions};

use super::{policy, secret::Digest, token::Claims};
use crate::domain::{
    access::{CachedUser, Fact, SessionUse},
    id::{KeyId, SessionId, UserId},
    permission::PermissionSet,
    time::Timestamp,
};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::Ordering},
};

/// The cache, shared by all requests.
pub struct AccessCache {
    entries: RwLock<Entries>,
    rules: AccessRules,
}

/// What the operator has decided about sessions.
#[derive(Clone, Debug)]
pub struct AccessRules {
    /// How long browsers stay signed in.
    pub browser_limits: BrowserLimits,
    /// The roles whose users must have a second factor.
    pub second_factor_for: Vec<String>,
}

/// Lookups.
impl AccessCache {
    /// A cache with these entries, under these rules.
    pub fn new(entries: Entries, rules: AccessRules) -> Self {
        Self { entries: RwLock::new(entries), rules }
    }

    /// The identity that these verified claims prove. `None` if the session has ended or the user is disabled.
    pub fn authenticate_session(&self, claims: &Claims, now: Timestamp) -> Option<SessionIdentity> {
        self.session(claims.user, claims.session, now)
    }

    /// The current identity of a user's session. `None` if the session has ended or the user is disabled.
    pub fn session(&self, user: UserId, session: SessionId, now: Timestamp) -> Option<SessionIdentity> {
        let entries = self.read();
        let found = entries.sessions.get(session).filter(|entry| entry.session.user == user)?;
        self.identity(&entries, session, found, now)
    }

    /// Finds the browser session that has both secrets, and records that it was used.
    pub fn authenticate_browser(
        &self,
        cookie: &Digest,
        console_key: &Digest,
        now: Timestamp,
    ) -> Option<SessionIdentity> {
        let entries = self.read();
        let (id, found) = entries.sessions.of_browser(cookie, console_key)?;
        let identity = self.identity(&entries, id, found, now)?;
        found.record_use(now);
        Some(identity)
    }

    fn identity(
        &self,
        entries: &Entries,
        session: SessionId,
        found: &sessions::Entry,
        now: Timestamp,
    ) -> Option<SessionIdentity> {
        if found.expires_at(&self.rules.browser_limits) <= now {
            return None;
        }
        let user = entries.active_user(found.session.user)?;
        Some(SessionIdentity {
            user: found.session.user,
            session,
            role: user.role.clone(),
            permissions: entries.role(&user.role).unwrap_or_default(),
            second_factor_due: !found.session.by_provider && self.is_second_factor_due(user),
        })
    }

    /// The last use of a browser's session; `None` for any other session.
    pub fn session_use(&self, session: SessionId) -> Option<SessionUse> {
        self.read().sessions.get(session)?.last_use(&self.rules.browser_limits)
    }

    /// The uses of browsers' sessions that the database does not contain yet.
    pub fn unsaved_session_uses(&self) -> Vec<(SessionId, SessionUse)> {
        self.read().sessions.unsaved_uses(&self.rules.browser_limits)
    }

    /// The identity that a secret with this digest proves, and records the use of its key. `None` if the key has
    /// expired or was revoked, or its owner is disabled.
    pub fn authenticate_key(&self, digest: &Digest, now: Timestamp) -> Option<KeyIdentity> {
        let entries = self.read();
        self.key_identity(&entries, entries.keys.get(digest)?, now)
    }

    /// The current identity of an API key, with the conditions of [`Self::authenticate_key`]. Searches all keys.
    pub fn key(&self, id: KeyId, now: Timestamp) -> Option<KeyIdentity> {
        let entries = self.read();
        self.key_identity(&entries, entries.keys.values().find(|entry| entry.key.id == id)?, now)
    }

    fn key_identity(&self, entries: &Entries, entry: &KeyEntry, now: Timestamp) -> Option<KeyIdentity> {
        let key = &entry.key;
        if key.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        let owner = entries.active_user(key.owner)?;
        let permissions = key.permissions.limited_to(entries.role(&owner.role).unwrap_or_default());
        entry.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        let second_factor_due = self.is_second_factor_due(owner);
        Some(KeyIdentity { key: key.id, owner: key.owner, permissions, second_factor_due })
    }

    fn is_second_factor_due(&self, user: &CachedUser) -> bool {
        !user.second_factor && self.rules.second_factor_for.iter().any(|role| **role == *user.role)
    }

    /// The permissions of the role with this name, if it exists.
    pub fn role(&self, name: &str) -> Option<PermissionSet> {
        self.read().role(name)
    }

    /// The last use of each API key that was used since the start.
    pub fn key_uses(&self) -> HashMap<KeyId, Timestamp> {
        let entries = self.read();
        let used = entries.keys.values().map(|entry| (entry.key.id, entry.last_used.load(Ordering::Relaxed)));
        used.filter(|(_, millis)| *millis > 0).map(|(id, millis)| (id, Timestamp::from_millis(millis))).collect()
    }

    /// The entries of [`Self::key_uses`] that the database does not contain yet.
    pub fn unsaved_key_uses(&self) -> Vec<(KeyId, Timestamp)> {
        let unsaved = |entry: &KeyEntry| {
            let used = entry.last_used.load(Ordering::Relaxed);
            (used > entry.saved_last_use.load(Ordering::Relaxed)).then(|| (entry.key.id, Timestamp::from_millis(used)))
        };
        self.read().keys.values().filter_map(unsaved).collect()
    }
}

/// Updates, after the change is committed.
impl AccessCache {
    /// Learns what a transaction of this or another process has changed.
    pub fn apply(&self, fact: &Fact) {
        match fact {
            Fact::User(id, user) => drop(self.write().users.insert(*id, user.clone())),
            Fact::Role(name, permissions) => drop(self.write().roles.insert(name.as_str().into(), *permissions)),
            Fact::RoleDeleted(name) => drop(self.write().roles.remove(name.as_str())),
            Fact::Session(id, session) => self.write().sessions.insert(*id, *session),
            Fact::SessionEnded(id) => self.write().sessions.remove(*id),
            Fact::SessionsEnded(user, except) => self.write().sessions.remove_of(*user, *except),
            Fact::SessionUsed(id, used) => self.read().sessions.mark_use_saved(*id, *used),
            Fact::Key(digest, key) => drop(self.write().keys.insert(*digest, (*key).into())),
            Fact::KeyRevoked(id) => self.write().keys.retain(|_, entry| entry.key.id != *id),
            Fact::KeysRevoked(owner) => self.write().keys.retain(|_, entry| entry.key.owner != *owner),
            Fact::KeyUsed(id, at) => self.mark_key_use_saved(*id, *at),
            Fact::DocumentsErased
            | Fact::WebhooksChanged
            | Fact::LogInFailed(..)
            | Fact::LogInSucceeded(..)
            | Fact::Restored => {}
        }
    }

    /// Notes that the database contains this use of a key. Searches all keys.
    fn mark_key_use_saved(&self, id: KeyId, at: Timestamp) {
        if let Some(entry) = self.read().keys.values().find(|entry| entry.key.id == id) {
            entry.saved_last_use.fetch_max(at.millis(), Ordering::Relaxed);
        }
    }

    /// Removes expired sessions and keys to free memory. Lookups refuse them anyway.
    pub fn prune(&self, now: Timestamp) {
        let mut entries = self.write();
        entries.sessions.prune(now, &self.rules.browser_limits);
        entries.keys.retain(|_, entry| entry.key.expires_at.is_none_or(|end| now < end));
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn active_user(&self, id: UserId) -> Option<&CachedUser> {
        self.users.get(&id).filter(|user| user.active)
    }

    fn role(&self, name: &str) -> Option<PermissionSet> {
        policy::built_in(name).or_else(|| self.roles.get(name).copied())
    }
}
