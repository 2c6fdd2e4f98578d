//! The arguments of handlers. Each extractor checks its part of the request, in the order in which a handler lists
//! them.

use super::{
    super::{context::Context, operation::Idempotency},
    entity_tag::{EntityTags, version_of},
    idempotency_key::idempotency_key,
    json, query, schema,
};
use crate::{
    app::App,
    auth::{Actor, Mac},
    domain::{digest::sha256, id::Identifier},
    error::{Error, Result, problem},
    service::{idempotency::IdempotentRequest, orders::ExpectedVersion, sessions::Source},
};
use axum::{
    extract::{FromRequest, FromRequestParts, Path, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// The longest `User-Agent` that is stored, in characters; a longer one is cut.
const MAX_USER_AGENT: usize = 255;

impl FromRequestParts<App> for Actor {
    type Rejection = Error;

    /// The caller that the gate has authenticated.
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let actor = parts.extensions.get::<Arc<Context>>().and_then(|context| context.actor.get());
        actor.cloned().ok_or_else(|| Error::new(&problem::UNAUTHENTICATED))
    }
}

impl FromRequestParts<App> for Source {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let context = parts.extensions.get::<Arc<Context>>();
        let context = context.ok_or_else(|| Error::internal("a request without context"))?;
        let user_agent = parts.headers.get(header::USER_AGENT).map(|v| String::from_utf8_lossy(v.as_bytes()));
        Ok(Self {
            request_id: Arc::clone(&context.request_id),
            trace: context.trace.recorded_id(app),
            address: context.address,
            user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        })
    }
}

/// The identifier `{id}` of the path. One of another type or form becomes an identifier that nothing has, so that a
/// request with other faults is refused for those before it is answered 404.
pub struct PathId<I>(pub I);

impl<I: Identifier + Send> FromRequestParts<App> for PathId<I> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let segments = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Error::absent())?;
        let id = segments.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| I::parse(text));
        Ok(Self(id.unwrap_or_else(|| I::from_bytes([0; 16]))))
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

/// The query parameters, checked against the schema of `T`.
pub struct Parameters<T>(pub T);

impl<T: JsonSchema + DeserializeOwned + Send + 'static> FromRequestParts<App> for Parameters<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        query::parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl FromRequestParts<App> for ExpectedVersion {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let required = app.config.idempotency.require_if_match;
        let absent = if required { Self::Missing } else { Self::Unspecified };
        if_match(&parts.headers).map(|sent| sent.unwrap_or(absent))
    }
}

/// The versions that `If-Match` names, or `None` if it was not sent.
///
/// # Errors
/// `invalid_header` if it is malformed.
pub fn if_match(headers: &HeaderMap) -> Result<Option<ExpectedVersion>> {
    let tags = EntityTags::of(headers, &header::IF_MATCH, "If-Match")?;
    Ok(tags.map(|tags| match tags {
        EntityTags::Any => ExpectedVersion::Any,
        EntityTags::Listed(tags) => ExpectedVersion::OneOf(tags.iter().filter_map(|tag| version_of(tag)).collect()),
    }))
}

/// A JSON body, checked against the schema of `T`.
pub struct Valid<T> {
    /// The body.
    pub body: T,
    /// What identifies the request when it is sent again.
    pub request: IdempotentRequest,
}

impl<T: JsonSchema + DeserializeOwned + 'static> FromRequest<App> for Valid<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(Error::internal)?.to_bytes();
        let value = json::parse(&bytes)?;
        let operation = parts.extensions.get::<Arc<Context>>().and_then(|context| context.operation.get());
        let idempotency = operation.map_or(Idempotency::Ignored, |operation| operation.idempotency);
        let key = match idempotency {
            Idempotency::Ignored => None,
            Idempotency::Optional | Idempotency::Required => idempotency_key(&parts.headers)?,
        };
        if key.is_none() && idempotency == Idempotency::Required {
            return Err(Error::new(&problem::IDEMPOTENCY_KEY_REQUIRED));
        }
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        let canonical = json::canonical(&without_password(&value, &app.fingerprints))?;
        let fingerprint = app.fingerprints.digest(&sha256(&[method.as_bytes(), path.as_bytes(), &canonical]));
        let retention = app.config.idempotency.retention;
        let identity = IdempotentRequest { key, fingerprint, method, path, retention };
        Ok(Self { body: schema::valid(value)?, request: identity })
    }
}

/// The body with `password` replaced by its keyed digest. Fingerprints are stored: a plain digest of a password would
/// let a reader of the database test guesses much faster than the slow password hash does.
fn without_password<'v>(value: &'v Value, fingerprints: &Mac) -> Cow<'v, Value> {
    let Some(Value::String(password)) = value.get("password") else { return Cow::Borrowed(value) };
    let mut value = value.clone();
    value["password"] = fingerprints.digest(password.as_bytes()).to_vec().into();
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn if_match_names_versions() {
        assert!(if_match(&HeaderMap::new()).unwrap().is_none());
        let sent = |value| HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
        assert!(matches!(if_match(&sent("*")), Ok(Some(ExpectedVersion::Any))));
        let Ok(Some(ExpectedVersion::OneOf(versions))) = if_match(&sent("\"3\", W/\"4\", \"x\", \"06\"")) else {
            panic!("it is a list of tags")
        };
        assert_eq!(versions, [3, 4]);
        assert!(if_match(&sent("5")).is_err());
    }
}
