//! A user, as clients see it.

use super::AsText;
use crate::domain::{
    id::UserId,
    time::Timestamp,
    user::{User, UserStatus},
};
use schemars::JsonSchema;
use serde::Serialize;

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserView {
    /// The identifier of the user.
    pub id: AsText<UserId>,
    /// The address that the user logs in with; `null` once it is erased.
    #[schemars(extend("format" = "idn-email"))]
    pub email: Option<String>,
    /// The name to display; `null` once it is erased.
    pub name: Option<String>,
    /// The name of the user's role.
    pub role: String,
    /// Whether the user may log in and act.
    pub status: AsText<UserStatus>,
    /// Whether a log-in needs a code besides the password.
    pub second_factor: bool,
    /// When the user was created.
    pub created_at: AsText<Timestamp>,
    /// When the user last changed.
    pub updated_at: AsText<Timestamp>,
    /// When the user last logged in.
    pub last_login_at: Option<AsText<Timestamp>>,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: AsText(user.id),
            email: user.email.as_ref().map(ToString::to_string),
            name: user.name.clone(),
            role: user.role.clone(),
            status: AsText(user.status),
            second_factor: user.second_factor,
            created_at: AsText(user.created_at),
            updated_at: AsText(user.updated_at),
            last_login_at: user.last_login_at.map(AsText),
        }
    }
}

impl UserView {
    /// The document with `null` for personal data, as it is stored.
    #[must_use]
    pub fn impersonal(self) -> Self {
        Self { email: None, name: None, ..self }
    }
}
