//! Secrets that this program has to read again, such as those that sign webhooks: encrypted with a key that lies in the
//! file of the key ring and never in the database (ChaCha20-Poly1305, RFC 8439). A copy of the database alone, such as
//! a backup, reveals none of them.

use super::{secret, token::KeyRing};
use crate::error::{Error, Result};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Seals and opens secrets of one purpose.
pub struct Sealer(LessSafeKey);

impl Sealer {
    /// Derives the key for `purpose` from the sealing key of the ring, which stays when signing keys are rotated.
    ///
    /// # Errors
    /// `internal` if the key cannot be used.
    pub fn new(ring: &KeyRing, purpose: &[u8]) -> Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &ring.derive_sealing(purpose));
        key.map(|key| Self(LessSafeKey::new(key))).map_err(|_| Error::internal("the sealing key cannot be used"))
    }

    /// Encrypts `plain`. What is sealed for one `owner`, such as the identifier of its row, opens for no other.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn seal(&self, owner: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        // So few secrets are sealed that random nonces do not repeat.
        let nonce = secret::random_bytes::<NONCE_LEN>()?;
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(owner), &mut text)
            .map_err(|_| Error::internal("a secret cannot be sealed"))?;
        Ok([nonce.as_slice(), &text].concat())
    }

    /// Decrypts what [`Sealer::seal`] returned; `None` if it was sealed with another key or for another owner, or was
    /// changed.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.0.open_in_place(nonce, Aad::from(owner), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn a_secret_opens_with_its_key_its_purpose_and_its_owner_only() {
        let ring = KeyRing::generate(NOW).unwrap();
        let sealer = Sealer::new(&ring, b"a").unwrap();
        let sealed = sealer.seal(b"owner", b"secret").unwrap();
        assert_eq!(sealer.open(b"owner", &sealed).unwrap().as_slice(), b"secret");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_ne!(sealer.seal(b"owner", b"secret").unwrap(), sealed, "each has a nonce of its own");
        assert!(sealer.open(b"other", &sealed).is_none());
        assert!(Sealer::new(&ring, b"b").unwrap().open(b"owner", &sealed).is_none());
        assert!(Sealer::new(&KeyRing::generate(NOW).unwrap(), b"a").unwrap().open(b"owner", &sealed).is_none());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(sealer.open(b"owner", &changed).is_none());
        }
        assert!(sealer.open(b"owner", b"short").is_none());
    }

    #[test]
    fn a_secret_still_opens_after_the_signing_key_was_rotated() {
        let ring = KeyRing::generate(NOW).unwrap();
        let sealed = Sealer::new(&ring, b"a").unwrap().seal(b"owner", b"secret").unwrap();
        let rotated = ring.rotate(NOW, Duration::ZERO).unwrap().rotate(NOW, Duration::ZERO).unwrap();
        assert!(Sealer::new(&rotated, b"a").unwrap().open(b"owner", &sealed).is_some());
    }
}
