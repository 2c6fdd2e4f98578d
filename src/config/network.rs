//! Parses network values: addresses, networks, URLs and web origins. It never looks up a name.

use super::value::text;
use figment::value::Value;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A set of IP addresses with a common prefix (RFC 4632, RFC 4291).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Parses `10.0.0.0/8`, `fd00::/8`, or a single address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("must be IP addresses or networks, such as 10.0.0.0/8 or ::1, and {text:?} is neither");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| fault())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| fault())?;
        if prefix > width { Err(fault()) } else { Ok(Self { address, prefix }) }
    }

    /// Whether the network contains `address`. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.address.is_ipv4() != address.is_ipv4() {
            return false;
        }
        let differing = bits(self.address) ^ bits(address);
        // A prefix of 0 shifts by the whole width, which is an overflow: every address matches.
        let width = if address.is_ipv4() { 32 } else { 128 };
        differing.checked_shr(width - self.prefix).is_none_or(|rest| rest == 0)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// Parses an IP address and a port. Host names are refused, because they mean different addresses on different
/// machines.
pub(super) fn address(value: &Value) -> Result<SocketAddr, String> {
    let fault = |_| "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned();
    text(value)?.parse().map_err(fault)
}

/// The address of an HTTP service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// Host and port, for the connection and the `Host` header.
    pub authority: String,
    /// The path, with its leading slash.
    pub path: String,
}

/// Parses an `http` URL with host and port; empty text gives none. The collector runs beside this process, so TLS is
/// not supported.
pub(super) fn http_url(value: &Value) -> Result<Option<HttpUrl>, String> {
    let url = text(value)?;
    if url.is_empty() {
        return Ok(None);
    }
    let parsed = parse_http_url(&url)
        .ok_or_else(|| "must be an http URL with a port, such as http://127.0.0.1:4318/v1/traces".to_owned())?;
    Ok(Some(parsed))
}

fn parse_http_url(url: &str) -> Option<HttpUrl> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority.rsplit_once(':')?;
    let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\');
    let good = is_host(host) && is_port(port) && path.bytes().all(plain);
    good.then(|| HttpUrl {
        authority: authority.to_owned(),
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
    })
}

/// Parses an origin exactly as browsers send it (RFC 6454, section 6.2), because no other form would match.
pub(super) fn web_origin(text: &str) -> Result<String, String> {
    if is_web_origin(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be origins as browsers send them, such as https://shop.example \
         (lower case, no path, no default port, no `*`), and {text:?} is not one"
    ))
}

fn is_web_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    is_host(host) && port.is_none_or(|port| is_port(port) && port != default_port.to_string())
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    !host.is_empty() && host.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|parsed| parsed.to_string() == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_the_addresses_of_its_prefix() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("10.1.2.3/8", "10.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "fe80::1"));
    }

    #[test]
    fn invalid_networks_are_refused() {
        for text in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_collector_url_is_http_with_a_port() {
        let read = |url: &str| http_url(&url.into());
        let url =
            |authority: &str, path: &str| Ok(Some(HttpUrl { authority: authority.to_owned(), path: path.to_owned() }));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("http://127.0.0.1:4318/v1/traces"), url("127.0.0.1:4318", "/v1/traces"));
        assert_eq!(read("http://[::1]:4318"), url("[::1]:4318", "/"));
        assert_eq!(read("http://localhost:80/"), url("localhost:80", "/"));
        for other in ["localhost:4318", "http://localhost", "https://localhost:4318/", "http://u@a:1/", "http://a:1/ b"]
        {
            assert!(read(other).is_err(), "{other}");
        }
    }

    #[test]
    fn origins_must_have_the_form_that_browsers_send() {
        for origin in ["https://shop.example", "http://localhost:3000", "http://[::1]:3000", "http://[::1]"] {
            assert_eq!(web_origin(origin), Ok(origin.to_owned()));
        }
        for other in ["*", "null", "shop.example", "https://", "https://shop.example/", "https://Shop.example"] {
            assert!(web_origin(other).is_err(), "{other}");
        }
        for other in
            ["https://a.example:443", "http://a.example:80", "https://a.example:", "ftp://a.example", "https://u@a"]
        {
            assert!(web_origin(other).is_err(), "{other}");
        }
    }
}
