//! Sessions of browsers. Their secret is in two halves, a cookie that no script can read and a key that no other page
//! can send, and the API refuses each half alone.

use super::{
    Source,
    log_in::{PasswordLogin, start_session},
    start::{self, NewSession},
};
use crate::{
    app::App,
    auth::secret::{Digest, Secret, SecretKind},
    domain::{access::Fact, time::Timestamp, user::User},
    error::Result,
    service::views::{AsText, UserView},
    store::{
        WriteTx,
        sessions::{self as rows, Secrets, Session},
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// A session of a browser. The cookie goes with it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BrowserSession")]
pub struct BrowserSessionView {
    /// The value to send in `X-Console-Key` with every request, beside the cookie. It is never shown again.
    pub console_key: String,
    /// The user who has signed in.
    pub user: UserView,
    /// When the session ends if nothing more is asked.
    pub expires_at: AsText<Timestamp>,
}

/// A new session of a browser, in its two halves.
pub struct BrowserSession {
    /// The cookie, unless the browser has it already.
    pub cookie: Option<Secret>,
    /// The rest.
    pub view: BrowserSessionView,
}

/// Starts a session of a browser.
///
/// # Errors
/// Those of [`super::log_in`].
pub async fn start_in_browser(app: &App, source: Source, login: PasswordLogin<'_>) -> Result<BrowserSession> {
    let (cookie, console_key) =
        (Secret::generate(SecretKind::SessionCookie)?, Secret::generate(SecretKind::ConsoleKey)?);
    let secrets = Secrets::Browser { cookie: cookie.digest(), console_key: console_key.digest() };
    let (session, user) = start_session(app, "auth.start_session", source, login, secrets).await?;
    Ok(BrowserSession { cookie: Some(cookie), view: view(&console_key, &session, &user) })
}

/// Starts a session of a browser whose user an OpenID provider has identified. `of_claim` finds the user, and the
/// digest of the cookie that the browser has got already.
pub(in crate::service) async fn browser_session(
    app: &App,
    source: Source,
    of_claim: impl Fn(&WriteTx<'_>) -> Result<(User, Digest)> + Send + 'static,
) -> Result<BrowserSession> {
    const NAME: &str = "auth.start_session";
    let console_key = Secret::generate(SecretKind::ConsoleKey)?;
    let (shared, digest) = (app.clone(), console_key.digest());
    let start = move |tx: &WriteTx<'_>| {
        let (user, cookie) = of_claim(tx)?;
        let secrets = Secrets::Browser { cookie, console_key: digest };
        let changes = json!({"by_provider": true});
        let new = NewSession { name: NAME, source: &source, user: user.id, secrets, by_provider: true, changes };
        Ok((start::start(tx, &shared, new)?, user))
    };
    let (session, user) = app.store.write(NAME, start).await?;
    Ok(BrowserSession { cookie: None, view: view(&console_key, &session, &user) })
}

fn view(console_key: &Secret, session: &Session, user: &User) -> BrowserSessionView {
    BrowserSessionView {
        console_key: console_key.reveal().to_owned(),
        user: UserView::from(user),
        expires_at: AsText(session.expires_at),
    }
}

/// Saves when browsers' sessions were last used. This runs periodically, because saving it with each request would make
/// every read a write, and before sessions are listed or pruned.
pub async fn keep_last_use(app: &App) -> Result<()> {
    let uses = app.access.unsaved_session_uses();
    if uses.is_empty() {
        return Ok(());
    }
    app.store
        .write("sessions.keep_last_use", move |tx| {
            uses.iter().try_for_each(|(id, used)| rows::set_last_used(tx, *id, used.last_used_at, used.expires_at))?;
            for &(id, used) in &uses {
                tx.tell(Fact::SessionUsed(id, used));
            }
            Ok(())
        })
        .await
}
