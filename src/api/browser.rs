//! The cookie of a browser's session, and the header that carries its other half. Which sessions they belong to is
//! decided in `service/access.rs`.

use super::{context::Context, scheme::Scheme};
use crate::{
    app::App,
    auth::secret::{Secret, SecretKind},
    error::{Error, Result},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use std::{sync::Arc, time::Duration};

/// The header of the half that the page keeps.
pub(super) const CONSOLE_KEY: HeaderName = HeaderName::from_static("x-console-key");
/// A cookie of this server, which no script can read.
#[derive(Clone, Copy)]
pub(super) struct Cookie {
    /// The name over HTTPS. Browsers accept such names only from this very host and over HTTPS.
    pub(super) secure_name: &'static str,
    /// The name over plain HTTP, where browsers refuse the other one.
    plain_name: &'static str,
    /// Which requests that other sites cause carry it.
    same_site: &'static str,
    /// How long the browser keeps it.
    seconds: u64,
}

/// One half of a session. It accompanies no request that another site causes.
pub(super) const SESSION: Cookie =
    Cookie { secure_name: "__Host-Http-orderd", plain_name: "orderd", same_site: "Strict", seconds: 0 };
/// A journey to the OpenID provider. It has to be there when the provider sends the browser back.
pub(super) const JOURNEY: Cookie =
    Cookie { secure_name: "__Host-Http-orderd-oidc", plain_name: "orderd-oidc", same_site: "Lax", seconds: 600 };

impl Cookie {
    /// The same, kept for as long as this.
    pub(super) const fn lasting_for(self, time: Duration) -> Self {
        Self { seconds: time.as_secs(), ..self }
    }
}

/// Cookies of this name that are tried. Another server on the same host can set several.
const MAX_COOKIES: usize = 4;

impl Scheme {
    /// `Set-Cookie` for a cookie with this value.
    pub(super) fn set(self, cookie: Cookie, value: &str) -> Result<HeaderValue> {
        let (name, secure) = match self {
            Self::Http => (cookie.plain_name, ""),
            Self::Https => (cookie.secure_name, " Secure;"),
        };
        let Cookie { seconds, same_site, .. } = cookie;
        let text = format!("{name}={value}; Max-Age={seconds}; Path=/; HttpOnly;{secure} SameSite={same_site}");
        let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// `Set-Cookie` that removes a cookie from the browser.
    pub(super) fn remove(self, cookie: Cookie) -> Result<HeaderValue> {
        self.set(cookie.lasting_for(Duration::ZERO), "")
    }

    /// The values of a cookie in a request.
    pub(super) fn cookies(self, cookie: Cookie, headers: &HeaderMap) -> impl Iterator<Item = &str> {
        let name = match self {
            Self::Http => cookie.plain_name,
            Self::Https => cookie.secure_name,
        };
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value).take(MAX_COOKIES)
    }
}

/// The cookies of a request that may be the session's.
pub(super) fn session_cookies(scheme: Scheme, headers: &HeaderMap) -> Vec<Secret> {
    scheme.cookies(SESSION, headers).filter_map(|value| Secret::parse(SecretKind::SessionCookie, value)).collect()
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
    /// The cookies that may be the session's.
    pub(super) cookies: Vec<Secret>,
    /// Whether the request was authenticated by both halves of a session.
    pub(super) is_signed_in: bool,
}

impl FromRequestParts<App> for Browser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let context = parts.extensions.get::<Arc<Context>>();
        let context = context.ok_or_else(|| Error::internal("a request without context"))?;
        let is_signed_in = context.actor.get().is_some() && !parts.headers.contains_key(header::AUTHORIZATION);
        Ok(Self { scheme: context.scheme, cookies: session_cookies(context.scheme, &parts.headers), is_signed_in })
    }
}
