//! Tests of the access cache.

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

fn user(role: &str) -> CachedUser {
    CachedUser { role: role.into(), active: true }
}

fn cache() -> AccessCache {
    let cache = AccessCache::new(Entries::default());
    cache.put_user(ada(), user("staff"));
    cache.put_session(session(1), CachedSession { user: ada(), expires_at: LATER });
    let permissions = PermissionSet::of(&[Permission::OrdersRead, Permission::RefundsWrite]);
    let key = CachedKey { id: KeyId::from_bytes([7; 16]), owner: ada(), permissions, expires_at: Some(LATER) };
    cache.put_key(DIGEST, key);
    cache
}

fn permissions(cache: &AccessCache) -> Option<PermissionSet> {
    cache.authenticate_session(&claims(ada(), session(1)), NOW).map(|identity| identity.permissions)
}

fn key_permissions(cache: &AccessCache) -> Option<Vec<Permission>> {
    cache.authenticate_key(&DIGEST, NOW).map(|identity| identity.permissions.iter().collect())
}

#[test]
fn a_session_has_the_role_of_its_user() {
    let identity = cache().authenticate_session(&claims(ada(), session(1)), NOW).unwrap();
    assert_eq!((identity.user, identity.session, &*identity.role), (ada(), session(1), "staff"));
    assert_eq!(Some(identity.permissions), policy::built_in("staff"));
}

#[test]
fn expired_unknown_and_foreign_sessions_are_refused() {
    let cache = cache();
    assert!(cache.authenticate_session(&claims(ada(), session(1)), LATER).is_none(), "expired");
    assert!(cache.authenticate_session(&claims(ada(), session(2)), NOW).is_none(), "unknown");
    let bob = UserId::from_bytes([2; 16]);
    cache.put_user(bob, user("admin"));
    assert!(cache.authenticate_session(&claims(bob, session(1)), NOW).is_none(), "another user's");
    cache.end_session(session(1));
    assert!(permissions(&cache).is_none(), "ended");
}

#[test]
fn disabling_a_user_refuses_their_sessions_and_keys() {
    let cache = cache();
    cache.put_user(ada(), CachedUser { active: false, ..user("staff") });
    assert!(permissions(&cache).is_none());
    assert!(key_permissions(&cache).is_none());
}

#[test]
fn a_changed_role_applies_at_once_and_keeps_the_session() {
    let cache = cache();
    cache.put_user(ada(), user("analyst"));
    assert_eq!(permissions(&cache), policy::built_in("analyst"));

    cache.put_user(ada(), user("night-shift"));
    assert_eq!(permissions(&cache), Some(PermissionSet::EMPTY), "an unknown role has no permissions");
    let set = PermissionSet::of(&[Permission::OrdersRead]);
    cache.put_role("night-shift", set);
    assert_eq!(permissions(&cache), Some(set));
    cache.remove_role("night-shift");
    assert_eq!(permissions(&cache), Some(PermissionSet::EMPTY));
}

#[test]
fn a_key_holds_only_what_its_owner_still_holds() {
    let cache = cache();
    assert_eq!(key_permissions(&cache), Some(vec![Permission::OrdersRead]), "staff cannot refund");
    cache.put_user(ada(), user("manager"));
    assert_eq!(key_permissions(&cache), Some(vec![Permission::OrdersRead, Permission::RefundsWrite]));
    cache.put_user(ada(), user("customer"));
    assert_eq!(key_permissions(&cache), Some(vec![]));
}

#[test]
fn expired_unknown_and_revoked_keys_are_refused() {
    let cache = cache();
    assert!(cache.authenticate_key(&DIGEST, LATER).is_none(), "expired");
    assert!(cache.authenticate_key(&[8; 32], NOW).is_none(), "unknown");
    cache.remove_key(KeyId::from_bytes([7; 16]));
    assert!(key_permissions(&cache).is_none(), "revoked");
}

#[test]
fn the_use_of_a_key_is_unsaved_until_it_is_marked_saved() {
    let cache = cache();
    assert!(cache.unsaved_key_uses().is_empty());
    key_permissions(&cache);
    let used = cache.unsaved_key_uses();
    assert_eq!(used, [(KeyId::from_bytes([7; 16]), NOW)]);
    cache.mark_key_uses_saved(&used);
    assert!(cache.unsaved_key_uses().is_empty());
    assert_eq!(cache.key_uses().len(), 1);
}

#[test]
fn all_sessions_of_a_user_except_one_can_be_ended() {
    let cache = cache();
    let bob = UserId::from_bytes([2; 16]);
    cache.put_user(bob, user("staff"));
    for (n, user) in [(2, ada()), (3, ada()), (4, bob)] {
        cache.put_session(session(n), CachedSession { user, expires_at: LATER });
    }
    cache.end_sessions_of(ada(), Some(session(2)));
    let good = |user, n| cache.authenticate_session(&claims(user, session(n)), NOW).is_some();
    assert_eq!([good(ada(), 1), good(ada(), 2), good(ada(), 3), good(bob, 4)], [false, true, false, true]);
    cache.end_sessions_of(ada(), None);
    assert!(!good(ada(), 2));
}

#[test]
fn what_is_over_is_forgotten() {
    let cache = cache();
    cache.prune(NOW);
    assert!(permissions(&cache).is_some() && key_permissions(&cache).is_some());
    cache.prune(LATER);
    assert!(cache.read().sessions.is_empty() && cache.read().keys.is_empty());
    assert_eq!(cache.read().users.len(), 1);
}
