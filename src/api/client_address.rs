//! Where a request comes from: the peer of the connection or, behind proxies that are trusted, whom they name in
//! `X-Forwarded-For`. Anybody can send that header, so nobody else's word counts.

use crate::config::Network;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The client's address: the last one, from the connection backwards, that is not a trusted proxy.
pub(super) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let mut nearest = peer.to_canonical();
    let named = headers.get_all("x-forwarded-for").iter().flat_map(|line| line.to_str().unwrap_or("").split(','));
    for hop in named.collect::<Vec<_>>().into_iter().rev() {
        if !is_trusted(&nearest) {
            break;
        }
        // What a trusted proxy says and cannot be read names nobody: it stays the last one known.
        let Some(address) = read(hop.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// An address, which some proxies write with a port.
fn read(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources, load};

    fn client(peer: &str, lines: &[&str], trusted: &str) -> String {
        let flags = vec![Flag::new("--set", "server.trusted_proxies", trusted)];
        let config = load(Sources { file: None, environment: vec![], flags }).unwrap().config;
        let headers = lines.iter().map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap())).collect();
        of(peer.parse().unwrap(), &headers, &config.server.trusted_proxies).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client("203.0.113.9", &["198.51.100.7"], ""), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["198.51.100.7"], "10.0.0.0/8"), "203.0.113.9");
    }

    #[test]
    fn the_nearest_that_is_not_a_trusted_proxy_is_the_client() {
        let proxies = "10.0.0.0/8,::1";
        assert_eq!(client("10.0.0.1", &[], proxies), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"], proxies), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.7, 10.0.0.2"], proxies), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.7", "10.0.0.2"], proxies), "198.51.100.7");
        assert_eq!(client("::1", &["2001:db8::1"], proxies), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], proxies), "10.0.0.3");
    }

    #[test]
    fn ports_and_mapped_addresses_are_understood_and_nonsense_ends_the_search() {
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7:4711"], "10.0.0.0/8"), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.0/8"), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["198.51.100.7,"], "10.0.0.0/8"), "10.0.0.1");
    }
}
