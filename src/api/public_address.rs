//! The address under which clients reach this server. Behind a proxy it may have another host and a path in front:
//! `server.public_url` names both, or a trusted proxy names the path in `X-Forwarded-Prefix`. References in responses
//! begin with it.

use crate::{config, config::Network};
use axum::{
    body::{Body, HttpBody, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use std::net::IpAddr;

/// The longest prefix that a proxy can name, in bytes.
const MAX_PREFIX: usize = 200;

/// What stands in front of each path that a response refers to; empty where clients use this server's own address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PublicAddress {
    /// Scheme, host and path, or the path alone.
    base: String,
    /// The path alone, for references between pages.
    prefix: String,
}

impl PublicAddress {
    /// The configured address or, from a trusted proxy, the prefix in the request.
    pub(super) fn of(server: &config::Server, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        if let Some(url) = &server.public_url {
            let prefix = url.target().trim_end_matches('/').to_owned();
            return Self { base: url.to_string().trim_end_matches('/').to_owned(), prefix };
        }
        let prefix = forwarded_prefix(peer, headers, &server.trusted_proxies).unwrap_or_default();
        Self { base: prefix.to_owned(), prefix: prefix.to_owned() }
    }

    /// What stands in front of a path.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Puts the address in front of the paths in `Location`, `Link` and pages.
    pub(super) async fn applied_to(&self, mut response: Response) -> Response {
        if self.base.is_empty() {
            return response;
        }
        let headers = response.headers_mut();
        self.prepend(headers, header::LOCATION, "/");
        self.prepend(headers, header::LINK, "</");
        let is_page = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media.to_str().is_ok_and(|media| media.starts_with("text/html")));
        if is_page && !self.prefix.is_empty() { self.page(response).await } else { response }
    }

    /// `start` is how a value with a path of this server begins.
    fn prepend(&self, headers: &mut HeaderMap, name: HeaderName, start: &str) {
        let rest = headers.get(&name).and_then(|value| value.to_str().ok()?.strip_prefix(start));
        let Some(rest) = rest.filter(|rest| !rest.starts_with('/')) else { return };
        let before = start.trim_end_matches('/');
        if let Ok(value) = HeaderValue::try_from(format!("{before}{}/{rest}", self.base)) {
            headers.insert(name, value);
        }
    }

    async fn page(&self, response: Response) -> Response {
        let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let Some(length) = length else { return response };
        let (mut head, body) = response.into_parts();
        // A page is in memory, so this cannot fail.
        let bytes = to_bytes(body, length).await.unwrap_or_default();
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for attribute in [" href=\"", " src=\"", " action=\""] {
            text = text.replace(&format!("{attribute}/"), &format!("{attribute}{}/", self.prefix));
        }
        head.headers.remove(header::CONTENT_LENGTH);
        // The tag of the page was for its other form.
        head.headers.remove(header::ETAG);
        Response::from_parts(head, Body::from(text))
    }
}

/// The path in `X-Forwarded-Prefix`, if a trusted proxy sent it once and it is a plain path.
fn forwarded_prefix<'h>(peer: Option<IpAddr>, headers: &'h HeaderMap, trusted: &[Network]) -> Option<&'h str> {
    let mut sent = headers.get_all("x-forwarded-prefix").iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)));
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"/-._~".contains(&c);
    let prefix = value.to_str().ok()?.trim_end_matches('/');
    let is_path = prefix.len() <= MAX_PREFIX && prefix.starts_with('/') && prefix.bytes().all(is_plain);
    (is_trusted && is_path && !prefix.contains("//")).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources, load};
    use axum::response::IntoResponse;

    fn address(settings: &[(&str, &str)], peer: &str, prefixes: &[&str]) -> PublicAddress {
        let flags = settings.iter().map(|(key, value)| Flag::new("--set", key, value)).collect();
        let config = load(Sources { file: None, environment: vec![], flags }).unwrap().config;
        let headers = prefixes.iter().map(|prefix| ("x-forwarded-prefix".parse().unwrap(), prefix.parse().unwrap()));
        PublicAddress::of(&config.server, Some(peer.parse().unwrap()), &headers.collect())
    }

    #[test]
    fn only_a_trusted_proxy_names_a_prefix() {
        let trusted = [("server.trusted_proxies", "10.0.0.0/8")];
        assert_eq!(address(&trusted, "10.0.0.1", &["/api"]).base(), "/api");
        assert_eq!(address(&trusted, "10.0.0.1", &["/a/b/"]).base(), "/a/b");
        for prefixes in [&["api"][..], &["//evil.example"], &["/a//b"], &["/a", "/b"], &["/\"><script>"], &["/"], &[]] {
            assert_eq!(address(&trusted, "10.0.0.1", prefixes), PublicAddress::default(), "{prefixes:?}");
        }
        assert_eq!(address(&trusted, "192.0.2.1", &["/api"]), PublicAddress::default());
        assert_eq!(address(&[], "10.0.0.1", &["/api"]), PublicAddress::default());
        let both = [("server.public_url", "https://shop.example/api/"), trusted[0]];
        assert_eq!(address(&both, "10.0.0.1", &["/other"]).base(), "https://shop.example/api");
        assert_eq!(address(&[("server.public_url", "https://shop.example")], "10.0.0.1", &[]).prefix, "");
    }

    #[tokio::test]
    async fn references_begin_with_the_address() {
        let public = address(&[("server.public_url", "https://shop.example/api")], "192.0.2.1", &[]);
        let headers = [(header::LOCATION, "/v1/orders/ord_1"), (header::LINK, "</v1/orders?cursor=a>; rel=\"next\"")];
        let page = (headers, axum::response::Html("<a href=\"/docs\">/docs</a> <a src=\"x\">"));
        let answer = public.applied_to(page.into_response()).await;
        assert_eq!(answer.headers()["location"], "https://shop.example/api/v1/orders/ord_1");
        assert_eq!(answer.headers()["link"], "<https://shop.example/api/v1/orders?cursor=a>; rel=\"next\"");
        let text = to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(text, "<a href=\"/api/docs\">/docs</a> <a src=\"x\">");
        let elsewhere = ([(header::LOCATION, "https://login.example/")], "").into_response();
        assert_eq!(public.applied_to(elsewhere).await.headers()["location"], "https://login.example/");
    }
}
