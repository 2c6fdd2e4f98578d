//! From the host of a URL to a TCP connection. Here alone names are resolved for outbound requests, and a connection goes
//! to one of the addresses that were checked: no name is looked up a second time.

use super::{Addresses, OutboundError, is_public};
use crate::domain::url::{Host, Url};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// Addresses of one host that are tried.
const MAX_ATTEMPTS: usize = 4;
/// How long one address is tried while there is another one.
const ATTEMPT_TIME: Duration = Duration::from_secs(2);

/// Connects to the host of `url`.
///
/// # Errors
/// If the name cannot be resolved, no address can be connected to, or one of them is not allowed: a name that has public
/// and private addresses is refused as a whole.
pub(super) async fn connect(url: &Url, allowed: Addresses) -> Result<TcpStream, OutboundError> {
    let addresses = resolve(url).await?;
    check(&addresses, allowed)?;
    connect_to_first(&addresses[..addresses.len().min(MAX_ATTEMPTS)]).await
}

async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, OutboundError> {
    match url.host() {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, url.port())]),
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), url.port())).await.map_err(OutboundError::Resolve)?;
            Ok(found.collect())
        }
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
    let Some((last, others)) = addresses.split_last() else {
        return Err(OutboundError::Resolve(io::Error::other("it has no address")));
    };
    for address in others {
        if let Ok(Ok(stream)) = timeout(ATTEMPT_TIME, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    TcpStream::connect(last).await.map_err(|e| OutboundError::Connect(*last, e))
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
        let url = Url::parse("http://nobody.invalid/").unwrap();
        assert!(matches!(connect(&url, Addresses::Any).await, Err(OutboundError::Resolve(_))));
    }
}
