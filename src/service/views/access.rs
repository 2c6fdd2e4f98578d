//! Sessions, roles and API keys, as clients see them.

use super::AsText;
use crate::{
    auth::policy::ROLE_NAME_PATTERN,
    domain::{
        id::{KeyId, SessionId, UserId},
        permission::Permission,
        time::Timestamp,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView {
    /// The identifier of the session.
    pub id: AsText<SessionId>,
    /// When the user logged in.
    pub created_at: AsText<Timestamp>,
    /// When a browser sent its last request, a program refreshed its session, or else when the user logged in.
    pub last_used_at: AsText<Timestamp>,
    /// When the session ends unless a browser sends a request, or a program refreshes it.
    pub expires_at: AsText<Timestamp>,
    /// The address that the user logged in from.
    pub ip: Option<String>,
    /// The `User-Agent` that the user logged in with.
    pub user_agent: Option<String>,
    /// Whether the request itself belongs to this session.
    pub current: bool,
}

/// A role.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Role")]
pub struct RoleView {
    /// The name of the role.
    #[schemars(regex(pattern = ROLE_NAME_PATTERN))]
    pub name: String,
    /// The permissions of the role.
    pub permissions: Vec<AsText<Permission>>,
    /// Whether the role is built in and cannot be changed.
    pub built_in: bool,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub struct KeyView {
    /// The identifier of the key.
    pub id: AsText<KeyId>,
    /// A label for people.
    pub name: String,
    /// The first characters of the secret, by which to recognise it.
    pub prefix: String,
    /// The permissions of the key. It holds those of them that its owner holds too.
    pub permissions: Vec<AsText<Permission>>,
    /// The owner of the key.
    pub created_by: AsText<UserId>,
    /// When the key was created.
    pub created_at: AsText<Timestamp>,
    /// When the key expires, if ever.
    pub expires_at: Option<AsText<Timestamp>>,
    /// When the key was last used, if ever.
    pub last_used_at: Option<AsText<Timestamp>>,
}

/// An API key that was just created.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
pub struct NewKeyView {
    /// The whole secret, to send in `Authorization: Bearer …`. It is never shown again.
    pub secret: String,
    /// The key, as lists show it.
    #[serde(flatten)]
    pub key: KeyView,
}
