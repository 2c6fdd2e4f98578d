//! The key ring: the keys that sign and verify access tokens. The first key signs; the others only verify, until they
//! expire.

mod file;

use crate::{
    auth::secret,
    domain::{digest::sha256, time::Timestamp},
    error::Result,
};
use std::time::Duration;
use zeroize::Zeroizing;

/// The shortest secret in bytes. RFC 7518, section 3.2: an HS256 key has at least as many bits as the hash.
const MIN_SECRET_BYTES: usize = 32;
/// Bytes of the key that seals secrets.
const SEALING_BYTES: usize = 32;
/// Characters of a generated key identifier.
const KEY_ID_LENGTH: usize = 16;

/// A key that signs or verifies access tokens.
#[derive(Clone)]
pub(super) struct SigningKey {
    /// The `kid` in the header of a token.
    pub(super) id: String,
    pub(super) secret: Zeroizing<Vec<u8>>,
    created_at: Timestamp,
    /// The key verifies tokens before this time; `None` for the key that signs.
    pub(super) not_after: Option<Timestamp>,
}

/// The keys of one deployment. They are stored in a file beside the database and never in it, so that a backup does not
/// let anybody forge tokens.
#[derive(Clone)]
pub struct KeyRing {
    /// Never empty. The first key signs.
    keys: Vec<SigningKey>,
    /// Seals secrets in the database. It stays when signing keys are rotated.
    sealing_key: Zeroizing<[u8; SEALING_BYTES]>,
}

impl KeyRing {
    /// A ring with one new key, which is not in a file yet.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn generate(now: Timestamp) -> Result<Self> {
        Ok(Self { keys: vec![SigningKey::generate(now)?], sealing_key: secret::random_bytes()? })
    }

    /// A ring with a new key that signs from `now` on. The previous keys verify for `overlap` longer, which should be
    /// the lifetime of a token; expired keys are removed.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn rotate(&self, now: Timestamp, overlap: Duration) -> Result<Self> {
        let end = now.plus(overlap);
        let previous = self.keys.iter().filter(|key| key.is_valid(now)).cloned();
        let previous =
            previous.map(|key| SigningKey { not_after: Some(key.not_after.map_or(end, |t| t.min(end))), ..key });
        let keys = std::iter::once(SigningKey::generate(now)?).chain(previous).collect();
        Ok(Self { keys, sealing_key: self.sealing_key.clone() })
    }

    /// Derives a key for another purpose from the signing key. It reveals nothing about the signing key.
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        self.keys.first().map_or([0; 32], |key| key.derive(purpose))
    }

    /// Derives a key that seals secrets of one purpose. Rotation does not change it.
    pub fn derive_sealing(&self, purpose: &[u8]) -> [u8; 32] {
        sha256(&[b"orderd sealing", purpose, self.sealing_key.as_slice()])
    }

    /// The keys; the first one signs.
    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }
}

impl SigningKey {
    fn generate(now: Timestamp) -> Result<Self> {
        let secret = Zeroizing::new(secret::random_bytes::<MIN_SECRET_BYTES>()?.to_vec());
        Ok(Self { id: secret::random_text::<KEY_ID_LENGTH>()?, secret, created_at: now, not_after: None })
    }

    /// Derives a key for another purpose, which reveals nothing about this one.
    pub(super) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        sha256(&[b"orderd", purpose, &self.secret])
    }

    /// Whether the key verifies tokens at `now`.
    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
    const OVERLAP: Duration = Duration::from_mins(15);

    fn ids(ring: &KeyRing) -> Vec<&str> {
        ring.keys().iter().map(|key| key.id.as_str()).collect()
    }

    #[test]
    fn previous_keys_verify_during_the_overlap_and_are_then_removed() {
        let first = KeyRing::generate(NOW).unwrap();
        let second = first.rotate(NOW, OVERLAP).unwrap();
        assert_eq!(second.keys().len(), 2);
        assert_eq!(second.keys()[0].not_after, None);
        assert_eq!(second.keys()[1].id, first.keys()[0].id);
        assert_eq!(second.keys()[1].not_after, Some(NOW.plus(OVERLAP)));
        assert!(second.keys()[1].is_valid(NOW.plus(OVERLAP).minus(Duration::from_millis(1))));
        assert!(!second.keys()[1].is_valid(NOW.plus(OVERLAP)));

        let soon = second.rotate(NOW.plus(Duration::from_mins(1)), OVERLAP).unwrap();
        assert_eq!(soon.keys().len(), 3);
        assert_eq!(soon.keys()[2].not_after, Some(NOW.plus(OVERLAP)), "rotating again extends no key");
        let later = second.rotate(NOW.plus(OVERLAP), OVERLAP).unwrap();
        assert_eq!(ids(&later)[1..], ids(&second)[..1]);
    }
}
