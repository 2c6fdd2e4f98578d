//! What the application remembers about the OpenID provider. `service/oidc` asks the provider.

use crate::{
    auth::oidc::{KeySet, Metadata},
    domain::time::Timestamp,
    outbound::Client,
};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The connection to the provider.
pub struct OidcProvider {
    /// The client that asks it.
    pub http: Client,
    /// Its latest answers. Whoever holds the lock asks again, so that one request asks at a time.
    pub facts: Mutex<Option<Arc<ProviderFacts>>>,
}

/// What the provider has said about itself.
pub struct ProviderFacts {
    /// Its addresses.
    pub metadata: Metadata,
    /// The keys that it signs with.
    pub keys: KeySet,
    /// When it was asked.
    pub at: Timestamp,
}

impl OidcProvider {
    /// The provider, asked by this client.
    pub(super) fn new(http: Client) -> Self {
        Self { http, facts: Mutex::new(None) }
    }
}
