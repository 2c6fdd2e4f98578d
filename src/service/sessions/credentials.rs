//! The credentials that a client receives at a log-in and at each refresh.

use crate::{
    app::App, auth::secret::Secret, domain::user::User, error::Result, service::views::UserView,
    store::sessions::Session,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Credentials for a session.
#[derive(Serialize, JsonSchema)]
pub struct Credentials {
    /// The value to send in `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    #[schemars(extend("const" = "Bearer"))]
    pub token_type: &'static str,
    /// Seconds for which the access token is valid.
    pub expires_in: u64,
    /// The token to exchange for the next credentials. It can be used once.
    pub refresh_token: String,
    /// Seconds for which the refresh token is valid.
    pub refresh_expires_in: u64,
    /// The user who has logged in.
    pub user: UserView,
}

impl Credentials {
    /// Issues an access token for `session`, to go with its refresh token.
    pub(super) fn issue(app: &App, session: &Session, refresh_token: &Secret, user: &User) -> Result<Self> {
        let (now, ttl) = (app.clock.now(), app.config.auth.access_ttl);
        // The session has begun some milliseconds before.
        let seconds_left = (session.expires_at.millis().saturating_sub(now.millis()) + 999) / 1000;
        Ok(Self {
            access_token: app.tokens.issue(user.id, session.id, now, ttl)?,
            token_type: "Bearer",
            expires_in: ttl.as_secs(),
            refresh_token: refresh_token.reveal().to_owned(),
            refresh_expires_in: u64::try_from(seconds_left).unwrap_or_default(),
            user: UserView::from(user),
        })
    }
}
