//! Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, signed with HS256. Only this service issues and accepts
//! them.
//!
//! A header is never interpreted before the signature is verified: it must be, byte for byte, the header that this
//! service writes for one of its keys. So there is no algorithm to choose, no key to fetch and no critical extension to
//! ignore (RFC 8725, sections 3.1 to 3.11). Whether the session still exists is decided in `access.rs`.

mod crypto;
#[cfg(test)]
mod forgeries;
mod key_ring;
mod verified;

pub use key_ring::KeyRing;
use verified::Verified;

use crate::{
    auth::{
        Mac,
        secret::{self, Secret, SecretKind},
    },
    domain::{
        id::{Identifier, SessionId, UserId},
        time::Timestamp,
    },
    error::{Error, Result, problem},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// The `typ` in the header (RFC 9068, section 2.1). It keeps JWTs of other purposes from being accepted.
const TYPE: &str = "at+jwt";
const ISSUER: &str = "orderd";
const AUDIENCE: &str = "orderd-api";
/// Longer tokens are refused unread. Real ones have about 400 bytes.
const MAX_TOKEN_BYTES: usize = 2048;
/// How far in the future `iat` and `nbf` may be, in case the clock was set back a little. `exp` has no leeway.
const LEEWAY: Duration = Duration::from_secs(5);
/// Characters of `jti`.
const TOKEN_ID_LENGTH: usize = 26;

/// The claims of a valid access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user (`sub`).
    pub user: UserId,
    /// The session (`sid`).
    pub session: SessionId,
    /// The time of issue (`iat`).
    pub issued: Timestamp,
    /// The end of validity, exclusive (`exp`).
    pub expires: Timestamp,
}

/// The claims as they are encoded. Times are in seconds since the epoch.
#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Signs and verifies access tokens and derives refresh tokens. Its keys can be reloaded while it is in use.
pub struct Tokens {
    keys: RwLock<Vec<PreparedKey>>,
    validation: Validation,
}

/// A key of the ring, prepared for signing and verifying.
struct PreparedKey {
    header: Header,
    /// The header as tokens contain it, up to the first dot.
    encoded_header: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    ring_key: key_ring::SigningKey,
    successor_mac: Mac,
    verified: Verified,
}

impl Tokens {
    /// Prepares the keys of `ring`.
    ///
    /// # Errors
    /// `internal` if a key cannot sign.
    pub fn new(ring: &KeyRing) -> Result<Self> {
        crypto::install();
        // The library verifies the signature only. Its time checks would read the system clock, and its audience check
        // would accept a list.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self { keys: RwLock::new(prepare(ring)?), validation })
    }

    /// Replaces the keys by those in the file at `path`. If the file has any fault, the current keys stay.
    ///
    /// # Errors
    /// Those of [`KeyRing::load`].
    pub fn reload(&self, path: &Path) -> Result<()> {
        let keys = prepare(&KeyRing::load(path)?)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Issues a token that is valid for `ttl` from the whole second before `now`: the claims have seconds.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp, ttl: Duration) -> Result<String> {
        let payload = Payload {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user.to_string(),
            sid: session.to_string(),
            jti: secret::random_text::<TOKEN_ID_LENGTH>()?,
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.seconds() + i64::try_from(ttl.as_secs()).map_err(Error::internal)?,
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first().ok_or_else(|| Error::internal("no key signs"))?;
        jsonwebtoken::encode(&key.header, &payload, &key.encoding).map_err(Error::internal)
    }

    /// The claims of `token`, if this service issued it and it is valid at `now`.
    ///
    /// # Errors
    /// `unauthenticated`, with the same detail whatever the reason.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        self.proven(token, now)
            .and_then(|proven| proven.claims_at(now))
            .ok_or_else(|| Error::new(&problem::UNAUTHENTICATED).detail("The access token is not valid."))
    }

    /// The next refresh tokens of the family after `used`: first the one of the signing key, then those of the previous
    /// keys. A successor is derived from the used token and the key, so that a repeated request gets the same successor
    /// without any secret being stored.
    pub fn successors(&self, used: &Secret) -> Vec<Secret> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let seeds = keys.iter().map(|key| key.successor_mac.digest(used.reveal().as_bytes()));
        seeds.map(|seed| Secret::from_seed(SecretKind::RefreshToken, &seed)).collect()
    }

    fn proven(&self, token: &str, now: Timestamp) -> Option<Proven> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (header, _) = token.split_once('.')?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.encoded_header == header && key.ring_key.is_valid(now))?;
        key.verified.find_or(token, now, || {
            jsonwebtoken::decode::<Payload>(token, &key.decoding, &self.validation).ok()?.claims.proven()
        })
    }
}

/// What a token of this service proves, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Proven {
    claims: Claims,
    /// The later of `iat` and `nbf`, in seconds.
    not_before: i64,
}

impl Proven {
    /// The claims, if the token is valid at `now`.
    fn claims_at(&self, now: Timestamp) -> Option<Claims> {
        let is_current = self.not_before <= now.plus(LEEWAY).seconds() && now < self.claims.expires;
        is_current.then_some(self.claims)
    }
}

impl Payload {
    fn proven(&self) -> Option<Proven> {
        if self.iss != ISSUER || self.aud != AUDIENCE || self.jti.is_empty() {
            return None;
        }
        let claims = Claims {
            user: UserId::parse(&self.sub)?,
            session: SessionId::parse(&self.sid)?,
            issued: Timestamp::from_millis(self.iat.checked_mul(1000)?),
            expires: Timestamp::from_millis(self.exp.checked_mul(1000)?),
        };
        Some(Proven { claims, not_before: self.iat.max(self.nbf) })
    }
}

fn prepare(ring: &KeyRing) -> Result<Vec<PreparedKey>> {
    ring.keys().iter().map(PreparedKey::new).collect()
}

impl PreparedKey {
    fn new(ring_key: &key_ring::SigningKey) -> Result<Self> {
        let header = Header { typ: Some(TYPE.into()), kid: Some(ring_key.id.clone()), ..Header::new(Algorithm::HS256) };
        let encoding = EncodingKey::from_secret(&ring_key.secret);
        // Encoding an empty token shows how the library writes this header.
        let mut encoded_header = jsonwebtoken::encode(&header, &(), &encoding).map_err(Error::internal)?;
        encoded_header.truncate(encoded_header.find('.').unwrap_or_default());
        let decoding = DecodingKey::from_secret(&ring_key.secret);
        let successor_mac = Mac::with_key(ring_key.derive(b"refresh"));
        Ok(Self {
            header,
            encoded_header,
            encoding,
            decoding,
            ring_key: ring_key.clone(),
            successor_mac,
            verified: Verified::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
    const TTL: Duration = Duration::from_mins(15);

    fn user() -> UserId {
        UserId::from_bytes([1; 16])
    }

    fn session() -> SessionId {
        SessionId::from_bytes([2; 16])
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOW.millis() + millis)
    }

    #[test]
    fn a_token_contains_its_user_session_and_times() {
        let tokens = Tokens::new(&KeyRing::generate(NOW).unwrap()).unwrap();
        let token = tokens.issue(user(), session(), NOW, TTL).unwrap();
        let claims = tokens.verify(&token, NOW).unwrap();
        assert_eq!((claims.user, claims.session), (user(), session()));
        assert_eq!(claims.issued.to_string(), "2026-11-23T03:14:11.000Z");
        assert_eq!(claims.expires.to_string(), "2026-11-23T03:29:11.000Z");
        assert_ne!(tokens.issue(user(), session(), NOW, TTL).unwrap(), token, "each has its own jti");
    }

    #[test]
    fn a_token_expires_by_the_given_clock_only() {
        let tokens = Tokens::new(&KeyRing::generate(NOW).unwrap()).unwrap();
        let token = tokens.issue(user(), session(), NOW, TTL).unwrap();
        assert!(tokens.verify(&token, at(899_000)).is_ok());
        assert!(tokens.verify(&token, at(900_000)).unwrap_err().is(&problem::UNAUTHENTICATED));
        assert!(tokens.verify(&token, at(-5_000)).is_ok());
        assert!(tokens.verify(&token, at(-6_000)).is_err());
        assert!(tokens.verify(&token, Timestamp::from_millis(i64::MAX)).is_err());
    }

    #[test]
    fn a_refresh_token_has_one_successor_for_each_key() {
        let ring = KeyRing::generate(NOW).unwrap();
        let used = Secret::generate(SecretKind::RefreshToken).unwrap();
        let successors = |ring: &KeyRing| -> Vec<String> {
            let secrets = Tokens::new(ring).unwrap().successors(&used);
            secrets.iter().map(|secret| secret.reveal().to_owned()).collect()
        };
        let before = successors(&ring);
        assert_eq!(successors(&ring), before);
        let after = successors(&ring.rotate(NOW, TTL).unwrap());
        assert_eq!((after.len(), &after[1]), (2, &before[0]));
        assert_ne!(after[0], before[0]);
    }

    #[test]
    fn a_previous_key_verifies_during_the_overlap_and_not_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orderd.keys");
        let ring = KeyRing::load_or_create(&path, NOW).unwrap();
        let tokens = Tokens::new(&ring).unwrap();
        let old = tokens.issue(user(), session(), NOW, TTL * 2).unwrap();

        ring.rotate(NOW, TTL).unwrap().save(&path).unwrap();
        tokens.reload(&path).unwrap();
        let new = tokens.issue(user(), session(), NOW, TTL * 2).unwrap();
        assert!(tokens.verify(&old, at(899_000)).is_ok());
        assert!(tokens.verify(&old, at(900_000)).is_err());
        assert!(tokens.verify(&new, at(900_000)).is_ok());
        assert!(Tokens::new(&ring).unwrap().verify(&new, NOW).is_err(), "the old key did not sign it");

        std::fs::write(&path, "spoilt").unwrap();
        assert!(tokens.reload(&path).is_err());
        assert!(tokens.verify(&new, NOW).is_ok(), "the current keys stay");
    }
}
