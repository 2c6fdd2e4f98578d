//! A user as clients see it.

use super::AsText;
use crate::domain::{id::UserId, time::Timestamp, user::UserStatus};
use schemars::JsonSchema;
use serde::Serialize;

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserView {
    /// Its identifier.
    pub id: AsText<UserId>,
    /// What they log in with.
    #[schemars(extend("format" = "idn-email"))]
    pub email: String,
    /// What to call them.
    pub name: String,
    /// The name of their role.
    pub role: String,
    /// Whether they may act.
    pub status: AsText<UserStatus>,
    /// When they were made.
    pub created_at: AsText<Timestamp>,
    /// When they last changed.
    pub updated_at: AsText<Timestamp>,
}
