//! The keys with which a provider signs (RFC 7517): RSA and the curve P-256, which is what RS256 and ES256 need.

use super::decode;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// More keys of a provider than this are not read.
const MAX_KEYS: usize = 50;

/// The keys of a provider. Those of other kinds or for other purposes are left out.
pub struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    material: Material,
}

enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK set; `None` if the document is not one.
    pub fn parse(document: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(document).ok()?;
        Some(Self(document.keys.into_iter().take(MAX_KEYS).filter_map(Key::of).collect()))
    }

    /// Whether there is a key for a token with this `kid`. A token without one needs a set of a single key.
    pub(super) fn has(&self, id: Option<&str>) -> bool {
        self.candidates(id).next().is_some()
    }

    /// Whether a key with this `kid` has signed `message` with `algorithm`, which has to be the one of the key.
    pub(super) fn verifies(&self, id: Option<&str>, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        self.candidates(id).any(|key| match (&key.material, algorithm) {
            (Material::Rsa { modulus, exponent }, "RS256") => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        })
    }

    fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let is_single = self.0.len() == 1;
        self.0.iter().filter(move |key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => is_single,
        })
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let algorithm = jwk.alg.as_deref();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) if algorithm.is_none_or(|name| name == "RS256") => {
                Material::Rsa { modulus: decode(&jwk.n?)?, exponent: decode(&jwk.e?)? }
            }
            ("EC", Some("P-256")) if algorithm.is_none_or(|name| name == "ES256") => {
                let (x, y) = (decode(&jwk.x?)?, decode(&jwk.y?)?);
                Material::P256([&[4], x.as_slice(), &y].concat())
            }
            _ => return None,
        };
        Some(Self { id: jwk.kid, material })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{
        oidc::encode,
        wycheproof::{Vector, bytes, judge},
    };
    use serde_json::{Value, json};

    fn has_signed(vector: &Vector<'_>, key: &Value, algorithm: &str) -> bool {
        let keys = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        keys.verifies(key["kid"].as_str(), algorithm, &vector.bytes("msg"), &vector.bytes("sig"))
    }

    #[test]
    fn es256_is_verified_as_wycheproof_has_it() {
        let file = "ecdsa_secp256r1_sha256_p1363_test.json";
        let counts = judge(file, |vector| {
            // An uncompressed point; not every group has a JWK.
            let point = bytes(&vector.group["publicKey"]["uncompressed"]);
            let (x, y) = point[1..].split_at(32);
            Some(has_signed(vector, &json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}), "ES256"))
        });
        assert!(counts.is_none_or(|(good, bad)| good > 150 && bad > 80), "{counts:?}");
    }

    #[test]
    fn rs256_is_verified_as_wycheproof_has_it() {
        for bits in [2048, 3072, 4096, 8192] {
            let file = format!("rsa_signature_{bits}_sha256_test.json");
            let counts = judge(&file, |vector| Some(has_signed(vector, &vector.group["keyJwk"], "RS256")));
            assert!(counts.is_none_or(|(good, bad)| good > 5 && bad > 200), "{file}: {counts:?}");
        }
    }
}
