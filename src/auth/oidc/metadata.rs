//! What a provider says about itself (OpenID Connect Discovery 1.0, section 3).

use serde::Deserialize;

/// The addresses of a provider.
#[derive(Deserialize)]
pub struct Metadata {
    /// Its name, which has to be the configured one.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where it tells more about a person.
    pub userinfo_endpoint: Option<String>,
    /// Whether its answers name it (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads metadata; `None` if a member that is needed is missing.
    pub fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }
}
