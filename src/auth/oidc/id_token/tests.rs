//! Forged, altered and misplaced ID tokens.

use super::super::encode;
use super::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;

const ISSUER: &str = "https://id.example.com";
const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_000);
const EXPECTED: Expected<'static> = Expected { issuer: ISSUER, client_id: "shop", nonce: "n" };

/// A provider with one key.
struct Provider {
    key: EcdsaKeyPair,
    kid: &'static str,
}

impl Provider {
    fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { key, kid }
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": x, "y": y})
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(json!({"keys": [self.jwk()]}).to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode(signature.as_ref()))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": self.kid}), claims)
    }
}

fn claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": ISSUER, "aud": "shop", "sub": "1", "exp": now + 60, "iat": now, "nonce": "n",
        "email": "ada@example.com", "email_verified": true, "name": "Ada",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_valid_token_names_the_person() {
    let provider = Provider::new("a");
    let identity = verify(&provider.token(&claims()), &provider.keys(), &EXPECTED, NOW).unwrap();
    let email = Some("ada@example.com".to_owned());
    assert_eq!(identity, Identity { subject: "1".to_owned(), verified_email: email, name: Some("Ada".to_owned()) });
    let now = NOW.seconds();
    for accepted in [
        with("aud", json!(["shop"])),
        with("azp", json!("shop")),
        with("exp", json!(now - 4)),
        with("iat", json!(now + 5)),
        with("more", json!({"a": [1]})),
    ] {
        verify(&provider.token(&accepted), &provider.keys(), &EXPECTED, NOW).unwrap();
    }
}

#[test]
fn an_address_counts_only_if_the_provider_says_that_it_is_the_persons() {
    let provider = Provider::new("a");
    let email = |claims: &Value| {
        verify(&provider.token(claims), &provider.keys(), &EXPECTED, NOW).unwrap().verified_email.is_some()
    };
    for verified in [json!(true), json!("true")] {
        assert!(email(&with("email_verified", verified)));
    }
    for unverified in [json!(false), json!("false"), json!(null), json!([]), json!("yes")] {
        assert!(!email(&with("email_verified", unverified)));
    }
    let mut tenant = with("email_verified", json!(null));
    tenant["xms_edov"] = json!("1");
    assert!(email(&tenant));
}

#[test]
fn no_forged_altered_expired_or_misplaced_token_is_accepted() {
    let (provider, stranger, now) = (Provider::new("a"), Provider::new("a"), NOW.seconds());
    let keys = provider.keys();
    let refused = |token: &str, why: &str| {
        assert!(matches!(verify(token, &keys, &EXPECTED, NOW), Err(IdTokenFault::Invalid(_))), "{why}");
    };
    for (name, value) in [
        ("iss", json!("https://id.example.org")),
        ("iss", json!("https://id.example.com/")),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!(["shop", "other"])),
        ("aud", json!([])),
        ("azp", json!("other")),
        ("exp", json!(now - 5)),
        ("exp", json!("never")),
        ("iat", json!(now + 6)),
        ("nonce", json!("m")),
        ("nonce", json!(null)),
        ("sub", json!("")),
        ("sub", json!("a".repeat(256))),
    ] {
        refused(&provider.token(&with(name, value.clone())), &format!("{name}: {value}"));
    }
    refused(&stranger.token(&claims()), "signed by a stranger");
    for header in [
        json!({"alg": "none", "kid": "a"}),
        json!({"alg": "HS256", "kid": "a"}),
        json!({"alg": "RS256", "kid": "a"}),
        json!({"alg": "es256", "kid": "a"}),
        json!({"alg": "ES256", "kid": "a", "crit": ["exp"]}),
        json!({"kid": "a"}),
    ] {
        refused(&provider.sign(&header, &claims()), &header.to_string());
    }
    let token = provider.token(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = encode(with("email", json!("eve@example.com")).to_string().as_bytes());
    refused(&format!("{header}.{other}.{signature}"), "another payload");
    refused(&format!("{message}."), "no signature");
    refused(message, "two parts");
    refused(&"a".repeat(20_000), "too long");
    refused("", "nothing");
    let jwk_inside = json!({"alg": "ES256", "kid": "a", "jwk": stranger.jwk()});
    refused(&stranger.sign(&jwk_inside, &claims()), "brings its own key");
}

#[test]
fn a_token_of_a_new_key_says_that_the_key_is_unknown() {
    let (before, after) = (Provider::new("a"), Provider::new("b"));
    let unknown = verify(&after.token(&claims()), &before.keys(), &EXPECTED, NOW);
    assert_eq!(unknown, Err(IdTokenFault::UnknownKey));
    let both = json!({"keys": [before.jwk(), after.jwk(), {"kty": "OKP"}, {"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQ"}]});
    let both = KeySet::parse(both.to_string().as_bytes()).unwrap();
    verify(&after.token(&claims()), &both, &EXPECTED, NOW).unwrap();
    let without_kid = after.sign(&json!({"alg": "ES256"}), &claims());
    assert_eq!(verify(&without_kid, &both, &EXPECTED, NOW), Err(IdTokenFault::UnknownKey), "it could be either");
    verify(&without_kid, &after.keys(), &EXPECTED, NOW).unwrap();
}

#[test]
fn a_signature_of_rsa_is_verified() {
    // Made with OpenSSL.
    let keys = KeySet::parse(include_bytes!("rsa.json")).unwrap();
    let message = b"orderd verifies RS256";
    let signature = decode(include_str!("rsa.sig").trim()).unwrap();
    assert!(keys.verifies(Some("r"), "RS256", message, &signature));
    assert!(!keys.verifies(Some("r"), "RS256", b"orderd verifies RS257", &signature));
    assert!(!keys.verifies(Some("r"), "ES256", message, &signature));
}
