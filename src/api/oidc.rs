//! Signing in by OpenID Connect over HTTP: two redirects of a browser. Nothing in a request says where they lead to.

use super::browser::{Browser, JOURNEY, SESSION};
use crate::{
    app::App,
    error::{Error, Result},
    service::{
        oidc::{self, Answer, Return},
        sessions::Source,
    },
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The page that goes on with the sign-in, or shows why it failed.
const LOG_IN_PAGE: &str = "/console/login";

/// Where the provider sends browsers back to: the path of [`callback`].
pub(super) const CALLBACK: &str = "/v1/auth/oidc/callback";
/// How much longer than other requests a sign-in may take, since the provider is asked meanwhile.
pub(super) const TIME: Duration = Duration::from_secs(20);

/// What a provider sends back. Providers add further parameters, which are ignored.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "describes the parameters; `answer` reads them")]
pub(super) struct CallbackQuery {
    /// The code that this server exchanges at the provider.
    #[schemars(length(max = 4096))]
    code: Option<String>,
    /// The value that this server has sent along.
    #[schemars(length(max = 255))]
    state: Option<String>,
    /// The provider's name for itself (RFC 9207).
    #[schemars(length(max = 2048))]
    iss: Option<String>,
    /// Why the provider gives no code.
    #[schemars(length(max = 255))]
    error: Option<String>,
}

/// Sends a browser to the provider.
pub(super) async fn begin(State(app): State<App>, browser: Browser) -> Result<Response> {
    let departure = oidc::begin(&app, CALLBACK).await?;
    let cookie = departure.cookie.map(|cookie| browser.scheme.set(JOURNEY, &cookie)).transpose()?;
    match departure.to {
        Ok(url) => redirect(&url, cookie),
        Err(code) => redirect(&format!("{LOG_IN_PAGE}?error={code}"), cookie),
    }
}

/// Receives a browser that the provider has sent back.
pub(super) async fn callback(
    State(app): State<App>,
    source: Source,
    browser: Browser,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response> {
    let journey = browser.scheme.cookies(JOURNEY, &headers).next();
    let answer = answer(uri.query().unwrap_or_default());
    let forget = browser.scheme.remove(JOURNEY)?;
    match oidc::arrive(&app, CALLBACK, source, journey, answer).await? {
        Ok(Return { cookie, claim }) => {
            let session = SESSION.lasting_for(app.config.auth.session_max);
            let cookies = [browser.scheme.set(session, cookie.reveal())?, forget];
            redirect(&format!("{LOG_IN_PAGE}#claim={}", claim.reveal()), cookies)
        }
        Err(code) => redirect(&format!("{LOG_IN_PAGE}?error={code}"), [forget]),
    }
}

/// The parameters of the provider. One that is repeated is none.
fn answer(query: &str) -> Answer {
    let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let once = |name: &str| {
        let mut values = pairs.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.replace('+', " "));
        let (value, None) = (values.next()?, values.next()) else { return None };
        percent_decode_str(&value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    Answer { code: once("code"), state: once("state"), iss: once("iss"), error: once("error") }
}

fn redirect(to: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Result<Response> {
    let location: (HeaderName, _) = (header::LOCATION, HeaderValue::from_str(to).map_err(Error::internal)?);
    let mut response = (StatusCode::SEE_OTHER, [location]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_provider_are_read_once_each_and_others_are_ignored() {
        let read = answer("code=a%2Fb+c&state=s&iss=https%3A%2F%2Fid.example.com&session_state=x&scope=openid%20email");
        assert_eq!(read.code.as_deref(), Some("a/b c"));
        assert_eq!(read.iss.as_deref(), Some("https://id.example.com"));
        assert_eq!((read.state.as_deref(), read.error), (Some("s"), None));
        let read = answer("state=a&state=b&code=%FF&error");
        assert_eq!((read.state, read.code, read.error), (None, None, None));
    }
}
