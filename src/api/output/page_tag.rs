//! Entity tags of pages and of the OpenAPI document. They may be kept but are asked for again each time (`no-cache`),
//! and a client that has the present one is answered 304.

use crate::{api::input::entity_tag::EntityTags, domain::digest::sha256};
use axum::{
    body::{Body, HttpBody, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

/// Tags a complete response that may be kept and has no tag yet; 304 without its body if `known` lists the tag.
pub(crate) async fn tagged(known: Option<&EntityTags>, response: Response) -> Response {
    let headers = response.headers();
    let may_be_kept = headers.get(header::CACHE_CONTROL).is_some_and(|rule| rule == "no-cache");
    let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|_| may_be_kept && !headers.contains_key(header::ETAG)) else { return response };
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // A body of known length is in memory and has no way to fail.
    let bytes = to_bytes(body, length).await.unwrap_or_default();
    let hash = sha256(&[&bytes]);
    let opaque = format!("{:032x}", u128::from_be_bytes(hash.first_chunk().copied().unwrap_or_default()));
    if let Ok(tag) = HeaderValue::try_from(format!("\"{opaque}\"")) {
        head.headers.insert(header::ETAG, tag);
    }
    if known.is_some_and(|known| known.lists(opaque.as_bytes())) {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(bytes))
}
