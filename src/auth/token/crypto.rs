//! The cryptography of access tokens: HMAC with SHA-256 (RFC 7518, section 3.2) and nothing else. There is no code that
//! could verify another algorithm, so algorithm confusion is impossible (RFC 8725, section 3.1).

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{self, ErrorKind},
};
use sha2::Sha256;
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key: &EncodingKey| Ok(Box::new(Hs256::new(*algorithm, key.family(), key.as_bytes())?)),
    verifier_factory: |algorithm, key: &DecodingKey| {
        Ok(Box::new(Hs256::new(*algorithm, key.family(), key.try_get_as_bytes()?)?))
    },
    // This service neither reads nor publishes key sets.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Installs this as the process-wide provider of `jsonwebtoken`. Calling it again does nothing.
pub(super) fn install() {
    // This fails only if the provider is installed already.
    let _ = PROVIDER.install_default();
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> errors::Result<Self> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Verifies in constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::wycheproof::judge;

    #[test]
    fn it_verifies_as_wycheproof_has_it() {
        let counts = judge("hmac_sha256_test.json", |vector| {
            let verifier = Hs256::new(Algorithm::HS256, AlgorithmFamily::Hmac, &vector.bytes("key")).unwrap();
            let tag = vector.bytes("tag");
            let is_good = verifier.verify(&vector.bytes("msg"), &tag).is_ok();
            // HMAC knows shortened tags, HS256 does not.
            let is_short = tag.len() < 32;
            assert!(!(is_short && is_good), "a shortened tag");
            (!is_short).then_some(is_good)
        });
        assert!(counts.is_none_or(|(good, bad)| good > 30 && bad > 50), "{counts:?}");
    }

    #[test]
    fn it_signs_like_test_case_2_of_rfc_4231() {
        let signer = Hs256::new(Algorithm::HS256, AlgorithmFamily::Hmac, b"Jefe").unwrap();
        let signature = signer.try_sign(b"what do ya want for nothing?").unwrap();
        let expected = 0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7_u128.to_be_bytes().into_iter();
        assert!(
            expected.chain(0x5a00_3f08_9d27_3983_9dec_58b9_64ec_3843_u128.to_be_bytes()).eq(signature.iter().copied())
        );
        assert!(signer.verify(b"what do ya want for nothing?", &signature).is_ok());
        assert!(signer.verify(b"what do ya want for nothing!", &signature).is_err());
        assert!(signer.verify(b"what do ya want for nothing?", &signature[..31].to_vec()).is_err());
    }

    #[test]
    fn it_refuses_every_other_algorithm() {
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(Hs256::new(algorithm, AlgorithmFamily::Hmac, &[1; 32]).is_err());
        }
        assert!(Hs256::new(Algorithm::HS256, AlgorithmFamily::Rsa, &[1; 32]).is_err());
    }
}
