//! Signing in by OpenID Connect: a browser goes to the provider, comes back with a code, and gets the cookie and a
//! claim, which its page exchanges for the console key. What the provider says is believed only after every check of
//! `auth/oidc`.

mod provider;

use super::{
    audit,
    guesses::{check_stranger, stranger_failed},
    roles,
    sessions::{BrowserSession, Source, browser_session, report_log_in},
    users::{self, UserDraft},
};
use crate::{
    app::App,
    auth::{
        Principal,
        oidc::{Identity, Journey},
        secret::{Digest, Secret, SecretKind, same_digest},
    },
    config,
    domain::{
        audit::AuditOutcome,
        user::{Email, User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        WriteTx,
        oidc_sign_ins::{self as rows, Arrival},
        users as user_rows,
    },
};
use provider::Registration;
use serde_json::json;
use std::{fmt, time::Duration};

/// How long a claim is valid.
const CLAIM_TTL: Duration = Duration::from_mins(1);

/// Why a sign-in failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The provider cannot be reached.
    Unavailable(String),
    /// Something is not as it has to be; in words for the log.
    Refused(&'static str),
    /// The person or the provider has declined.
    Declined,
    /// The journey is unknown, over, or was used before.
    Journey,
    /// The provider gives no address that it has verified.
    UnverifiedEmail,
    /// Nobody here has the address, or their account is disabled.
    UnknownUser,
    /// A fault of this server.
    Here(Error),
}

impl Failure {
    /// The word that the console's log-in page gets.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "oidc_unavailable",
            Self::Refused(_) | Self::Here(_) => "oidc_failed",
            Self::Declined => "oidc_declined",
            Self::Journey => "oidc_expired",
            Self::UnverifiedEmail => "oidc_unverified_email",
            Self::UnknownUser => "oidc_unknown_user",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the provider cannot be reached: {why}"),
            Self::Refused(why) => f.write_str(why),
            Self::Declined => f.write_str("the person or the provider has declined"),
            Self::Journey => f.write_str("the journey is unknown, over, or was used before"),
            Self::UnverifiedEmail => f.write_str("the provider gives no address that it has verified"),
            Self::UnknownUser => f.write_str("nobody here has the address, or the account is disabled"),
            Self::Here(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

/// Where a browser is sent, and the cookie that it takes along.
pub struct Departure {
    /// The address of the provider, or the word for the failure.
    pub to: Result<String, &'static str>,
    /// The value of the journey's cookie.
    pub cookie: Option<String>,
}

/// Begins a journey, from which the provider sends the browser back to this path.
///
/// # Errors
/// `not_found` if no provider is configured.
pub async fn begin(app: &App, callback: &str) -> Result<Departure> {
    let client = registration(app, callback)?;
    let journey = Journey::begin(app.clock.now())?;
    match provider::authorization_url(app, &client, &journey).await {
        Ok(url) => Ok(Departure { to: Ok(url), cookie: Some(journey.seal(&app.journey_sealer)?) }),
        Err(failure) => Ok(Departure { to: Err(failed(app, &failure)), cookie: None }),
    }
}

/// What the provider has sent back through the browser.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The code to exchange.
    pub code: Option<String>,
    /// That of the journey.
    pub state: Option<String>,
    /// The provider's own name for itself (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// A browser that has come back: the session's cookie, and the claim for the other half.
pub struct Return {
    /// The cookie.
    pub cookie: Secret,
    /// The claim.
    pub claim: Secret,
}

/// Ends a journey, at the path that [`begin`] got. The failure is a word for the log-in page, since a browser shows it.
///
/// # Errors
/// `not_found` if no provider is configured.
pub async fn arrive(
    app: &App,
    callback: &str,
    source: Source,
    cookie: Option<&str>,
    answer: Answer,
) -> Result<Result<Return, &'static str>> {
    let client = registration(app, callback)?;
    let outcome = try_to_arrive(app, &client, &source, cookie, answer).await;
    Ok(outcome.map_err(|failure| failed(app, &failure)))
}

fn failed(app: &App, failure: &Failure) -> &'static str {
    let code = failure.code();
    tracing::warn!(auth.outcome = code, error.cause = %failure, "signing in by OpenID Connect failed: {failure}");
    app.metrics.log_ins.count(code);
    code
}

async fn try_to_arrive(
    app: &App,
    client: &Registration<'_>,
    source: &Source,
    cookie: Option<&str>,
    answer: Answer,
) -> Result<Return, Failure> {
    let now = app.clock.now();
    let journey = cookie.and_then(|cookie| Journey::open(&app.journey_sealer, cookie, now)).ok_or(Failure::Journey)?;
    if !answer.state.is_some_and(|state| journey.has_state(&state)) {
        return Err(Failure::Journey);
    }
    let (id, forget_at) = (journey.id(), journey.ends_at().plus(CLAIM_TTL));
    let is_first = app.store.write("auth.oidc_callback", move |tx| rows::use_journey(tx, &id, forget_at)).await?;
    if !is_first {
        return Err(Failure::Journey);
    }
    provider::check_issuer(app, client, answer.iss.as_deref()).await?;
    let code = match (answer.error.as_deref(), answer.code) {
        (None, Some(code)) => code,
        (Some("access_denied"), _) => return Err(Failure::Declined),
        _ => return Err(Failure::Refused("it has answered with an error")),
    };
    let identity = provider::identify(app, client, &journey, &code).await?;
    let email = identity.verified_email.as_deref().and_then(Email::parse).ok_or(Failure::UnverifiedEmail)?;
    let (cookie, claim) = (Secret::generate(SecretKind::SessionCookie)?, Secret::generate(SecretKind::SignInClaim)?);
    let (shared, source, digests) = (app.clone(), source.clone(), (cookie.digest(), claim.digest()));
    let found = app
        .store
        .write("auth.oidc_callback", move |tx| {
            let Some(user) = find_or_create(tx, &shared, &source, &email, &identity)? else { return Ok(false) };
            let arrival =
                Arrival { claim: digests.1, cookie: digests.0, user: user.id, expires_at: tx.now().plus(CLAIM_TTL) };
            rows::arrive(tx, &id, &arrival).map(|()| true)
        })
        .await?;
    if found { Ok(Return { cookie, claim }) } else { Err(Failure::UnknownUser) }
}

/// The active user with this address. An unknown one is created, if a role is configured for them.
fn find_or_create(
    tx: &WriteTx<'_>,
    app: &App,
    source: &Source,
    email: &Email,
    identity: &Identity,
) -> Result<Option<User>> {
    if let Some((user, _)) = user_rows::by_email(tx, email)? {
        let is_active = user.status == UserStatus::Active;
        if !is_active {
            let actor = source.actor(Principal::User { id: user.id, session: None });
            let changes = json!({"code": Failure::UnknownUser.code()});
            audit::record_as(tx, &actor, "auth.oidc_callback", Some(&user.id), AuditOutcome::Failure, &changes)?;
        }
        return Ok(is_active.then_some(user));
    }
    let Some(role) = &app.config.oidc.create_role else { return Ok(None) };
    if roles::permissions(tx, role)?.is_none() {
        tracing::error!(role.name = %role, "`oidc.create_role` is not a role");
        return Ok(None);
    }
    let name = identity.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| email.to_string());
    let name = name.chars().filter(|c| !c.is_control()).take(255).collect();
    let draft = UserDraft { email: email.clone(), name, role: role.clone(), password_hash: None };
    users::insert(tx, &source.actor(Principal::System), &draft, "auth.oidc_callback").map(Some)
}

/// Starts the session of a browser that has come back, once, for the claim in the address and the cookie beside it.
///
/// # Errors
/// `invalid_claim` if the claim is unknown, late or used, or the cookie is another one.
pub async fn redeem(app: &App, source: Source, cookies: &[Secret], claim: &str) -> Result<BrowserSession> {
    check_stranger(app, source.address)?;
    let outcome = try_to_redeem(app, source.clone(), cookies, claim).await;
    report_log_in(app, outcome.as_ref().map(|session| session.view.user.id.0));
    outcome.map_err(|e| if e.is(&problem::INVALID_CLAIM) { stranger_failed(app, source.address, e) } else { e })
}

async fn try_to_redeem(app: &App, source: Source, cookies: &[Secret], claim: &str) -> Result<BrowserSession> {
    let claim = Secret::parse(SecretKind::SignInClaim, claim).map(|claim| claim.digest()).ok_or_else(invalid)?;
    let digests: Vec<Digest> = cookies.iter().map(Secret::digest).collect();
    let of_cookie = move |tx: &WriteTx<'_>| {
        let arrival =
            rows::by_claim(tx, &claim)?.filter(|arrival| tx.now() < arrival.expires_at).ok_or_else(invalid)?;
        if !digests.iter().any(|digest| same_digest(digest, &arrival.cookie)) || !rows::use_claim(tx, &claim)? {
            return Err(invalid());
        }
        let user = user_rows::by_id(tx, arrival.user)?.filter(|user| user.status == UserStatus::Active);
        Ok((user.ok_or_else(invalid)?, arrival.cookie))
    };
    browser_session(app, source, of_cookie).await
}

fn invalid() -> Error {
    Error::new(&problem::INVALID_CLAIM)
}

fn registration<'a>(app: &'a App, callback: &str) -> Result<Registration<'a>> {
    let config::Oidc { issuer, client_id, client_secret, .. } = &app.config.oidc;
    let public = app.config.server.public_url.as_ref().map(ToString::to_string);
    match (issuer, client_secret, public) {
        (Some(issuer), Some(client_secret), Some(public)) => Ok(Registration {
            issuer,
            client_id,
            client_secret,
            redirect_uri: format!("{}{callback}", public.trim_end_matches('/')),
        }),
        _ => Err(Error::absent().detail("No OpenID provider is configured.")),
    }
}
