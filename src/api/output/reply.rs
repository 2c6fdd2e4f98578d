//! How the values of use cases become responses.

use crate::{
    domain::outcome::{Outcome, Resource},
    error::{Error, Result},
    service::{idempotency::Effect, views::Page},
};
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

impl IntoResponse for Effect {
    fn into_response(self) -> Response {
        let mut response =
            (status(self.outcome), [(header::CONTENT_TYPE, "application/json")], self.document).into_response();
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
    }
}

/// Where `resource` can be read.
pub(crate) fn path(resource: Resource) -> String {
    match resource {
        Resource::Order(id) => format!("/v1/orders/{id}"),
        Resource::Transaction(id) => format!("/v1/transactions/{id}"),
        Resource::User(id) => format!("/v1/users/{id}"),
    }
}

/// A JSON document that is serialized already.
pub(crate) fn json(document: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// The entity tag of a version.
pub(crate) fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// A JSON document that is made already, with the version that it shows; 304 if the client has that one.
pub(crate) fn versioned(document: String, version: i64, request: &HeaderMap) -> Response {
    let tag = tag(version);
    let sent = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Weak comparison (RFC 9110, section 13.1.2).
    let mut tags = sent.flat_map(|tags| tags.split(',')).map(|t| t.trim().trim_start_matches("W/"));
    let known = tags.any(|t| t == tag || t == "*");
    let etag = [(header::ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, etag).into_response();
    }
    (etag, [(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// A page, and a `Link` to the next one (RFC 8288).
pub(crate) fn page<T: Serialize>(page: &Page<T>, uri: &Uri) -> Response {
    linked(page, uri, page.page.next.clone().map(|next| ("cursor", next)))
}

/// A page of JSON documents that are made already.
pub(crate) fn page_of_documents(page: &Page<String>, uri: &Uri) -> Result<Response> {
    let info = serde_json::to_string(&page.page).map_err(Error::internal)?;
    let body = ["{\"data\":[", &page.data.join(","), "],\"page\":", &info, "}"].concat();
    let response = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    Ok(with_link(response, uri, page.page.next.clone().map(|next| ("cursor", next))))
}

/// A document that is a page of a list, with a `Link` to the page whose parameter of this name has this value.
pub(crate) fn linked<T: Serialize>(document: &T, uri: &Uri, next: Option<(&str, String)>) -> Response {
    with_link(Json(document).into_response(), uri, next)
}

fn with_link(mut response: Response, uri: &Uri, next: Option<(&str, String)>) -> Response {
    if let Some((name, value)) = next {
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let kept = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
        let query: Vec<_> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
        let link = format!("<{path}?{}>; rel=\"next\"", query.join("&"));
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}
