//! The journey of one browser to the provider and back. All that has to be known at its return is in a cookie that only
//! this server can read, so that a stranger who begins journeys costs no storage.

use super::{decode, encode};
use crate::{
    auth::{
        Sealer,
        secret::{random_bytes, same_digest},
    },
    domain::{digest::sha256, time::Timestamp},
    error::Result,
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a journey may take.
const LONGEST: Duration = Duration::from_mins(10);
/// Random bytes of the seed, from which everything else follows.
const SEED_BYTES: usize = 32;
/// What the cookie is sealed for.
const OWNER: &[u8] = b"journey";

/// A journey. Everything in it is derived from one random seed, so that the cookie is short.
pub struct Journey {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    begun_at: Timestamp,
}

impl Journey {
    /// The time within which a browser has to return.
    pub const LONGEST: Duration = LONGEST;

    /// Begins a journey.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn begin(now: Timestamp) -> Result<Self> {
        Ok(Self { seed: random_bytes()?, begun_at: now })
    }

    /// The value of the cookie.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn seal(&self, sealer: &Sealer) -> Result<String> {
        let plain = Zeroizing::new([self.seed.as_slice(), &self.begun_at.millis().to_be_bytes()].concat());
        sealer.seal(OWNER, &plain).map(|sealed| encode(&sealed))
    }

    /// The journey of a cookie, if this server began it and it is not over.
    pub fn open(sealer: &Sealer, cookie: &str, now: Timestamp) -> Option<Self> {
        let plain = sealer.open(OWNER, &decode(cookie)?)?;
        let (seed, begun_at) = plain.split_first_chunk::<SEED_BYTES>()?;
        let begun_at = Timestamp::from_millis(i64::from_be_bytes(begun_at.try_into().ok()?));
        let is_current = now < begun_at.plus(LONGEST);
        is_current.then(|| Self { seed: Zeroizing::new(*seed), begun_at })
    }

    /// When the journey is over.
    pub fn ends_at(&self) -> Timestamp {
        self.begun_at.plus(LONGEST)
    }

    /// Identifies the journey, so that it is used once.
    pub fn id(&self) -> [u8; 32] {
        self.derive(b"id")
    }

    /// The `state` parameter, which the provider must send back unchanged.
    pub fn state(&self) -> String {
        encode(&self.derive(b"state"))
    }

    /// Whether this is the journey's `state`.
    pub fn has_state(&self, state: &str) -> bool {
        decode(state)
            .and_then(|bytes| bytes.try_into().ok())
            .is_some_and(|sent| same_digest(&sent, &self.derive(b"state")))
    }

    /// What the provider has to put into the ID token (`nonce`).
    pub fn nonce(&self) -> String {
        encode(&self.derive(b"nonce"))
    }

    /// What this server shows to the provider when it exchanges the code (`code_verifier`).
    pub fn verifier(&self) -> Zeroizing<String> {
        Zeroizing::new(encode(&self.derive(b"verifier")))
    }

    /// The SHA-256 of the verifier, by which the provider recognises it (`code_challenge`, method `S256`).
    pub fn challenge(&self) -> String {
        encode(&Sha256::digest(self.verifier().as_bytes()))
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        sha256(&[b"orderd oidc journey", purpose, self.seed.as_slice()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::KeyRing;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);

    fn sealer() -> Sealer {
        Sealer::new(&KeyRing::generate(NOW).unwrap(), b"journey").unwrap()
    }

    #[test]
    fn a_journey_is_read_from_its_cookie_until_it_is_over() {
        let (sealer, journey) = (sealer(), Journey::begin(NOW).unwrap());
        let cookie = journey.seal(&sealer).unwrap();
        let last = journey.ends_at().minus(Duration::from_millis(1));
        let read = Journey::open(&sealer, &cookie, last).unwrap();
        assert_eq!((read.id(), read.state(), read.nonce()), (journey.id(), journey.state(), journey.nonce()));
        assert!(Journey::open(&sealer, &cookie, journey.ends_at()).is_none());
        assert!(Journey::open(&self::sealer(), &cookie, NOW).is_none(), "another server's");
        assert!(Journey::open(&sealer, &cookie[1..], NOW).is_none());
        assert!(Journey::open(&sealer, "", NOW).is_none());
    }

    #[test]
    fn nothing_that_the_provider_sees_reveals_the_rest() {
        let (one, other) = (Journey::begin(NOW).unwrap(), Journey::begin(NOW).unwrap());
        assert!(one.has_state(&one.state()) && !one.has_state(&other.state()) && !one.has_state(""));
        let values = [one.state(), one.nonce(), one.verifier().to_string(), one.challenge(), encode(&one.id())];
        for (i, value) in values.iter().enumerate() {
            assert_eq!(value.len(), 43);
            assert!(!values[..i].contains(value));
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        // RFC 7636, appendix B.
        let challenge = encode(&Sha256::digest(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
