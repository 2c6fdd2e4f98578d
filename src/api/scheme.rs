//! Whether a client reached the server by HTTPS, which decides on names and attributes of cookies.

use crate::{
    config::{Config, Network},
    domain::url,
};
use axum::http::HeaderMap;
use std::net::IpAddr;

/// How the client reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTPS, to this server or to a proxy in front of it: a trusted one, or the one of `server.public_url`.
    Https,
}

impl Scheme {
    /// The scheme of a request from `peer`. Anyone can send `X-Forwarded-Proto`, so it counts only when a trusted proxy
    /// sent it.
    pub(super) fn of(config: &Config, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        let is_trusted = |peer: IpAddr| config.server.trusted_proxies.iter().any(|n: &Network| n.contains(peer));
        let by_proxy = || {
            let sent = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
            sent.and_then(|value| value.rsplit(',').next())
                .is_some_and(|last| last.trim().eq_ignore_ascii_case("https"))
        };
        let is_published = config.server.public_url.as_ref().is_some_and(|url| url.scheme() == url::Scheme::Https);
        if config.server.tls_cert.is_some() || is_published || peer.is_some_and(is_trusted) && by_proxy() {
            Self::Https
        } else {
            Self::Http
        }
    }
}
