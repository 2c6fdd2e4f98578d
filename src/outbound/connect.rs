//! From the host of a URL to a TCP connection. Here alone names are resolved for outbound requests, and a connection
//! goes to one of the addresses that were checked: no name is looked up a second time.

use super::{Addresses, OutboundError, Resolver, is_public, proxy::tunnel};
use crate::{
    config::{Proxies, Proxy},
    domain::url::{Host, Scheme, Url},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// Addresses of one host that are tried.
const MAX_ATTEMPTS: usize = 4;
/// How long one address is tried while there is another one.
const ATTEMPT_TIME: Duration = Duration::from_secs(2);

/// Connects to hosts: directly, or through the proxies of the configuration.
pub(super) struct Connector {
    pub(super) allowed: Addresses,
    pub(super) resolver: Resolver,
    pub(super) proxies: Proxies,
}

impl Connector {
    /// The proxy that is sent the request itself, instead of being asked for a connection to the host: plain HTTP to a
    /// host of any address, since many proxies make connections for HTTPS alone.
    pub(super) fn forwarding_proxy(&self, url: &Url) -> Option<&Proxy> {
        let is_forwarded = url.scheme() == Scheme::Http && self.allowed == Addresses::Any;
        self.proxies.of(url).filter(|_| is_forwarded)
    }

    /// Connects to the host of `url`, or to the proxy that forwards requests to it.
    ///
    /// # Errors
    /// If the name cannot be resolved, no address can be connected to, or one of them is not allowed: a name that has
    /// public and private addresses is refused as a whole.
    pub(super) async fn connect(&self, url: &Url) -> Result<TcpStream, OutboundError> {
        let Some(proxy) = self.proxies.of(url) else {
            return connect_to_first(&self.checked_addresses(url).await?).await;
        };
        if self.forwarding_proxy(url).is_some() {
            return self.connect_to_proxy(proxy).await;
        }
        let mut failure = no_address();
        for target in self.targets(url).await? {
            match tunnel(self.connect_to_proxy(proxy).await?, &target, proxy).await {
                Ok(stream) => return Ok(stream),
                Err(e) => failure = e,
            }
        }
        Err(failure)
    }

    /// The addresses of the host that are tried. All of them have to be allowed.
    async fn checked_addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, OutboundError> {
        let mut addresses = self.resolve(url.host(), url.port()).await?;
        check(&addresses, self.allowed)?;
        addresses.truncate(MAX_ATTEMPTS);
        Ok(addresses)
    }

    /// What a proxy is asked to connect to. Where private addresses are refused, it is an address that was checked,
    /// since a proxy would look up the name once more.
    async fn targets(&self, url: &Url) -> Result<Vec<String>, OutboundError> {
        match self.allowed {
            Addresses::Public => Ok(self.checked_addresses(url).await?.iter().map(ToString::to_string).collect()),
            Addresses::Any => Ok(vec![format!("{}:{}", url.host(), url.port())]),
        }
    }

    async fn connect_to_proxy(&self, proxy: &Proxy) -> Result<TcpStream, OutboundError> {
        let connected = async {
            let mut addresses = self.resolve(&proxy.host, proxy.port).await?;
            addresses.truncate(MAX_ATTEMPTS);
            connect_to_first(&addresses).await
        };
        connected.await.map_err(|e| OutboundError::Proxy(e.to_string()))
    }

    async fn resolve(&self, host: &Host, port: u16) -> Result<Vec<SocketAddr>, OutboundError> {
        let found = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolver.look_up(name).await.map_err(OutboundError::Resolve)?,
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

fn check(addresses: &[SocketAddr], allowed: Addresses) -> Result<(), OutboundError> {
    match allowed {
        Addresses::Any => Ok(()),
        Addresses::Public => match addresses.iter().find(|address| !is_public(address.ip())) {
            Some(refused) => Err(OutboundError::RefusedAddress(refused.ip())),
            None => Ok(()),
        },
    }
}

/// Connects to the first address that answers. The last one may take what is left of the exchange's time.
async fn connect_to_first(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    let Some((last, others)) = addresses.split_last() else { return Err(no_address()) };
    for address in others {
        if let Ok(Ok(stream)) = timeout(ATTEMPT_TIME, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    TcpStream::connect(last).await.map_err(|e| OutboundError::Connect(*last, e))
}

fn no_address() -> OutboundError {
    OutboundError::Resolve(io::Error::other("it has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn one_private_address_among_public_ones_refuses_the_host() {
        let addresses = ["8.8.8.8:443", "[2606:4700::1]:443", "10.0.0.1:443"].map(|text| text.parse().unwrap());
        assert!(check(&addresses[..2], Addresses::Public).is_ok());
        assert!(check(&addresses, Addresses::Any).is_ok());
        let refused = check(&addresses, Addresses::Public).unwrap_err();
        assert!(matches!(refused, OutboundError::RefusedAddress(ip) if ip == addresses[2].ip()), "{refused}");
    }

    #[tokio::test]
    async fn the_next_address_is_tried_after_one_that_refuses() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let stream = connect_to_first(&[closed, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let failed = connect_to_first(&[open, closed]).await.map(drop);
        assert!(failed.is_ok());
        let failed = connect_to_first(&[closed]).await.unwrap_err();
        assert!(matches!(failed, OutboundError::Connect(address, _) if address == closed), "{failed}");
        assert!(matches!(connect_to_first(&[]).await, Err(OutboundError::Resolve(_))));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_cannot_be_resolved() {
        // RFC 6761, section 6.4: names under `invalid` never exist.
        let resolver = Resolver::system();
        let connector = Connector { allowed: Addresses::Any, resolver, proxies: Proxies::default() };
        let url = Url::parse("http://nobody.invalid/").unwrap();
        assert!(matches!(connector.connect(&url).await, Err(OutboundError::Resolve(_))));
    }
}
