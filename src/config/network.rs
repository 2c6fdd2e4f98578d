//! Parses network values: addresses, networks, URLs and web origins. It never looks up a name.

use super::value::text;
use crate::domain::url::{Host, Scheme, Url, UrlFault};
use figment::value::Value;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

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

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and a port.
    Address(SocketAddr),
    /// The path of a Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The longest path of a Unix socket, in bytes (`sockaddr_un`).
const MAX_SOCKET_PATH: usize = 107;

/// Parses an IP address and a port, or the path of a Unix socket. Host names are refused, because they mean different
/// addresses on different machines.
pub(super) fn listen(value: &Value) -> Result<Listen, String> {
    let text = text(value)?;
    let fault = || {
        "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, or `unix:` and the path of a socket of \
         at most 107 bytes"
            .to_owned()
    };
    match text.strip_prefix("unix:") {
        Some(path) if (1..=MAX_SOCKET_PATH).contains(&path.len()) => Ok(Listen::Socket(path.into())),
        Some(_) => Err(fault()),
        None => text.parse().map(Listen::Address).map_err(|_| fault()),
    }
}

/// The URL of a server as its clients see it, or none if the text is empty.
pub(super) fn public_url(value: &Value) -> Result<Option<Url>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(&text).ok().filter(|url| !url.target().contains(['?', ';', '\'']));
    let fault = || "must be an http or https URL without a query, such as https://shop.example/api".to_owned();
    url.map(Some).ok_or_else(fault)
}

/// An `http` or `https` URL, or none if the text is empty.
pub(super) fn optional_url(value: &Value) -> Result<Option<Url>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    // The configuration's reference shows this text as the form of the value.
    let fault = |e| match e {
        UrlFault::Scheme => "must be an http or https URL, such as http://127.0.0.1:4318/v1/traces".to_owned(),
        e => e.to_string(),
    };
    Url::parse(&text).map(Some).map_err(fault)
}

/// The name of an OpenID provider, or none if the text is empty.
pub(super) fn issuer(value: &Value) -> Result<Option<String>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let fault =
        || "must be an https URL without a query, such as https://accounts.google.com (http on this machine only)";
    let url = Url::parse(&text).ok().filter(|_| !text.contains(['?', '#'])).ok_or_else(fault)?;
    let is_here = match url.host() {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => address.is_loopback(),
    };
    if url.scheme() == Scheme::Https || is_here { Ok(Some(text)) } else { Err(fault().to_owned()) }
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
    fn a_collector_is_an_http_or_https_url() {
        let read = |url: &str| optional_url(&url.into()).map(|url| url.map(|url| url.to_string()));
        assert_eq!(read(""), Ok(None));
        for url in ["http://127.0.0.1:4318/v1/traces", "https://collector.example/v1/traces", "http://[::1]:4318/"] {
            assert_eq!(read(url), Ok(Some(url.to_owned())));
        }
        assert!(read("localhost:4318").unwrap_err().contains("such as http://127.0.0.1:4318"));
        assert!(read("http://u@a:1/").unwrap_err().contains("user name"));
    }

    #[test]
    fn a_server_listens_on_an_address_or_a_socket() {
        let read = |text: &str| listen(&text.into()).map(|listen| listen.to_string());
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/orderd/http.sock", "unix:here.sock"] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        for text in ["localhost:80", "8080", "unix:", "/run/a.sock", &format!("unix:/{}", "a".repeat(107))] {
            assert!(read(text).unwrap_err().contains("`unix:` and the path"), "{text}");
        }
    }

    #[test]
    fn a_public_address_has_no_query() {
        let read = |url: &str| public_url(&url.into()).map(|url| url.map(|url| url.to_string()));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("https://Shop.example/api/"), Ok(Some("https://shop.example/api/".to_owned())));
        for url in
            ["shop.example", "/api", "https://shop.example/?a=1", "https://u@shop.example", "https://a.example/'"]
        {
            assert!(read(url).unwrap_err().contains("such as https://shop.example/api"), "{url}");
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
