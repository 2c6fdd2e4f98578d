//! Web addresses: `http` and `https` URLs. Each has one spelling, and no name is looked up here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The longest URL that is accepted, in bytes.
const MAX_BYTES: usize = 2_048;
/// The longest host name and the longest label in one, in bytes (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// An absolute `http` or `https` URL (RFC 3986) without user information and without a fragment. Scheme and host are in
/// lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    host: Host,
    port: u16,
    target: String,
}

/// The protocol of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP over plain TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A host name in lower case, without a dot at its end.
    Name(String),
    /// An IP address.
    Address(IpAddr),
}

/// The first reason why a text is not a URL that is accepted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFault {
    /// Longer than 2,048 bytes.
    TooLong,
    /// Neither `http://` nor `https://`.
    Scheme,
    /// A user name or password before the host.
    UserInformation,
    /// No host, or one that is neither a host name in ASCII nor an IP address in its usual spelling.
    Host,
    /// A port that is not a number from 1 to 65535.
    Port,
    /// A fragment, or characters that must be percent-encoded.
    Target,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Url {
    /// Parses a URL. Host names have to be in ASCII, and IPv4 addresses in dotted decimal: `http://2130706433/`, which
    /// some programs read as 127.0.0.1, is refused.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        if text.len() > MAX_BYTES {
            return Err(UrlFault::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlFault::Scheme),
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlFault::UserInformation);
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
            _ => (authority, scheme.default_port()),
        };
        Ok(Self { scheme, host: parse_host(host)?, port, target: parse_target(target)? })
    }

    /// The protocol.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host name or the IP address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, also where it is the default one of the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as the first line of a request has them (RFC 9112, section 3.2.1).
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and port as the header `Host` has them: without the port where it is the default one of the scheme.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The same server with another path and query.
    pub fn with_target(&self, target: &str) -> Result<Self, UrlFault> {
        Ok(Self { target: parse_target(target)?, ..self.clone() })
    }
}

fn parse_port(text: &str) -> Result<u16, UrlFault> {
    // `parse` would take a sign.
    let is_number = text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).ok_or(UrlFault::Port)
}

fn parse_host(text: &str) -> Result<Host, UrlFault> {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = address.parse::<Ipv6Addr>().map_err(|_| UrlFault::Host)?;
        return Ok(Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = text.to_ascii_lowercase();
    let is_name = name.len() <= MAX_NAME_BYTES && name.split('.').all(is_label) && !ends_in_number(&name);
    if is_name { Ok(Host::Name(name)) } else { Err(UrlFault::Host) }
}

fn is_label(label: &str) -> bool {
    let is_plain = label.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    is_plain && !label.is_empty() && label.len() <= MAX_LABEL_BYTES && !label.starts_with('-') && !label.ends_with('-')
}

/// Whether browsers and `inet_aton` would read this name as an IPv4 address, such as `127.1` or `0x7f000001`.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with("0x") || last.bytes().all(|c| c.is_ascii_digit())
}

fn parse_target(text: &str) -> Result<String, UrlFault> {
    let is_plain =
        |c: u8| c.is_ascii_graphic() && !matches!(c, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}');
    if !text.bytes().all(is_plain) {
        return Err(UrlFault::Target);
    }
    Ok(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.target)
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "must not be longer than 2,048 bytes",
            Self::Scheme => "must begin with http:// or https://",
            Self::UserInformation => "must not contain a user name or a password",
            Self::Host => {
                "must have a host name in ASCII or an IP address, such as example.com, 192.0.2.1 or [2001:db8::1]"
            }
            Self::Port => "must have a port from 1 to 65535, or none",
            Self::Target => "must have neither a fragment nor characters that are not percent-encoded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_spelling() {
        for (text, expected) in [
            ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"),
            ("HTTPS://Hooks.Example.COM:443", "https://hooks.example.com/"),
            ("https://hooks.example.com:80/a?b=%20c/d", "https://hooks.example.com:80/a?b=%20c/d"),
            ("http://localhost?x", "http://localhost/?x"),
            ("http://[0:0::1]:0080/", "http://[::1]/"),
            ("http://[::ffff:127.0.0.1]:81/", "http://[::ffff:127.0.0.1]:81/"),
            ("https://xn--mnchen-3ya.example/ok", "https://xn--mnchen-3ya.example/ok"),
            ("https://1and1.example/@a:b", "https://1and1.example/@a:b"),
        ] {
            let url = Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(url.to_string(), expected);
            assert_eq!(Url::parse(expected), Ok(url));
        }
    }

    #[test]
    fn the_parts_of_a_url_are_what_a_request_needs() {
        let url = Url::parse("https://[2001:db8::1]/a?b").unwrap();
        assert_eq!((url.scheme(), url.port(), url.target()), (Scheme::Https, 443, "/a?b"));
        assert_eq!(url.host(), &Host::Address("2001:db8::1".parse().unwrap()));
        assert_eq!(url.authority(), "[2001:db8::1]");
        assert_eq!(url.with_target("/readyz").unwrap().to_string(), "https://[2001:db8::1]/readyz");
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let long_label = format!("http://{}.example/", "a".repeat(64));
        let long_name = format!("http://{}example/", "a.".repeat(130));
        let long_url = format!("http://a/{}", "a".repeat(MAX_BYTES));
        for (text, fault) in [
            ("", UrlFault::Scheme),
            ("localhost:80", UrlFault::Scheme),
            ("ftp://a/", UrlFault::Scheme),
            (" http://a/", UrlFault::Scheme),
            ("http:/a/", UrlFault::Scheme),
            ("http://u@a/", UrlFault::UserInformation),
            ("http://u:p@a:1/", UrlFault::UserInformation),
            ("http://@a/", UrlFault::UserInformation),
            ("http://a:80@b/", UrlFault::UserInformation),
            ("http://", UrlFault::Host),
            ("http://:80/", UrlFault::Host),
            ("http:///a", UrlFault::Host),
            ("http://a b/", UrlFault::Host),
            ("http://a..b/", UrlFault::Host),
            ("http://a./", UrlFault::Host),
            ("http://.a/", UrlFault::Host),
            ("http://-a/", UrlFault::Host),
            ("http://a_b/", UrlFault::Host),
            ("http://a%2eb/", UrlFault::Host),
            ("http://münchen.example/", UrlFault::Host),
            ("http://127.1/", UrlFault::Host),
            ("http://2130706433/", UrlFault::Host),
            ("http://0x7f000001/", UrlFault::Host),
            ("http://0177.0.0.1/", UrlFault::Host),
            ("http://127.0.0.0x1/", UrlFault::Host),
            ("http://127.0.0.1./", UrlFault::Host),
            ("http://①②⑦.0.0.1/", UrlFault::Host),
            ("http://::1/", UrlFault::Host),
            ("http://[::1/", UrlFault::Host),
            ("http://[127.0.0.1]/", UrlFault::Host),
            ("http://[fe80::1%25eth0]/", UrlFault::Host),
            (&long_label, UrlFault::Host),
            (&long_name, UrlFault::Host),
            ("http://a:/", UrlFault::Port),
            ("http://a:0/", UrlFault::Port),
            ("http://a:65536/", UrlFault::Port),
            ("http://a:+80/", UrlFault::Port),
            ("http://a:b/", UrlFault::Port),
            ("http://a/#b", UrlFault::Target),
            ("http://a#b", UrlFault::Target),
            ("http://a/ b", UrlFault::Target),
            ("http://a/\r\nHost: b", UrlFault::Target),
            ("http://a\\b", UrlFault::Target),
            ("http://a/ü", UrlFault::Target),
            (&long_url, UrlFault::TooLong),
        ] {
            assert_eq!(Url::parse(text), Err(fault), "{text:?}");
        }
    }
}
