//! The heads of requests: where one ends, whether it is well formed, and which body follows it. What a request asks for
//! is not known here.

use super::{Position, Refusal, chunks::Chunks};
use crate::error::{Error, Fault, problem};
use axum::http::Uri;
use httparse::{EMPTY_HEADER, Header, Request};

/// The most bytes that a head may have.
pub(super) const HEAD_BYTES: usize = 32 * 1024;
/// The most headers that a head may have.
const HEADERS: usize = 100;

/// The end of the head that `bytes` begin with, if it has arrived; the first `searched` bytes do not contain it. One
/// empty line ahead of a request is skipped (RFC 9112, section 2.2); more of them are refused.
pub(super) fn end_of_head(bytes: &[u8], searched: usize) -> Result<Option<usize>, Error> {
    let begin = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let mut at = searched;
    while let Some(found) = bytes[at..].iter().position(|&byte| byte == b'\n') {
        let end = at + found;
        if end == 0 || bytes[end - 1] != b'\r' {
            return Err(malformed("A line ends with LF alone."));
        }
        let line = &bytes[begin.min(end - 1)..end - 1];
        if end >= begin && line.ends_with(b"\r\n") {
            return Ok(Some(end + 1));
        }
        if end > begin && line.is_empty() {
            return Err(malformed("At most one empty line may come before a request."));
        }
        at = end + 1;
    }
    Ok(None)
}

/// Checks a whole head and returns the position behind it, or the reason to refuse it.
pub(super) fn parse_head(head: &[u8]) -> Result<Position, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let without_line = |error| Refusal { error, first_line: None };
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(without_line(malformed("The head ends before its empty line."))),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(without_line(malformed(&format!("The head must have at most {HEADERS} headers."))));
        }
        Err(error) => return Err(without_line(malformed(&format!("The head is malformed: {error}.")))),
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if !is_target(method, target) {
        return Err(without_line(malformed("The request target is malformed.")));
    }
    check_host(request.headers, request.version)
        .and_then(|()| body_framing(request.headers, request.version))
        .map_err(|error| Refusal { error, first_line: Some(format!("{method} {target} HTTP/1.1")) })
}

/// RFC 9112, section 3.2: a path, an absolute URI, or the asterisk.
fn is_target(method: &str, target: &str) -> bool {
    let Ok(uri) = Uri::try_from(target) else { return false };
    target.starts_with('/') || uri.scheme().is_some() || (target == "*" && method == "OPTIONS")
}

fn named<'h>(headers: &'h [Header<'h>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The parser reports the digit behind the dot.
const HTTP_1_0: Option<u8> = Some(0);

/// RFC 9112, section 3.2: exactly one `Host`, and a well-formed one.
fn check_host(headers: &[Header<'_>], version: Option<u8>) -> Result<(), Error> {
    let mut sent = named(headers, "host");
    let is_allowed = |c: &u8| c.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(c);
    match (sent.next(), sent.next()) {
        (None, None) if version == HTTP_1_0 => Ok(()),
        (None, _) => Err(fault("Host", "required", "must be sent")),
        (Some(_), Some(_)) => Err(fault("Host", "repeated", "must be sent once")),
        (Some(host), None) if !host.is_empty() && host.iter().all(is_allowed) => Ok(()),
        (Some(_), None) => {
            Err(fault("Host", "invalid_format", "must be a host name or address, and a port if need be"))
        }
    }
}

/// The body that follows a head with these headers.
fn body_framing(headers: &[Header<'_>], version: Option<u8>) -> Result<Position, Error> {
    let (mut lengths, mut codings) = (named(headers, "content-length"), named(headers, "transfer-encoding"));
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Position::HEAD),
        (Some(_), Some(_)) => {
            Err(fault("Transfer-Encoding", "conflict", "must not be sent together with Content-Length"))
        }
        (Some(_), None) if lengths.next().is_some() => Err(fault("Content-Length", "repeated", "must be sent once")),
        (Some(length), None) => sized_body(length),
        (None, Some(_)) if version == HTTP_1_0 => {
            Err(fault("Transfer-Encoding", "conflict", "is not part of HTTP/1.0"))
        }
        (None, Some(coding)) if codings.next().is_none() && coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Position::Chunked(Chunks::new()))
        }
        (None, Some(_)) => Err(fault("Transfer-Encoding", "invalid_value", "must be chunked, once")),
    }
}

fn sized_body(length: &[u8]) -> Result<Position, Error> {
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(fault("Content-Length", "invalid_format", "must be a whole number"));
    }
    let mut digits = length.iter().map(|digit| u64::from(digit - b'0'));
    match digits.try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit)) {
        Some(0) => Ok(Position::HEAD),
        // The HTTP library reserves the two largest numbers.
        Some(length) if length < u64::MAX - 1 => Ok(Position::Sized(length)),
        _ => Err(Error::new(&problem::BODY_TOO_LARGE)),
    }
}

fn malformed(detail: &str) -> Error {
    Error::new(&problem::MALFORMED_REQUEST).detail(detail)
}

pub(super) fn too_long() -> Error {
    malformed(&format!("The head of a request may have {HEAD_BYTES} bytes."))
}

fn fault(header: &'static str, code: &'static str, detail: &str) -> Error {
    Error::new(&problem::INVALID_HEADER).with_faults(vec![Fault::header(header, code, detail)])
}
