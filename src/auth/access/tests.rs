//! Tests of the access cache.

use super::*;
use crate::domain::{
    access::{BrowserHalves, CachedKey, CachedSession, SessionSecrets},
    id::Identifier,
    permission::Permission,
};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const LATER: Timestamp = Timestamp::from_millis(2_000_000);
const DIGEST: Digest = [9; 32];
const LIMITS: BrowserLimits = BrowserLimits { idle: Duration::from_secs(100), max: Duration::from_secs(250) };

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
    CachedUser { role: role.into(), active: true, second_factor: false }
}

fn rules(second_factor_for: &[&str]) -> AccessRules {
    let second_factor_for = second_factor_for.iter().map(|&role| role.to_owned()).collect();
    AccessRules { browser_limits: LIMITS, second_factor_for }
}

fn program(user: UserId) -> CachedSession {
    CachedSession { user, secrets: SessionSecrets::Program { expires_at: LATER }, by_provider: false }
}

fn cache() -> AccessCache {
    let cache = AccessCache::new(Entries::default(), rules(&[]));
    cache.apply(&Fact::User(ada(), user("staff")));
    cache.apply(&Fact::Session(session(1), program(ada())));
    let permissions = PermissionSet::of(&[Permission::OrdersRead, Permission::RefundsWrite]);
    let key = CachedKey { id: KeyId::from_bytes([7; 16]), owner: ada(), permissions, expires_at: Some(LATER) };
    cache.apply(&Fact::Key(DIGEST, key));
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
    cache.apply(&Fact::User(bob, user("admin")));
    assert!(cache.authenticate_session(&claims(bob, session(1)), NOW).is_none(), "another user's");
    cache.apply(&Fact::SessionEnded(session(1)));
    assert!(permissions(&cache).is_none(), "ended");
}

#[test]
fn disabling_a_user_refuses_their_sessions_and_keys() {
    let cache = cache();
    cache.apply(&Fact::User(ada(), CachedUser { active: false, ..user("staff") }));
    assert!(permissions(&cache).is_none());
    assert!(key_permissions(&cache).is_none());
}

#[test]
fn a_changed_role_applies_at_once_and_keeps_the_session() {
    let cache = cache();
    cache.apply(&Fact::User(ada(), user("analyst")));
    assert_eq!(permissions(&cache), policy::built_in("analyst"));

    cache.apply(&Fact::User(ada(), user("night-shift")));
    assert_eq!(permissions(&cache), Some(PermissionSet::EMPTY), "an unknown role has no permissions");
    let set = PermissionSet::of(&[Permission::OrdersRead]);
    cache.apply(&Fact::Role("night-shift".to_owned(), set));
    assert_eq!(permissions(&cache), Some(set));
    cache.apply(&Fact::RoleDeleted("night-shift".to_owned()));
    assert_eq!(permissions(&cache), Some(PermissionSet::EMPTY));
}

#[test]
fn a_key_holds_only_what_its_owner_still_holds() {
    let cache = cache();
    assert_eq!(key_permissions(&cache), Some(vec![Permission::OrdersRead]), "staff cannot refund");
    cache.apply(&Fact::User(ada(), user("manager")));
    assert_eq!(key_permissions(&cache), Some(vec![Permission::OrdersRead, Permission::RefundsWrite]));
    cache.apply(&Fact::User(ada(), user("customer")));
    assert_eq!(key_permissions(&cache), Some(vec![]));
}

#[test]
fn expired_unknown_and_revoked_keys_are_refused() {
    let cache = cache();
    assert!(cache.authenticate_key(&DIGEST, LATER).is_none(), "expired");
    assert!(cache.authenticate_key(&[8; 32], NOW).is_none(), "unknown");
    cache.apply(&Fact::KeyRevoked(KeyId::from_bytes([7; 16])));
    assert!(key_permissions(&cache).is_none(), "revoked");
}

#[test]
fn the_use_of_a_key_is_unsaved_until_it_is_marked_saved() {
    let cache = cache();
    assert!(cache.unsaved_key_uses().is_empty());
    key_permissions(&cache);
    let used = cache.unsaved_key_uses();
    assert_eq!(used, [(KeyId::from_bytes([7; 16]), NOW)]);
    for &(id, at) in &used {
        cache.apply(&Fact::KeyUsed(id, at));
    }
    assert!(cache.unsaved_key_uses().is_empty());
    assert_eq!(cache.key_uses().len(), 1);
}

#[test]
fn all_sessions_of_a_user_except_one_can_be_ended() {
    let cache = cache();
    let bob = UserId::from_bytes([2; 16]);
    cache.apply(&Fact::User(bob, user("staff")));
    for (n, user) in [(2, ada()), (3, ada()), (4, bob)] {
        cache.apply(&Fact::Session(session(n), program(user)));
    }
    cache.apply(&Fact::SessionsEnded(ada(), Some(session(2))));
    let good = |user, n| cache.authenticate_session(&claims(user, session(n)), NOW).is_some();
    assert_eq!([good(ada(), 1), good(ada(), 2), good(ada(), 3), good(bob, 4)], [false, true, false, true]);
    cache.apply(&Fact::SessionsEnded(ada(), None));
    assert!(!good(ada(), 2));
}

#[test]
fn what_is_over_is_forgotten() {
    let cache = cache();
    cache.prune(NOW);
    assert!(permissions(&cache).is_some() && key_permissions(&cache).is_some());
    cache.prune(LATER);
    assert!(cache.read().sessions.get(session(1)).is_none() && cache.read().keys.is_empty());
    assert_eq!(cache.read().users.len(), 1);
}

const COOKIE: Digest = [3; 32];
const CONSOLE_KEY: Digest = [4; 32];

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// A cache with the session of a browser, which began at [`NOW`].
fn with_browser() -> AccessCache {
    let cache = cache();
    let halves = BrowserHalves { cookie: COOKIE, console_key: CONSOLE_KEY, created_at: NOW, last_used_at: NOW };
    let secrets = SessionSecrets::Browser(halves);
    cache.apply(&Fact::Session(session(5), CachedSession { user: ada(), secrets, by_provider: false }));
    cache
}

#[test]
fn a_browser_is_known_by_both_halves_together_and_by_neither_alone() {
    let cache = with_browser();
    let known = |cookie, key| cache.authenticate_browser(cookie, key, NOW).map(|identity| identity.session);
    assert_eq!(known(&COOKIE, &CONSOLE_KEY), Some(session(5)));
    for (cookie, key) in [(&COOKIE, &COOKIE), (&CONSOLE_KEY, &CONSOLE_KEY), (&DIGEST, &CONSOLE_KEY), (&COOKIE, &DIGEST)]
    {
        assert_eq!(known(cookie, key), None);
    }
    cache.apply(&Fact::SessionEnded(session(5)));
    assert_eq!(known(&COOKIE, &CONSOLE_KEY), None);
}

#[test]
fn requests_extend_the_session_of_a_browser_up_to_its_maximum() {
    let cache = with_browser();
    let known = |seconds| cache.authenticate_browser(&COOKIE, &CONSOLE_KEY, after(seconds)).is_some();
    assert!(known(99) && known(190));
    assert_eq!(cache.session_use(session(5)), Some(SessionUse { last_used_at: after(190), expires_at: after(250) }));
    assert!(known(249) && !known(250));
    let idle = with_browser();
    assert!(idle.authenticate_browser(&COOKIE, &CONSOLE_KEY, after(100)).is_none());
    idle.prune(after(100));
    assert!(idle.read().sessions.get(session(5)).is_none());
}

#[test]
fn the_use_of_a_browsers_session_is_unsaved_until_it_is_marked_saved() {
    let cache = with_browser();
    assert!(cache.unsaved_session_uses().is_empty());
    cache.authenticate_browser(&COOKIE, &CONSOLE_KEY, after(10)).unwrap();
    let used = cache.unsaved_session_uses();
    assert_eq!(used, [(session(5), SessionUse { last_used_at: after(10), expires_at: after(110) })]);
    for &(id, used) in &used {
        cache.apply(&Fact::SessionUsed(id, used));
    }
    assert!(cache.unsaved_session_uses().is_empty());
    assert_eq!(cache.session_use(session(1)), None, "a program's");
}

#[test]
fn a_second_factor_is_due_for_the_roles_that_need_it_and_for_their_keys() {
    let cache = AccessCache { rules: rules(&["admin", "staff"]), ..cache() };
    let due = || {
        let session = cache.authenticate_session(&claims(ada(), session(1)), NOW).unwrap().second_factor_due;
        (session, cache.authenticate_key(&DIGEST, NOW).unwrap().second_factor_due)
    };
    assert_eq!(due(), (true, true));
    cache.apply(&Fact::Session(session(1), CachedSession { by_provider: true, ..program(ada()) }));
    assert_eq!(due(), (false, true), "the provider stands for it");
    cache.apply(&Fact::Session(session(1), program(ada())));
    cache.apply(&Fact::User(ada(), CachedUser { second_factor: true, ..user("staff") }));
    assert_eq!(due(), (false, false));
    cache.apply(&Fact::User(ada(), user("manager")));
    assert_eq!(due(), (false, false));
}
