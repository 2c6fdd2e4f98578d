//! The arguments of handlers: each checks its part of the request, in the order in which a handler lists them.

use super::{
    super::{
        context::Context,
        operation::{Idempotency, Operation},
    },
    json, query, schema,
};
use crate::{
    app::App,
    auth::{Actor, Mac},
    domain::{digest::sha256, id::Identifier},
    error::{Error, Fault, Result, problem},
    service::{idempotency::IdempotentRequest, orders, sessions::Source},
};
use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, request::Parts},
};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// The longest `Idempotency-Key`.
const MAX_KEY: usize = 255;

impl FromRequestParts<App> for Actor {
    type Rejection = Error;

    /// Whom the gate has let in.
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::new(&problem::UNAUTHENTICATED))
    }
}

/// The longest `User-Agent` that is kept.
const MAX_USER_AGENT: usize = 255;

impl FromRequestParts<App> for Source {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let context = parts.extensions.get::<Arc<Context>>();
        let context = context.ok_or_else(|| Error::internal("a request without context"))?;
        let user_agent = parts.headers.get("user-agent").map(|v| String::from_utf8_lossy(v.as_bytes()));
        Ok(Self {
            request_id: Arc::clone(&context.request_id),
            trace: context.trace.recorded_id(app),
            address: context.address,
            user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        })
    }
}

/// The identifier `{id}` of the path. One of another type or form is that of nothing, so that a request is first judged
/// by what it says and then by what it is about.
pub struct PathId<I>(pub I);

impl<I: Identifier + Send> FromRequestParts<App> for PathId<I> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Segments(mut segments) = Segments::from_request_parts(parts, app).await?;
        let known = segments.remove("id").and_then(|text| I::parse(&text));
        Ok(Self(known.unwrap_or_else(|| I::from_bytes([0; 16]))))
    }
}

/// The parameters of the path, by name.
pub struct Segments(pub HashMap<String, String>);

impl FromRequestParts<App> for Segments {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| Error::absent())
    }
}

/// The query parameters, held to the fields of `T`.
pub struct Parameters<T>(pub T);

impl<T: JsonSchema + DeserializeOwned + Send + 'static> FromRequestParts<App> for Parameters<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        query::parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl FromRequestParts<App> for orders::ExpectedVersion {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let required = app.config.idempotency.require_if_match;
        Ok(if_match(&parts.headers).unwrap_or(if required { Self::Missing } else { Self::Unspecified }))
    }
}

/// The versions that `If-Match` names, if it is sent.
pub fn if_match(headers: &HeaderMap) -> Option<orders::ExpectedVersion> {
    let mut tags = vec![];
    for value in headers.get_all("if-match") {
        tags.extend(value.to_str().unwrap_or_default().split(',').map(str::trim));
    }
    if tags.is_empty() {
        return None;
    }
    if tags == ["*"] {
        return Some(orders::ExpectedVersion::Any);
    }
    // A tag that is weak, or that this service never gave, matches nothing (RFC 9110, section 13.1.1).
    let version = |tag: &str| {
        let text = tag.strip_prefix('"')?.strip_suffix('"')?;
        text.parse().ok().filter(|version: &i64| version.to_string() == text)
    };
    Some(orders::ExpectedVersion::OneOf(tags.into_iter().filter_map(version).collect()))
}

/// A JSON body held to its declaration, and what identifies the request that it came in.
pub struct Valid<T> {
    /// The body.
    pub body: T,
    /// What identifies the request.
    pub attempt: IdempotentRequest,
}

impl<T: JsonSchema + DeserializeOwned + 'static> FromRequest<App> for Valid<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(Error::internal)?.to_bytes();
        let value = json::parse(&bytes)?;
        let operation = parts.extensions.get::<Arc<Operation>>();
        let idempotency = operation.map_or(Idempotency::Ignored, |operation| operation.idempotency);
        let key = match idempotency {
            Idempotency::Ignored => None,
            Idempotency::Optional | Idempotency::Required => idempotency_key(&parts.headers)?,
        };
        if key.is_none() && idempotency == Idempotency::Required {
            return Err(Error::new(&problem::IDEMPOTENCY_KEY_REQUIRED));
        }
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        let said = json::canonical(&blinded(&value, &app.fingerprints))?;
        let fingerprint = sha256(&[method.as_bytes(), path.as_bytes(), &said]);
        let retention = app.config.idempotency.retention;
        let attempt = IdempotentRequest { key, fingerprint, method, path, retention };
        Ok(Self { body: schema::valid(value)?, attempt })
    }
}

/// The body as fingerprints see it. They are kept, and a plain digest of a password would let whoever reads the database
/// try out guesses much faster than its slow hash does.
fn blinded<'v>(value: &'v Value, fingerprints: &Mac) -> Cow<'v, Value> {
    let Some(Value::String(password)) = value.get("password") else { return Cow::Borrowed(value) };
    let mut value = value.clone();
    value["password"] = fingerprints.digest(password.as_bytes()).to_vec().into();
    Cow::Owned(value)
}

/// The `Idempotency-Key`: bare, or quoted as an RFC 8941 string, sent once.
///
/// # Errors
/// `invalid_idempotency_key` if it is malformed or repeated.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let refused = |code, detail: &str| {
        Error::new(&problem::INVALID_IDEMPOTENCY_KEY).with_faults(vec![Fault::header("Idempotency-Key", code, detail)])
    };
    if sent.next().is_some() {
        return Err(refused("repeated", "must be sent once"));
    }
    let key = value.to_str().ok().and_then(unquoted);
    let key = key.filter(|key| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|c| (0x21..=0x7e).contains(&c)));
    key.map(Some).ok_or_else(|| refused("invalid_format", "must be 1 to 255 printable ASCII characters without spaces"))
}

/// The content of an RFC 8941 string, or the text itself where it is not one.
fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let inner = rest.strip_suffix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return None,
            '\\' => content.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => content.push(c),
        }
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        values.iter().map(|v| (name.parse().unwrap(), HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn keys_are_bare_or_quoted() {
        for (sent, read) in [("abc", "abc"), ("\"abc\"", "abc"), (r#""a\"b\\c""#, r#"a"b\c"#), ("a\"b", "a\"b")] {
            assert_eq!(idempotency_key(&headers("idempotency-key", &[sent])).unwrap().as_deref(), Some(read));
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn malformed_and_repeated_keys_are_refused() {
        let long = "k".repeat(MAX_KEY + 1);
        for sent in ["", "a b", "\"abc", "\"\"", "\"a\\b\"", "ä", long.as_str()] {
            assert!(
                idempotency_key(&headers("idempotency-key", &[sent]))
                    .unwrap_err()
                    .is(&problem::INVALID_IDEMPOTENCY_KEY),
                "{sent}"
            );
        }
        assert!(idempotency_key(&headers("idempotency-key", &["a", "a"])).is_err());
    }

    #[test]
    fn if_match_takes_strong_tags_of_ours() {
        use orders::ExpectedVersion;
        assert!(if_match(&HeaderMap::new()).is_none());
        assert!(matches!(if_match(&headers("if-match", &["*"])), Some(ExpectedVersion::Any)));
        let sent = headers("if-match", &["\"3\", W/\"4\", 5", "\"x\"", "\"06\", \"+7\""]);
        let Some(ExpectedVersion::OneOf(versions)) = if_match(&sent) else {
            panic!("a list of tags");
        };
        assert_eq!(versions, [3]);
    }
}
