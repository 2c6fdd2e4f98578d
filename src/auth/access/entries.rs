//! The entries of the access cache, and the identities that authentication makes of them.

use super::sessions::Sessions;
use crate::{
    auth::secret::Digest,
    domain::{
        access::{CachedKey, CachedUser},
        id::{KeyId, SessionId, UserId},
        permission::PermissionSet,
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicI64},
};

/// A session that has authenticated a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionIdentity {
    /// The user who logged in.
    pub user: UserId,
    /// The session that the credentials belong to.
    pub session: SessionId,
    /// The user's current role.
    pub role: Arc<str>,
    /// The permissions of that role now.
    pub permissions: PermissionSet,
    /// Whether the user has to set up a second factor before anything else.
    pub second_factor_due: bool,
}

/// An API key that has authenticated a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The key that was sent.
    pub key: KeyId,
    /// The user for whom it acts.
    pub owner: UserId,
    /// The permissions of the key that its owner holds now.
    pub permissions: PermissionSet,
    /// Whether its owner has to set up a second factor before anything else.
    pub second_factor_due: bool,
}

/// An API key with the time of its last use, in milliseconds since the epoch; 0 before the first use since the start.
pub struct KeyEntry {
    pub(super) key: CachedKey,
    pub(super) last_used: AtomicI64,
    /// The last use that the database contains.
    pub(super) saved_last_use: AtomicI64,
}

impl From<CachedKey> for KeyEntry {
    fn from(key: CachedKey) -> Self {
        Self { key, last_used: AtomicI64::new(0), saved_last_use: AtomicI64::new(0) }
    }
}

/// Everything in the cache, as it is loaded at start.
#[derive(Default)]
pub struct Entries {
    /// Users by identifier.
    pub users: HashMap<UserId, CachedUser>,
    /// Permissions of custom roles by name. Built-in roles need not be here.
    pub roles: HashMap<Arc<str>, PermissionSet>,
    /// Sessions by identifier and by cookie.
    pub sessions: Sessions,
    /// API keys by the digest of their secret.
    pub keys: HashMap<Digest, KeyEntry>,
}
