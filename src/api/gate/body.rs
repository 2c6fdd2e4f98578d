//! Reads a JSON body completely, within its limits of size and time. It does not parse the JSON.

use crate::{
    api::operation::{Body as Expected, Operation},
    app::App,
    error::{Error, Result, problem},
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Reads the body. If `empty` is given, the body may be left out, and these bytes take its place.
pub(super) async fn read(app: &App, request: &mut Request, media: &[&str], empty: Option<&'static [u8]>) -> Result<()> {
    let limit = app.body_limit();
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut typed = check_media_type(request.headers(), media);
    // An optional body needs no media type if it is empty, which is known only after it has been read.
    if empty.is_none() || request.headers().contains_key(header::CONTENT_TYPE) {
        std::mem::replace(&mut typed, Ok(()))?;
    }
    let body = std::mem::take(request.body_mut());
    let bytes = match tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Err(_) => return Err(Error::new(&problem::SLOW_BODY)),
        Ok(Err(e)) if e.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(e)) => {
            return Err(Error::new(&problem::INVALID_JSON)
                .detail("The body ended too early, or its chunks are malformed. Send the whole request again.")
                .caused_by(e));
        }
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    let bytes = match empty.filter(|_| bytes.is_empty()) {
        Some(empty) => Bytes::from_static(empty),
        None => typed.map(|()| bytes)?,
    };
    *request.body_mut() = Body::from(bytes);
    Ok(())
}

/// Names the media types and the encoding that the operation accepts (RFC 9110, section 15.5.16).
pub(super) fn add_accepted(operation: &Operation, headers: &mut HeaderMap) {
    let media = match operation.body {
        Expected::None => return,
        Expected::Json { media, .. } => media.join(", "),
        Expected::Stream(media) => media.to_owned(),
    };
    if let Ok(media) = HeaderValue::from_str(&media) {
        headers.insert(header::ACCEPT, media);
    }
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

fn too_large(limit: usize) -> Error {
    let detail = format!("A body may have at most {limit} bytes.");
    Error::new(&problem::BODY_TOO_LARGE).detail(detail).member("limit_bytes", limit)
}

fn unsupported(media: &[&str]) -> Error {
    Error::new(&problem::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("Send the header `Content-Type: {}`.", media.join("` or `")))
}

/// Refuses a body that is encoded or has another media type. Media type parameters such as `charset=utf-8` are
/// accepted.
pub(super) fn check_media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<()> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(
            unsupported(allowed).detail("Send the body without compression and without the header `Content-Encoding`.")
        );
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    let known = allowed.iter().any(|media| essence.eq_ignore_ascii_case(media));
    if known { Ok(()) } else { Err(unsupported(allowed)) }
}
