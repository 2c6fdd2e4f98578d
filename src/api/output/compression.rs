//! Compresses responses with gzip if the client accepts it (RFC 9110, section 12.5.3). Streams are compressed part by
//! part, so that each part arrives when it is sent.
//!
//! Responses that carry a secret, such as those of log-ins, are never compressed: where a request can put text beside a
//! secret, the size of the compressed response tells whether the two are alike (BREACH). All of them answer writes, and
//! of writes only those to orders are compressed.

use super::export::{Range, range};
use crate::api::operation::Operation;
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    io::{self, Write},
    ops::ControlFlow,
};

/// Shorter bodies fit into one packet anyway.
const SHORTEST: u64 = 1024;
/// What is compressed. Event streams are not: they are open for hours, and each would hold the memory of an encoder.
const MEDIA_TYPES: [&str; 9] = [
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
];
/// The groups of operations whose responses to writes carry no secret.
const WRITES: [&str; 4] = ["orders", "payments", "refunds", "transactions"];

/// Whether a response may be compressed, as far as the request tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// The encoding that `Accept-Encoding` prefers. Without that header it is none, because few programs that leave it
    /// out can decompress.
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<Range> = lines.flat_map(|line| line.split(',')).map(range).collect();
        let weight = |names: &[&str]| accepted.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, q)| *q);
        let gzip = weight(&["gzip", "x-gzip"]).or(weight(&["*"])).unwrap_or(0);
        let identity = weight(&["identity"]).unwrap_or(0);
        if gzip > 0 && gzip >= identity { Self::Gzip } else { Self::Identity }
    }
}

/// Compresses `response` if the client accepts it and it is worth it. A response that might have been compressed says
/// so in `Vary`.
pub(crate) async fn compressed(
    encoding: Encoding,
    method: &Method,
    operation: Option<&Operation>,
    mut response: Response,
) -> Response {
    if response.status() == StatusCode::NOT_MODIFIED || is_compressible(&response) {
        add_vary(response.headers_mut());
    }
    let may_carry_secret = !method.is_safe() && operation.is_none_or(|operation| !WRITES.contains(&operation.tag()));
    if encoding == Encoding::Identity || may_carry_secret || !is_compressible(&response) {
        return response;
    }
    match response.body().size_hint().exact() {
        Some(length) if length < SHORTEST => response,
        Some(length) => whole(response, length).await,
        None => with_gzip_headers(response.map(|body| Body::from_stream(parts(body)))),
    }
}

fn is_compressible(response: &Response) -> bool {
    let headers = response.headers();
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    MEDIA_TYPES.contains(&essence)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && response.status() != StatusCode::PARTIAL_CONTENT
}

fn add_vary(headers: &mut HeaderMap) {
    let others = headers.get(header::VARY).and_then(|value| value.to_str().ok());
    if others.is_some_and(|others| others.contains("Accept-Encoding")) {
        return;
    }
    let vary = others.and_then(|others| HeaderValue::try_from(format!("{others}, Accept-Encoding")).ok());
    headers.insert(header::VARY, vary.unwrap_or(HeaderValue::from_static("Accept-Encoding")));
}

/// A compressed response has another form than the plain one, so a tag for exactly these bytes becomes a weak one.
fn with_gzip_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    let strong = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::try_from([b"W/", tag.as_bytes()].concat()).ok()) {
        headers.insert(header::ETAG, weak);
    }
    response
}

/// Compresses a body of known length at once.
async fn whole(response: Response, length: u64) -> Response {
    let (head, body) = response.into_parts();
    let limit = usize::try_from(length).unwrap_or(usize::MAX);
    let packed = match to_bytes(body, limit).await {
        Ok(bytes) => pack(&bytes),
        Err(e) => Err(io::Error::other(e)),
    };
    match packed {
        Ok(packed) => with_gzip_headers(Response::from_parts(head, Body::from(packed))),
        // A body of known length is in memory, and so is its compressed form. If this fails nevertheless, the body is
        // gone: the client sees an aborted response.
        Err(e) => Response::from_parts(head, Body::from_stream(stream::once(async { Err::<Bytes, _>(e) }))),
    }
}

fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = encoder();
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The fastest level: the server has better uses for its cores than the last percents.
fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

/// Compresses each part of a stream, and flushes it, so that the client can read the part at once. A stream that breaks
/// has no end in its compressed form either.
fn parts(body: Body) -> impl futures_util::Stream<Item = Result<Bytes, BoxError>> {
    let plain = body.into_data_stream().map_err(BoxError::from).map_ok(ControlFlow::Continue);
    let end = stream::once(async { Ok(ControlFlow::Break(())) });
    let mut open = Some(encoder());
    plain.chain(end).map(move |part| {
        let Some(mut encoder) = open.take() else { return Ok(Bytes::new()) };
        match part? {
            ControlFlow::Break(()) => Ok(encoder.finish()?.into()),
            ControlFlow::Continue(part) => {
                encoder.write_all(&part)?;
                encoder.flush()?;
                let packed = std::mem::take(encoder.get_mut());
                open = Some(encoder);
                Ok(packed.into())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use std::io::Read;

    fn accepting(value: &str) -> Encoding {
        Encoding::preferred(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
    }

    #[test]
    fn gzip_is_used_where_it_is_accepted() {
        for value in ["gzip", "br, GZIP", "gzip;q=0.5", "*", "x-gzip", "deflate, gzip;q=1.0, *;q=0.5", "*;q=0.1"] {
            assert_eq!(accepting(value), Encoding::Gzip, "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip;q=0, *", "identity", "identity, gzip;q=0.5", "*;q=0", "gzip2"] {
            assert_eq!(accepting(value), Encoding::Identity, "{value}");
        }
        assert_eq!(Encoding::preferred(&HeaderMap::new()), Encoding::Identity);
    }

    fn json(body: impl Into<Body>) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::ETAG, "\"7\""), (header::VARY, "Accept")];
        (headers, body.into()).into_response()
    }

    async fn answered(response: Response) -> (HeaderMap, Vec<u8>) {
        let (head, body) = compressed(Encoding::Gzip, &Method::GET, None, response).await.into_parts();
        (head.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_long_body_is_compressed_and_its_tag_becomes_weak() {
        let text = "order ".repeat(1000);
        let (headers, body) = answered(json(text.clone())).await;
        assert_eq!(
            (&headers["content-encoding"], &headers["etag"]),
            (&"gzip".parse().unwrap(), &"W/\"7\"".parse().unwrap())
        );
        assert_eq!(headers["vary"], "Accept, Accept-Encoding");
        assert!(body.len() < 200 && unpacked(&body) == text, "{}", body.len());
    }

    #[tokio::test]
    async fn short_bodies_and_other_media_types_stay_plain() {
        let (headers, body) = answered(json("a".repeat(1023))).await;
        assert_eq!(
            (headers.get("content-encoding"), &headers["etag"], body.len()),
            (None, &"\"7\"".parse().unwrap(), 1023)
        );
        assert_eq!(headers["vary"], "Accept, Accept-Encoding");
        for media in ["application/vnd.sqlite3", "text/event-stream", "text/csvx"] {
            let (headers, body) = answered(([(header::CONTENT_TYPE, media)], "a".repeat(5000)).into_response()).await;
            assert!(!headers.contains_key("content-encoding") && !headers.contains_key("vary") && body.len() == 5000);
        }
    }

    #[tokio::test]
    async fn responses_that_may_carry_a_secret_stay_plain() {
        let response = compressed(Encoding::Gzip, &Method::POST, None, json("a".repeat(5000))).await;
        assert!(!response.headers().contains_key("content-encoding"));
    }

    #[tokio::test]
    async fn each_part_of_a_stream_can_be_read_when_it_arrives() {
        let lines = ["{\"line\":1}\n", "{\"line\":2}\n"];
        let body = Body::from_stream(stream::iter(lines.map(|line| Ok::<_, io::Error>(Bytes::from(line)))));
        let mut body = compressed(Encoding::Gzip, &Method::GET, None, json(body)).await.into_body();
        let (mut received, mut plain) = (vec![], String::new());
        for line in lines {
            received.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
            plain.push_str(line);
            let mut readable = vec![0; plain.len()];
            GzDecoder::new(received.as_slice()).read_exact(&mut readable).unwrap();
            assert_eq!(readable, plain.as_bytes());
        }
        received.extend(body.collect().await.unwrap().to_bytes());
        assert_eq!(unpacked(&received), plain);
    }

    #[tokio::test]
    async fn a_broken_stream_has_no_end() {
        let parts = [Ok(Bytes::from("a")), Err(io::Error::other("broken"))];
        let body = compressed(Encoding::Gzip, &Method::GET, None, json(Body::from_stream(stream::iter(parts)))).await;
        assert!(body.into_body().collect().await.is_err());
    }
}
