//! Signing in by OpenID Connect: the journey of a browser to the provider and back, and what the provider's answers
//! have to prove (OpenID Connect Core 1.0; RFC 7636, PKCE; RFC 9207, `iss`). It sends nothing itself.
//!
//! Written here, because the crate `openidconnect` brings `rsa`, which has an advisory without a fix, and four further
//! crates for signatures, while `ring` verifies both kinds that providers use and is in the program already.

mod form;
mod id_token;
mod journey;
mod keys;
mod metadata;

pub use form::{basic, form};
pub use id_token::{Expected, IdTokenFault, Identity, Person, verify};
pub use journey::Journey;
pub use keys::KeySet;
pub use metadata::Metadata;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The bytes of base64url without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64url without padding.
fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
