//! How the answers of use cases become HTTP responses.

use crate::{
    api::input::entity_tag::EntityTags,
    domain::outcome::{Outcome, Resource},
    error::Result,
    service::{idempotency::Effect, views::to_json},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

impl IntoResponse for Effect {
    fn into_response(self) -> Response {
        let status = status(self.outcome);
        let mut response = match self.document {
            Some(document) => (status, json(document.whole)).into_response(),
            None => status.into_response(),
        };
        let headers = response.headers_mut();
        let mut set = |name: header::HeaderName, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        };
        set(header::LOCATION, self.outcome.resource().map(path));
        set(header::ETAG, self.version.map(tag));
        if self.original_request_id.is_some() {
            set(header::HeaderName::from_static("idempotent-replayed"), Some("true".to_owned()));
        }
        set(header::HeaderName::from_static("original-request-id"), self.original_request_id);
        response
    }
}

/// The status that tells a client what its request did.
pub(crate) const fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Created(_) => StatusCode::CREATED,
        Outcome::Changed | Outcome::Unchanged => StatusCode::OK,
        Outcome::Erased => StatusCode::NO_CONTENT,
    }
}

/// The path at which `resource` can be read.
pub(crate) fn path(resource: Resource) -> String {
    match resource {
        Resource::Order(id) => format!("/v1/orders/{id}"),
        Resource::Transaction(id) => format!("/v1/transactions/{id}"),
        Resource::User(id) => format!("/v1/users/{id}"),
    }
}

/// Answers with a JSON document that is serialized already.
pub(crate) fn json(document: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.into()).into_response()
}

/// The entity tag of a version.
pub(crate) fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Answers with a JSON document of this version, or with 304 if `If-None-Match` lists its tag. A malformed
/// `If-None-Match` is ignored: the caller then gets the document once more.
pub(crate) fn versioned(document: &str, version: i64, request: &HeaderMap) -> Response {
    let sent = EntityTags::of(request, &header::IF_NONE_MATCH, "If-None-Match").ok().flatten();
    let etag = [(header::ETAG, tag(version))];
    if sent.is_some_and(|tags| tags.matches(version)) {
        return (StatusCode::NOT_MODIFIED, etag).into_response();
    }
    (etag, [(header::CONTENT_TYPE, "application/json")], document.to_owned()).into_response()
}

/// Answers with a page of a list of some expected bytes, and with a `Link` (RFC 8288) to the next page if `next` names
/// its parameter and value.
pub(crate) fn linked<T: Serialize>(
    page: &T,
    expected: usize,
    uri: &Uri,
    next: Option<(&str, String)>,
) -> Result<Response> {
    let mut response = json(to_json(page, expected)?);
    if let Some((name, value)) = next {
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let kept = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
        let query: Vec<_> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
        let link = format!("<{path}?{}>; rel=\"next\"", query.join("&"));
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}
