//! Message authentication codes (HMAC-SHA256, RFC 2104). Only a holder of the signing keys can compute them, so unlike
//! a plain digest they do not let a reader of the database test guesses.

use super::{secret::Digest, token::KeyRing};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Computes keyed digests for one purpose.
pub struct Mac([u8; 32]);

impl Mac {
    /// Derives the key for `purpose` from the key ring.
    pub fn new(ring: &KeyRing, purpose: &[u8]) -> Self {
        Self(ring.derive(purpose))
    }

    /// The same with a key that stays when signing keys are rotated, for digests that are stored.
    pub fn for_stored_digests(ring: &KeyRing, purpose: &[u8]) -> Self {
        Self(ring.derive_sealing(purpose))
    }

    pub(super) fn with_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The keyed digest of `data`.
    pub fn digest(&self, data: &[u8]) -> Digest {
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.chain_update(data).finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn the_digest_depends_on_the_key_the_purpose_and_the_data() {
        let ring = || KeyRing::generate(Timestamp::from_millis(0)).unwrap();
        let (one, other) = (ring(), ring());
        let digest = Mac::new(&one, b"a").digest(b"data");
        assert_eq!(Mac::new(&one, b"a").digest(b"data"), digest);
        assert_ne!(Mac::new(&one, b"a").digest(b"date"), digest);
        assert_ne!(Mac::new(&one, b"b").digest(b"data"), digest);
        assert_ne!(Mac::new(&other, b"a").digest(b"data"), digest);
    }
}
