//! The provider: its addresses and keys, which are cached, and the exchange of a code for what it says about a person.

use super::Failure;
use crate::{
    app::{App, oidc::ProviderFacts},
    auth::oidc::{Expected, IdTokenFault, Identity, Journey, KeySet, Metadata, Person, basic, form, verify},
    config,
    domain::url::{Scheme, Url},
    outbound::{Limits, OutboundError, Response},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The bounds of one request to the provider. A sign-in makes four at most.
const LIMITS: Limits = Limits { time: Duration::from_secs(4), body_bytes: 256 * 1024 };
/// How long addresses and keys are used.
const FRESH: Duration = Duration::from_hours(1);
/// How soon after one look at the keys a token with an unknown one can cause another look.
const NEXT_LOOK: Duration = Duration::from_mins(1);

/// What the provider answers to a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// How the provider knows this server.
pub(super) struct Registration<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: &'a config::Secret,
    pub(super) redirect_uri: String,
}

/// The address to which a browser is sent.
pub(super) async fn authorization_url(
    app: &App,
    client: &Registration<'_>,
    journey: &Journey,
) -> Result<String, Failure> {
    let cached = current(app, client, FRESH).await?;
    let endpoint = endpoint(client, &cached.metadata.authorization_endpoint)?.to_string();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", client.client_id),
        ("redirect_uri", &client.redirect_uri),
        ("scope", "openid email profile"),
        ("state", &journey.state()),
        ("nonce", &journey.nonce()),
        ("code_challenge", &journey.challenge()),
        ("code_challenge_method", "S256"),
    ]);
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{joint}{}", *query))
}

/// Refuses an answer that is of another provider (RFC 9207).
pub(super) async fn check_issuer(app: &App, client: &Registration<'_>, sent: Option<&str>) -> Result<(), Failure> {
    let required = current(app, client, FRESH).await?.metadata.authorization_response_iss_parameter_supported;
    match sent {
        Some(issuer) if issuer == client.issuer => Ok(()),
        None if !required => Ok(()),
        _ => Err(Failure::Refused("the answer is of another issuer")),
    }
}

/// Exchanges a code for whom it is about.
pub(super) async fn identify(
    app: &App,
    client: &Registration<'_>,
    journey: &Journey,
    code: &str,
) -> Result<Identity, Failure> {
    let cached = current(app, client, FRESH).await?;
    let tokens = exchange(app, client, &cached.metadata, journey, code).await?;
    let nonce = journey.nonce();
    let expected = Expected { issuer: client.issuer, client_id: client.client_id, nonce: &nonce };
    let check = |cached: &ProviderFacts| verify(&tokens.id_token, &cached.keys, &expected, app.clock.now());
    let outcome = match check(&cached) {
        Err(IdTokenFault::UnknownKey) => check(&*current(app, client, NEXT_LOOK).await?),
        outcome => outcome,
    };
    let identity = outcome.map_err(|fault| match fault {
        IdTokenFault::UnknownKey => Failure::Refused("the ID token is signed with an unknown key"),
        IdTokenFault::Invalid(why) => Failure::Refused(why),
    })?;
    if identity.verified_email.is_some() {
        return Ok(identity);
    }
    ask_for_user_info(app, client, &cached.metadata, &tokens, identity).await
}

/// Asks the provider for the address, if the ID token has none. The answer has to be about the same person.
async fn ask_for_user_info(
    app: &App,
    client: &Registration<'_>,
    metadata: &Metadata,
    tokens: &Tokens,
    identity: Identity,
) -> Result<Identity, Failure> {
    let (Some(address), Some(token)) = (&metadata.userinfo_endpoint, &tokens.access_token) else { return Ok(identity) };
    let bearer = Zeroizing::new(format!("Bearer {token}"));
    let headers = [("accept", "application/json"), ("authorization", bearer.as_str())];
    let answer = app.oidc.http.get(&endpoint(client, address)?, &headers, LIMITS).await;
    let told = Person::parse(&successful(answer)?.body).map(Identity::from);
    let told = told.ok_or(Failure::Refused("UserInfo is malformed"))?;
    if told.subject != identity.subject {
        return Err(Failure::Refused("UserInfo is about somebody else (sub)"));
    }
    Ok(Identity { subject: identity.subject, verified_email: told.verified_email, name: identity.name.or(told.name) })
}

async fn exchange(
    app: &App,
    client: &Registration<'_>,
    metadata: &Metadata,
    journey: &Journey,
    code: &str,
) -> Result<Tokens, Failure> {
    let verifier = journey.verifier();
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", verifier.as_str()),
    ]);
    let basic = basic(client.client_id, client.client_secret.expose());
    let headers = [
        ("accept", "application/json"),
        ("authorization", basic.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let address = endpoint(client, &metadata.token_endpoint)?;
    let answer = app.oidc.http.post(&address, &headers, body.as_bytes().to_vec(), LIMITS).await;
    let tokens = serde_json::from_slice(&successful(answer)?.body);
    tokens.map_err(|_| Failure::Refused("the answer to the code has no ID token"))
}

/// The provider's addresses and keys, asked for again if they are older than `longest`. One request asks at a time.
async fn current(app: &App, client: &Registration<'_>, longest: Duration) -> Result<Arc<ProviderFacts>, Failure> {
    let mut cached = app.oidc.facts.lock().await;
    let now = app.clock.now();
    if let Some(known) = cached.as_ref().filter(|known| now < known.at.plus(longest) && known.at <= now) {
        return Ok(Arc::clone(known));
    }
    let address = format!("{}/.well-known/openid-configuration", client.issuer.trim_end_matches('/'));
    let metadata = Metadata::parse(&fetch(app, client, &address).await?);
    let metadata = metadata.ok_or(Failure::Refused("its metadata lacks a member"))?;
    if metadata.issuer != client.issuer {
        return Err(Failure::Refused("its metadata is of another issuer"));
    }
    let keys = KeySet::parse(&fetch(app, client, &metadata.jwks_uri).await?);
    let keys = keys.ok_or(Failure::Refused("its keys are malformed"))?;
    let fresh = Arc::new(ProviderFacts { metadata, keys, at: now });
    *cached = Some(Arc::clone(&fresh));
    Ok(fresh)
}

async fn fetch(app: &App, client: &Registration<'_>, address: &str) -> Result<Vec<u8>, Failure> {
    let headers = [("accept", "application/json")];
    let answer = app.oidc.http.get(&endpoint(client, address)?, &headers, LIMITS).await;
    Ok(successful(answer)?.body)
}

fn successful(answer: Result<Response, OutboundError>) -> Result<Response, Failure> {
    let response = answer.map_err(|e| Failure::Unavailable(e.to_string()))?;
    match response.status {
        200..=299 => Ok(response),
        400..=499 => Err(Failure::Refused("it has refused a request")),
        status => Err(Failure::Unavailable(format!("it has answered {status}"))),
    }
}

/// An address of the provider. Only a provider whose issuer is plain HTTP, on this machine, may have addresses of plain
/// HTTP.
fn endpoint(client: &Registration<'_>, address: &str) -> Result<Url, Failure> {
    let url = Url::parse(address).map_err(|_| Failure::Refused("its metadata has an address that is none"))?;
    if url.scheme() == Scheme::Http && !client.issuer.starts_with("http://") {
        return Err(Failure::Refused("its metadata has an address of plain HTTP"));
    }
    Ok(url)
}
