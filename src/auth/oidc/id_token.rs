//! ID tokens: signed statements of the provider about who has signed in. Every claim is checked as OpenID Connect Core
//! 1.0, section 3.1.3.7, has it.

use super::{KeySet, decode};
use crate::domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Longer tokens are refused unread.
const MAX_BYTES: usize = 16 * 1024;
/// How far the clocks of the provider and of this server may differ.
const LEEWAY: Duration = Duration::from_secs(5);
/// The longest `sub` (OpenID Connect Core 1.0, section 2).
const MAX_SUBJECT: usize = 255;

/// What an ID token has to contain.
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// This server, as the provider knows it.
    pub client_id: &'a str,
    /// That of the journey.
    pub nonce: &'a str,
}

/// Whom a valid ID token is about.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider's name for the person.
    pub subject: String,
    /// The e-mail address, if the provider says that it belongs to the person.
    pub verified_email: Option<String>,
    /// The name to display.
    pub name: Option<String>,
}

/// Why an ID token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTokenFault {
    /// No key has its `kid`: the provider may have new keys.
    UnknownKey,
    /// Any other fault, in words for the log.
    Invalid(&'static str),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What the provider says about a person, in an ID token or as UserInfo.
#[derive(Deserialize)]
pub struct Person {
    sub: String,
    email: Option<String>,
    email_verified: Option<Value>,
    /// Microsoft's word for it: the domain of the address belongs to the tenant.
    xms_edov: Option<Value>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Value,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    #[serde(flatten)]
    person: Person,
}

impl Person {
    /// Reads UserInfo (OpenID Connect Core 1.0, section 5.3); `None` if it is none.
    pub fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }
}

impl From<Person> for Identity {
    fn from(person: Person) -> Self {
        // Some providers send these as text.
        let is_true = |value: &Option<Value>| match value {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        };
        let is_verified = is_true(&person.email_verified) || is_true(&person.xms_edov);
        Self { subject: person.sub, verified_email: person.email.filter(|_| is_verified), name: person.name }
    }
}

/// Whom `token` is about, if one of `keys` has signed it, for this server, for this journey, and it is valid at `now`.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>, now: Timestamp) -> Result<Identity, IdTokenFault> {
    use IdTokenFault::Invalid;
    let malformed = Invalid("it is malformed");
    if token.len() > MAX_BYTES {
        return Err(Invalid("it is too long"));
    }
    let (message, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, payload) = message.split_once('.').ok_or(malformed)?;
    let parse = |part: &str| decode(part).ok_or(malformed);
    let header: Header = serde_json::from_slice(&parse(header)?).map_err(|_| malformed)?;
    if header.crit.is_some() {
        return Err(Invalid("it has extensions that must be understood"));
    }
    let kid = header.kid.as_deref();
    if !keys.has(kid) {
        return Err(IdTokenFault::UnknownKey);
    }
    // The key decides on the algorithm: a token that names another one, such as `none` or HS256, is signed by nobody.
    if !keys.verifies(kid, &header.alg, message.as_bytes(), &parse(signature)?) {
        return Err(Invalid("its signature is not of this provider"));
    }
    let claims: Claims =
        serde_json::from_slice(&parse(payload)?).map_err(|_| Invalid("a claim is missing or malformed"))?;
    check(&claims, expected, now).map_err(Invalid)?;
    Ok(claims.person.into())
}

fn check(claims: &Claims, expected: &Expected<'_>, now: Timestamp) -> Result<(), &'static str> {
    let seconds = |wait: Duration| wait.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "seconds since the epoch are exact in a double")]
    let now = now.seconds() as f64;
    let others = match &claims.aud {
        Value::String(audience) if audience == expected.client_id => 0,
        Value::Array(all) if all.iter().any(|audience| audience == expected.client_id) => all.len() - 1,
        _ => return Err("it is for another client (aud)"),
    };
    let is_ours = claims.azp.as_deref().map_or(others == 0, |party| party == expected.client_id);
    let is_right = [
        (claims.iss == expected.issuer, "it is of another issuer (iss)"),
        (is_ours, "it is for another client (azp)"),
        (now < claims.exp + seconds(LEEWAY), "it has expired (exp)"),
        (claims.iat <= now + seconds(LEEWAY), "it is of the future (iat)"),
        (claims.nonce.as_deref() == Some(expected.nonce), "it is for another journey (nonce)"),
        (!claims.person.sub.is_empty() && claims.person.sub.len() <= MAX_SUBJECT, "it names nobody (sub)"),
    ];
    is_right.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, fault)| Err(*fault))
}

#[cfg(test)]
mod tests;
