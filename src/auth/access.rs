//! The facts that authentication needs, in memory, so that no request reads the database for them: who is active in
//! which role, what the roles may do, which sessions and keys are good. Whoever commits a change of one tells it here
//! at once, and it holds from the next request on.
//!
//! It is deliberately not the truth: that is in the database, from which it is loaded at start.

use super::{policy, secret::Digest, token::Claims};
use crate::domain::{
    id::{KeyId, SessionId, UserId},
    permission::PermissionSet,
    time::Timestamp,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, Ordering},
    },
};

/// What is known of a user.
#[derive(Clone, Debug)]
pub struct UserFacts {
    /// The name of their role.
    pub role: Arc<str>,
    /// Whether they may sign in at all.
    pub active: bool,
}

/// What is known of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts {
    /// Whose it is.
    pub user: UserId,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// What is known of an API key.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts {
    /// Its identifier.
    pub id: KeyId,
    /// To whom it belongs.
    pub maker: UserId,
    /// What it may do at most.
    pub permissions: PermissionSet,
    /// When it ends by itself, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A user who has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionIdentity {
    /// Who.
    pub user: UserId,
    /// By which log-in.
    pub session: SessionId,
    /// In which role.
    pub role: Arc<str>,
    /// What they may do at present.
    pub permissions: PermissionSet,
}

/// A program that has shown a good key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The key.
    pub key: KeyId,
    /// To whom it belongs.
    pub maker: UserId,
    /// What it may do at present: its own permissions as far as its maker still holds them.
    pub permissions: PermissionSet,
}

/// An API key, and when it was used.
pub struct KeyInUse {
    facts: KeyFacts,
    /// Milliseconds since the epoch; 0 before the first use since the start.
    last_used: AtomicI64,
    /// What of that is in the database.
    kept: AtomicI64,
}

impl From<KeyFacts> for KeyInUse {
    fn from(facts: KeyFacts) -> Self {
        Self { facts, last_used: AtomicI64::new(0), kept: AtomicI64::new(0) }
    }
}

/// All facts of one kind and another, as they are loaded at start. Built-in roles need not be among the roles.
#[derive(Default)]
pub struct Facts {
    /// Users by identifier.
    pub users: HashMap<UserId, UserFacts>,
    /// The permissions of roles by name.
    pub roles: HashMap<Arc<str>, PermissionSet>,
    /// Sessions by identifier.
    pub sessions: HashMap<SessionId, SessionFacts>,
    /// API keys by the digest of their secret.
    pub keys: HashMap<Digest, KeyInUse>,
}

/// The facts, shared.
pub struct AccessFacts(RwLock<Facts>);

impl AccessFacts {
    /// Begins with these facts.
    pub fn new(facts: Facts) -> Self {
        Self(RwLock::new(facts))
    }

    /// Whose request it is that carries these verified claims, unless the session is over or the user disabled.
    pub fn authenticate_session(&self, claims: &Claims, now: Timestamp) -> Option<SessionIdentity> {
        self.session(claims.user, claims.session, now)
    }

    /// What a session of this user is good for, unless it is over or the user disabled.
    pub fn session(&self, user: UserId, session: SessionId, now: Timestamp) -> Option<SessionIdentity> {
        let facts = self.read();
        let known = facts.sessions.get(&session)?;
        if known.user != user || known.expires_at <= now {
            return None;
        }
        let role = &facts.active(user)?.role;
        Some(SessionIdentity { user, session, role: Arc::clone(role), permissions: facts.permissions(role) })
    }

    /// Whose request it is that carries the secret of this digest, unless the key is over or its maker disabled.
    pub fn authenticate_key(&self, digest: &Digest, now: Timestamp) -> Option<KeyIdentity> {
        let facts = self.read();
        facts.key(facts.keys.get(digest)?, now)
    }

    /// What this key is good for, unless it is over or its maker disabled. Unlike authentication, it looks at all keys.
    pub fn key(&self, id: KeyId, now: Timestamp) -> Option<KeyIdentity> {
        let facts = self.read();
        facts.key(facts.keys.values().find(|key| key.facts.id == id)?, now)
    }

    /// What the role of this name may do, if there is one.
    pub fn role(&self, name: &str) -> Option<PermissionSet> {
        policy::built_in(name).or_else(|| self.read().roles.get(name).copied())
    }

    /// When each key was last used, of those that were since the start.
    pub fn keys_used(&self) -> HashMap<KeyId, Timestamp> {
        let facts = self.read();
        let used = facts.keys.values().map(|key| (key.facts.id, key.last_used.load(Ordering::Relaxed)));
        used.filter(|(_, millis)| *millis > 0).map(|(id, millis)| (id, Timestamp::from_millis(millis))).collect()
    }

    /// Those of [`Self::keys_used`] that the database does not have yet.
    pub fn keys_to_keep(&self) -> Vec<(KeyId, Timestamp)> {
        let facts = self.read();
        let latest = |key: &KeyInUse| {
            let used = key.last_used.load(Ordering::Relaxed);
            (used > key.kept.load(Ordering::Relaxed)).then(|| (key.facts.id, Timestamp::from_millis(used)))
        };
        facts.keys.values().filter_map(latest).collect()
    }

    /// The database has these now.
    pub fn keys_kept(&self, kept: &[(KeyId, Timestamp)]) {
        let facts = self.read();
        let kept: HashMap<_, _> = kept.iter().copied().collect();
        for key in facts.keys.values() {
            if let Some(at) = kept.get(&key.facts.id) {
                key.kept.fetch_max(at.millis(), Ordering::Relaxed);
            }
        }
    }

    /// A user was made, or changed role or status.
    pub fn put_user(&self, id: UserId, user: UserFacts) {
        self.write().users.insert(id, user);
    }

    /// A role was made or changed.
    pub fn put_role(&self, name: &str, permissions: PermissionSet) {
        self.write().roles.insert(name.into(), permissions);
    }

    /// A role was deleted.
    pub fn remove_role(&self, name: &str) {
        self.write().roles.remove(name);
    }

    /// A session began or was continued.
    pub fn put_session(&self, id: SessionId, session: SessionFacts) {
        self.write().sessions.insert(id, session);
    }

    /// A session ended.
    pub fn end_session(&self, id: SessionId) {
        self.write().sessions.remove(&id);
    }

    /// All sessions of a user ended, but for one that is to go on.
    pub fn end_sessions_of(&self, user: UserId, except: Option<SessionId>) {
        self.write().sessions.retain(|id, session| session.user != user || Some(*id) == except);
    }

    /// A key was made.
    pub fn put_key(&self, digest: Digest, key: KeyFacts) {
        self.write().keys.insert(digest, key.into());
    }

    /// A key was revoked.
    pub fn remove_key(&self, id: KeyId) {
        self.write().keys.retain(|_, key| key.facts.id != id);
    }

    /// Forgets sessions and keys that are over, which nothing but memory depends on.
    pub fn prune(&self, now: Timestamp) {
        let mut facts = self.write();
        facts.sessions.retain(|_, session| now < session.expires_at);
        facts.keys.retain(|_, key| key.facts.expires_at.is_none_or(|end| now < end));
    }

    fn read(&self) -> RwLockReadGuard<'_, Facts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Facts> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn active(&self, id: UserId) -> Option<&UserFacts> {
        self.users.get(&id).filter(|user| user.active)
    }

    fn key(&self, in_use: &KeyInUse, now: Timestamp) -> Option<KeyIdentity> {
        let key = &in_use.facts;
        if key.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        let maker = self.active(key.maker)?;
        let permissions = key.permissions.limited_to(self.permissions(&maker.role));
        in_use.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        Some(KeyIdentity { key: key.id, maker: key.maker, permissions })
    }

    /// What a role may do; an unknown one may do nothing.
    fn permissions(&self, role: &str) -> PermissionSet {
        policy::built_in(role).or_else(|| self.roles.get(role).copied()).unwrap_or(PermissionSet::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{id::Identifier, permission::Permission};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000_000);
    const DIGEST: Digest = [9; 32];

    fn ada() -> UserId {
        UserId::from_bytes([1; 16])
    }

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn claims(user: UserId, session: SessionId) -> Claims {
        Claims { user, session, issued: NOW, expires: LATER }
    }

    fn user(role: &str) -> UserFacts {
        UserFacts { role: role.into(), active: true }
    }

    fn facts() -> AccessFacts {
        let facts = AccessFacts::new(Facts::default());
        facts.put_user(ada(), user("staff"));
        facts.put_session(session(1), SessionFacts { user: ada(), expires_at: LATER });
        let permissions = PermissionSet::of(&[Permission::OrdersRead, Permission::RefundsWrite]);
        let key = KeyFacts { id: KeyId::from_bytes([7; 16]), maker: ada(), permissions, expires_at: Some(LATER) };
        facts.put_key(DIGEST, key);
        facts
    }

    fn permissions(facts: &AccessFacts) -> Option<PermissionSet> {
        facts.authenticate_session(&claims(ada(), session(1)), NOW).map(|identity| identity.permissions)
    }

    fn key_permissions(facts: &AccessFacts) -> Option<Vec<Permission>> {
        facts.authenticate_key(&DIGEST, NOW).map(|identity| identity.permissions.iter().collect())
    }

    #[test]
    fn a_good_session_has_the_role_of_its_user() {
        let identity = facts().authenticate_session(&claims(ada(), session(1)), NOW).unwrap();
        assert_eq!((identity.user, identity.session, &*identity.role), (ada(), session(1), "staff"));
        assert_eq!(Some(identity.permissions), policy::built_in("staff"));
    }

    #[test]
    fn sessions_that_are_over_unknown_or_anothers_are_refused() {
        let facts = facts();
        assert!(facts.authenticate_session(&claims(ada(), session(1)), LATER).is_none(), "over");
        assert!(facts.authenticate_session(&claims(ada(), session(2)), NOW).is_none(), "unknown");
        let bob = UserId::from_bytes([2; 16]);
        facts.put_user(bob, user("admin"));
        assert!(facts.authenticate_session(&claims(bob, session(1)), NOW).is_none(), "another's");
        facts.end_session(session(1));
        assert!(permissions(&facts).is_none(), "ended");
    }

    #[test]
    fn a_disabled_user_is_out_at_once_with_all_keys() {
        let facts = facts();
        facts.put_user(ada(), UserFacts { active: false, ..user("staff") });
        assert!(permissions(&facts).is_none());
        assert!(key_permissions(&facts).is_none());
    }

    #[test]
    fn a_changed_role_holds_at_once_and_keeps_the_session() {
        let facts = facts();
        facts.put_user(ada(), user("analyst"));
        assert_eq!(permissions(&facts), policy::built_in("analyst"));

        facts.put_user(ada(), user("night-shift"));
        assert_eq!(permissions(&facts), Some(PermissionSet::EMPTY), "an unknown role may do nothing");
        let set = PermissionSet::of(&[Permission::OrdersRead]);
        facts.put_role("night-shift", set);
        assert_eq!(permissions(&facts), Some(set));
        facts.remove_role("night-shift");
        assert_eq!(permissions(&facts), Some(PermissionSet::EMPTY));
    }

    #[test]
    fn a_key_holds_what_its_maker_still_holds() {
        let facts = facts();
        assert_eq!(key_permissions(&facts), Some(vec![Permission::OrdersRead]), "staff cannot refund");
        facts.put_user(ada(), user("manager"));
        assert_eq!(key_permissions(&facts), Some(vec![Permission::OrdersRead, Permission::RefundsWrite]));
        facts.put_user(ada(), user("customer"));
        assert_eq!(key_permissions(&facts), Some(vec![]));
    }

    #[test]
    fn keys_that_are_over_unknown_or_revoked_are_refused() {
        let facts = facts();
        assert!(facts.authenticate_key(&DIGEST, LATER).is_none(), "over");
        assert!(facts.authenticate_key(&[8; 32], NOW).is_none(), "unknown");
        facts.remove_key(KeyId::from_bytes([7; 16]));
        assert!(key_permissions(&facts).is_none(), "revoked");
    }

    #[test]
    fn the_use_of_a_key_is_noted_until_it_is_kept() {
        let facts = facts();
        assert!(facts.keys_to_keep().is_empty());
        key_permissions(&facts);
        let used = facts.keys_to_keep();
        assert_eq!(used, [(KeyId::from_bytes([7; 16]), NOW)]);
        facts.keys_kept(&used);
        assert!(facts.keys_to_keep().is_empty());
        assert_eq!(facts.keys_used().len(), 1);
    }

    #[test]
    fn all_other_sessions_of_one_user_can_be_ended() {
        let facts = facts();
        let bob = UserId::from_bytes([2; 16]);
        facts.put_user(bob, user("staff"));
        for (n, user) in [(2, ada()), (3, ada()), (4, bob)] {
            facts.put_session(session(n), SessionFacts { user, expires_at: LATER });
        }
        facts.end_sessions_of(ada(), Some(session(2)));
        let good = |user, n| facts.authenticate_session(&claims(user, session(n)), NOW).is_some();
        assert_eq!([good(ada(), 1), good(ada(), 2), good(ada(), 3), good(bob, 4)], [false, true, false, true]);
        facts.end_sessions_of(ada(), None);
        assert!(!good(ada(), 2));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let facts = facts();
        facts.prune(NOW);
        assert!(permissions(&facts).is_some() && key_permissions(&facts).is_some());
        facts.prune(LATER);
        assert!(facts.read().sessions.is_empty() && facts.read().keys.is_empty());
        assert_eq!(facts.read().users.len(), 1);
    }
}
