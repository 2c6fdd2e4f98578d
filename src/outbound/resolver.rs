//! From a host name to its addresses.

use std::{io, net::IpAddr, sync::Arc};
use tokio::net::lookup_host;

/// Resolves names: as the system does, or as a test says, since a test cannot change what the system answers.
#[derive(Clone)]
pub struct Resolver(Source);

#[derive(Clone)]
enum Source {
    System,
    Given(Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>),
}

impl Resolver {
    /// The resolver of the system.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A resolver that answers what `look_up` returns.
    pub fn from_fn(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Source::Given(Arc::new(look_up)))
    }

    /// The addresses of a name, the preferred ones first.
    pub(super) async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match &self.0 {
            Source::System => Ok(lookup_host((name, 0)).await?.map(|address| address.ip()).collect()),
            Source::Given(look_up) => look_up(name),
        }
    }
}
