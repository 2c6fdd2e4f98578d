//! Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, signed with HS256 by this service for itself alone.
//!
//! A header is never interpreted before the signature is checked: it must be, to the byte, the header that this
//! service writes for one of its keys. So there is no algorithm to choose, no key to fetch and no critical extension
//! to ignore (RFC 8725, sections 3.1 to 3.11). Whether the session still exists is for `access.rs` to say.

mod crypto;
#[cfg(test)]
mod forgeries;
mod ring;

pub use ring::KeyRing;

use crate::{
    auth::{
        Mac,
        secret::{self, Kind, Secret},
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

/// The type that the header names (RFC 9068, section 2.1): no JWT made for another purpose is an access token.
const TYPE: &str = "at+jwt";
const ISSUER: &str = "orderd";
const AUDIENCE: &str = "orderd-api";
/// The longest token looked at; real ones have some 400 bytes.
const MAX_TOKEN_BYTES: usize = 2048;
/// How far into the future a token may begin, for a clock that was set back a little. Ends have no leeway.
const LEEWAY: Duration = Duration::from_secs(5);
/// Characters of a token's own identifier.
const TOKEN_ID_LENGTH: usize = 26;

/// What a valid access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who (`sub`).
    pub user: UserId,
    /// By which log-in (`sid`).
    pub session: SessionId,
    /// Since when (`iat`).
    pub issued: Timestamp,
    /// Until when, exclusive (`exp`).
    pub expires: Timestamp,
}

/// The claims as they travel; times are in seconds.
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

/// Signs and verifies access tokens, and derives refresh tokens; its keys can be exchanged while it is in use.
pub struct Tokens {
    keys: RwLock<Vec<PreparedKey>>,
    validation: Validation,
}

/// A key of the ring in the forms in which it is used.
struct PreparedKey {
    header: Header,
    /// The header as it stands in a token, up to the first dot.
    encoded_header: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    ring_key: ring::SigningKey,
    succession: Mac,
}

impl Tokens {
    /// Tokens under the keys of `ring`.
    ///
    /// # Errors
    /// `internal`, if the keys cannot sign.
    pub fn new(ring: &KeyRing) -> Result<Self> {
        crypto::install();
        // The signature alone is left to the library: its time checks read the system's clock, and its check of the
        // audience would accept a list.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self { keys: RwLock::new(prepare(ring)?), validation })
    }

    /// Exchanges the keys for those in the file at `path`; at any fault there the present ones stay.
    ///
    /// # Errors
    /// Those of [`KeyRing::load`].
    pub fn reload(&self, path: &Path) -> Result<()> {
        let keys = prepare(&KeyRing::load(path)?)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// A token for `user` in `session` that is valid from `now` for `ttl`, rounded up to a whole second.
    ///
    /// # Errors
    /// `internal`, if the operating system has no randomness.
    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp, ttl: Duration) -> Result<String> {
        let payload = Payload {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user.to_string(),
            sid: session.to_string(),
            jti: secret::random_text::<TOKEN_ID_LENGTH>()?,
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.plus(ttl).plus(Duration::from_millis(999)).seconds(),
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first().ok_or_else(|| Error::internal("no key signs"))?;
        jsonwebtoken::encode(&key.header, &payload, &key.encoding).map_err(Error::internal)
    }

    /// What `token` says, if it is one of ours and valid at `now`.
    ///
    /// # Errors
    /// `unauthenticated`, in the same words whatever the reason.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        self.payload(token, now)
            .and_then(|payload| payload.claims(now))
            .ok_or_else(|| Error::new(&problem::UNAUTHENTICATED).detail("The access token is not valid."))
    }

    /// What the refresh token `used` is exchanged for: by the key that signs, then by those before it. It follows from
    /// the token and the key, so that the same token can be answered alike again and nothing secret need be kept.
    pub fn successors(&self, used: &Secret) -> Vec<Secret> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let seeds = keys.iter().map(|key| key.succession.digest(used.reveal().as_bytes()));
        seeds.map(|seed| Secret::from_seed(Kind::RefreshToken, &seed)).collect()
    }

    fn payload(&self, token: &str, now: Timestamp) -> Option<Payload> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (header, _) = token.split_once('.')?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.encoded_header == header && key.ring_key.is_valid(now))?;
        jsonwebtoken::decode(token, &key.decoding, &self.validation).ok().map(|data| data.claims)
    }
}

impl Payload {
    fn claims(&self, now: Timestamp) -> Option<Claims> {
        let begins = now.plus(LEEWAY).seconds();
        let is_ours = self.iss == ISSUER && self.aud == AUDIENCE && !self.jti.is_empty();
        let is_current = self.iat <= begins && self.nbf <= begins && now.seconds() < self.exp;
        if !is_ours || !is_current {
            return None;
        }
        Some(Claims {
            user: UserId::parse(&self.sub)?,
            session: SessionId::parse(&self.sid)?,
            issued: Timestamp::from_millis(self.iat.checked_mul(1000)?),
            expires: Timestamp::from_millis(self.exp.checked_mul(1000)?),
        })
    }
}

fn prepare(ring: &KeyRing) -> Result<Vec<PreparedKey>> {
    ring.keys().iter().map(PreparedKey::new).collect()
}

impl PreparedKey {
    fn new(ring_key: &ring::SigningKey) -> Result<Self> {
        let header = Header { typ: Some(TYPE.into()), kid: Some(ring_key.id.clone()), ..Header::new(Algorithm::HS256) };
        let encoding = EncodingKey::from_secret(&ring_key.secret);
        // An empty token shows how the library writes this header.
        let mut encoded_header = jsonwebtoken::encode(&header, &(), &encoding).map_err(Error::internal)?;
        encoded_header.truncate(encoded_header.find('.').unwrap_or_default());
        let decoding = DecodingKey::from_secret(&ring_key.secret);
        let succession = Mac::with_key(ring_key.derive(b"refresh"));
        Ok(Self { header, encoded_header, encoding, decoding, ring_key: ring_key.clone(), succession })
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
    fn an_issued_token_says_who_and_until_when() {
        let tokens = Tokens::new(&KeyRing::generate(NOW).unwrap()).unwrap();
        let token = tokens.issue(user(), session(), NOW, TTL).unwrap();
        let claims = tokens.verify(&token, NOW).unwrap();
        assert_eq!((claims.user, claims.session), (user(), session()));
        assert_eq!(claims.issued.to_string(), "2026-11-23T03:14:11.000Z");
        assert_eq!(claims.expires.to_string(), "2026-11-23T03:29:12.000Z");
        assert_ne!(tokens.issue(user(), session(), NOW, TTL).unwrap(), token, "each has its own jti");
    }

    #[test]
    fn a_token_lives_its_time_by_the_given_clock_alone() {
        let tokens = Tokens::new(&KeyRing::generate(NOW).unwrap()).unwrap();
        let token = tokens.issue(user(), session(), NOW, TTL).unwrap();
        assert!(tokens.verify(&token, at(900_000)).is_ok());
        assert!(tokens.verify(&token, at(901_000)).unwrap_err().is(&problem::UNAUTHENTICATED));
        assert!(tokens.verify(&token, at(-5_000)).is_ok());
        assert!(tokens.verify(&token, at(-6_000)).is_err());
        assert!(tokens.verify(&token, Timestamp::from_millis(i64::MAX)).is_err());
    }

    #[test]
    fn a_refresh_token_has_one_successor_for_each_key() {
        let ring = KeyRing::generate(NOW).unwrap();
        let used = Secret::generate(Kind::RefreshToken).unwrap();
        let shown = |ring: &KeyRing| -> Vec<String> {
            let secrets = Tokens::new(ring).unwrap().successors(&used);
            secrets.iter().map(|secret| secret.reveal().to_owned()).collect()
        };
        let before = shown(&ring);
        assert_eq!(shown(&ring), before);
        let after = shown(&ring.rotate(NOW, TTL).unwrap());
        assert_eq!((after.len(), &after[1]), (2, &before[0]));
        assert_ne!(after[0], before[0]);
    }

    #[test]
    fn a_rotated_key_verifies_during_the_overlap_and_not_after_it() {
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
        assert!(tokens.verify(&new, NOW).is_ok(), "the keys in use stay");
    }
}
