//! The cookie of a browser's session, and the header that carries its other half. Which sessions they belong to is decided
//! in `service/access.rs`.

use super::context::Context;
use crate::{
    app::App,
    auth::secret::{Secret, SecretKind},
    config::{Config, Network},
    domain::url,
    error::{Error, Result},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// The header of the half that the page keeps.
pub(super) const CONSOLE_KEY: HeaderName = HeaderName::from_static("x-console-key");
/// The cookie over HTTPS. Browsers accept this name only from this very host, over HTTPS, and from no script.
pub(super) const SECURE_COOKIE: &str = "__Host-Http-orderd";
/// The cookie over plain HTTP, where browsers refuse the other name.
pub(super) const PLAIN_COOKIE: &str = "orderd";
/// Cookies of this name that are tried. Another server on the same host can set several.
const MAX_COOKIES: usize = 4;

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

    /// The name of the session's cookie.
    pub(super) fn cookie(self) -> &'static str {
        match self {
            Self::Http => PLAIN_COOKIE,
            Self::Https => SECURE_COOKIE,
        }
    }

    /// `Set-Cookie` for the session's cookie. It ends with the session at the latest.
    pub(super) fn set_cookie(self, secret: &Secret, max: Duration) -> Result<HeaderValue> {
        self.written(secret.reveal(), max.as_secs())
    }

    /// `Set-Cookie` that removes the session's cookie from the browser.
    pub(super) fn remove_cookie(self) -> Result<HeaderValue> {
        self.written("", 0)
    }

    fn written(self, value: &str, seconds: u64) -> Result<HeaderValue> {
        let secure = match self {
            Self::Http => "",
            Self::Https => " Secure;",
        };
        let name = self.cookie();
        let text = format!("{name}={value}; Max-Age={seconds}; Path=/; HttpOnly;{secure} SameSite=Strict");
        let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The cookies of a request that may be the session's.
pub(super) fn cookies(scheme: Scheme, headers: &HeaderMap) -> Vec<Secret> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter(|(name, _)| *name == scheme.cookie()).take(MAX_COOKIES);
    ours.filter_map(|(_, value)| Secret::parse(SecretKind::SessionCookie, value)).collect()
}

/// The half that the page sends, if it was sent once.
pub(super) fn console_key(headers: &HeaderMap) -> Option<Secret> {
    let mut sent = headers.get_all(CONSOLE_KEY).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    Secret::parse(SecretKind::ConsoleKey, value.to_str().ok()?)
}

/// What a handler needs to know about the browser that sent a request.
pub(super) struct Browser {
    pub(super) scheme: Scheme,
    /// Whether the request was authenticated by both halves of a session.
    pub(super) is_signed_in: bool,
}

impl FromRequestParts<App> for Browser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let context = parts.extensions.get::<Arc<Context>>();
        let context = context.ok_or_else(|| Error::internal("a request without context"))?;
        let is_signed_in = context.actor.get().is_some() && !parts.headers.contains_key(header::AUTHORIZATION);
        Ok(Self { scheme: context.scheme, is_signed_in })
    }
}
