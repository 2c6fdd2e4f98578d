//! The address of the client: the peer of the connection or, behind trusted proxies, the address in `X-Forwarded-For`.
//! Anyone can send that header, so it counts only when a trusted proxy sent it.

use crate::config::Network;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The first address, going back from the connection, that is not a trusted proxy.
pub(super) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let mut nearest = peer.to_canonical();
    let forwarded = headers.get_all("x-forwarded-for").iter().flat_map(|line| line.to_str().unwrap_or("").split(','));
    for hop in forwarded.collect::<Vec<_>>().into_iter().rev() {
        if !is_trusted(&nearest) {
            break;
        }
        // An entry that is not an address ends the search: the last known address counts.
        let Some(address) = parse(hop.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// Parses an address. Some proxies add a port.
fn parse(hop: &str) -> Option<IpAddr> {
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
    fn an_untrusted_peer_cannot_set_the_address() {
        assert_eq!(client("203.0.113.9", &["198.51.100.7"], ""), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["198.51.100.7"], "10.0.0.0/8"), "203.0.113.9");
    }

    #[test]
    fn the_nearest_address_that_is_not_a_trusted_proxy_is_the_client() {
        let proxies = "10.0.0.0/8,::1";
        assert_eq!(client("10.0.0.1", &[], proxies), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"], proxies), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.7, 10.0.0.2"], proxies), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.7", "10.0.0.2"], proxies), "198.51.100.7");
        assert_eq!(client("::1", &["2001:db8::1"], proxies), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], proxies), "10.0.0.3");
    }

    #[test]
    fn ports_and_mapped_addresses_are_parsed_and_other_text_ends_the_search() {
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7:4711"], "10.0.0.0/8"), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.0/8"), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["198.51.100.7,"], "10.0.0.0/8"), "10.0.0.1");
    }
}
