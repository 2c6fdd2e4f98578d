//! What authentication knows about users, roles, sessions and API keys, and the facts that change it. A transaction
//! tells its facts as data, so that other processes on the same journal learn them too.

use super::{
    id::{KeyId, SessionId, UserId},
    permission::PermissionSet,
    time::Timestamp,
};
use std::sync::Arc;

/// What authentication needs to know about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedUser {
    /// The name of the user's role.
    pub role: Arc<str>,
    /// Whether the user may act at all.
    pub active: bool,
    /// Whether the user has a second factor.
    pub second_factor: bool,
}

/// What authentication needs to know about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedSession {
    /// The user who logged in.
    pub user: UserId,
    /// How requests prove that they belong to it, and when it ends.
    pub secrets: SessionSecrets,
    /// Whether an OpenID provider has identified the user, which stands for a second factor.
    pub by_provider: bool,
}

/// How requests prove that they belong to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSecrets {
    /// By access tokens.
    Program {
        /// The session is valid before this time, unless it is refreshed.
        expires_at: Timestamp,
    },
    /// By a cookie and a console key, of which neither proves anything alone.
    Browser(BrowserHalves),
}

/// The two secrets of a browser's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserHalves {
    /// The SHA-256 of the cookie.
    pub cookie: [u8; 32],
    /// The SHA-256 of the console key.
    pub console_key: [u8; 32],
    /// The time of the log-in.
    pub created_at: Timestamp,
    /// The last request, as far as the database knows.
    pub last_used_at: Timestamp,
}

/// What authentication needs to know about an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedKey {
    /// Identifies the key, unlike its secret.
    pub id: KeyId,
    /// The user for whom the key acts.
    pub owner: UserId,
    /// The permissions that the key was given. It holds those of them that its owner holds too.
    pub permissions: PermissionSet,
    /// The key is valid before this time; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// When a browser's session was last used, and when it ends if nothing more is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionUse {
    /// The last request.
    pub last_used_at: Timestamp,
    /// The end.
    pub expires_at: Timestamp,
}

/// What was guessed about, and which process counts that already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessedAt {
    /// The process.
    pub process: [u8; 16],
    /// The keyed digest of the account, or of the account and the address.
    pub account: [u8; 32],
}

/// A committed change that every process has to apply to what it keeps in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A user is new or has changed.
    User(UserId, CachedUser),
    /// A custom role is new or has changed.
    Role(String, PermissionSet),
    /// A custom role is deleted.
    RoleDeleted(String),
    /// A session is new or extended.
    Session(SessionId, CachedSession),
    /// A session has ended.
    SessionEnded(SessionId),
    /// All sessions of a user have ended, except one.
    SessionsEnded(UserId, Option<SessionId>),
    /// The last use of a browser's session is stored.
    SessionUsed(SessionId, SessionUse),
    /// An API key is new; its secret has this SHA-256.
    Key([u8; 32], CachedKey),
    /// An API key is revoked.
    KeyRevoked(KeyId),
    /// All API keys of a user are revoked.
    KeysRevoked(UserId),
    /// The last use of an API key is stored.
    KeyUsed(KeyId, Timestamp),
    /// Personal data in documents of events and orders is erased.
    DocumentsErased,
    /// A webhook endpoint is new, has changed or is deleted.
    WebhooksChanged,
    /// A log-in has failed at a process.
    LogInFailed(GuessedAt, Timestamp),
    /// A log-in has succeeded at a process. The digest names the account at that address, from now on a known one.
    LogInSucceeded(GuessedAt, [u8; 32]),
    /// A backup has taken the place of everything. Processes start again.
    Restored,
}
