//! Sessions, roles and API keys as clients see them.

use super::AsText;
use crate::domain::{
    id::{KeyId, SessionId, UserId},
    permission::Permission,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A log-in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView {
    /// Its identifier.
    pub id: AsText<SessionId>,
    /// When it began.
    pub created_at: AsText<Timestamp>,
    /// When it began or was last refreshed.
    pub last_used_at: AsText<Timestamp>,
    /// When it ends by itself, unless it is refreshed.
    pub expires_at: AsText<Timestamp>,
    /// The address that it was begun from.
    pub ip: Option<String>,
    /// The program that it was begun with, as it names itself.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A role.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Role")]
pub struct RoleView {
    /// Its name.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_-]{0,39}$"))]
    pub name: String,
    /// What it permits.
    pub permissions: Vec<AsText<Permission>>,
    /// Whether it is part of the program and cannot be changed.
    pub built_in: bool,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub struct KeyView {
    /// Its identifier.
    pub id: AsText<KeyId>,
    /// What to call it.
    pub name: String,
    /// The first characters of its secret, to recognise it by.
    pub prefix: String,
    /// What it may do, as far as its maker may.
    pub permissions: Vec<AsText<Permission>>,
    /// To whom it belongs.
    pub created_by: AsText<UserId>,
    /// When it was made.
    pub created_at: AsText<Timestamp>,
    /// When it ends by itself, if ever.
    pub expires_at: Option<AsText<Timestamp>>,
    /// When it was last used, if ever.
    pub last_used_at: Option<AsText<Timestamp>>,
}

/// An API key just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
pub struct NewKeyView {
    /// The whole secret, shown this once: goes into `Authorization: Bearer …`.
    pub secret: String,
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
}
