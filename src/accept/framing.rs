//! Where one request ends and the next begins: the strict half of what RFC 9112 leaves open. It sees the bytes of a
//! connection before the HTTP library does. A head is passed on whole and only if everybody who reads it, such as a proxy
//! on the way, must find the same end of the request; anything else is refused, for what hides in the difference is a
//! request of somebody else's making. Bodies are measured, never kept.

use super::chunks::Chunks;
use crate::error::{Error, Fault, problem};
use axum::http::Uri;
use httparse::{EMPTY_HEADER, Header, Request};

/// Bytes that the head of a request may have.
pub(super) const HEAD_BYTES: usize = 32 * 1024;
/// Lines that a head may have after its first.
const HEADERS: usize = 100;

/// The place in the requests of one connection.
pub struct Framing {
    place: Place,
    /// Heads that were passed on.
    pub heads: u64,
}

enum Place {
    /// In the head: how much of it was searched for its end.
    Head { searched: usize },
    /// In a body, before this many more bytes.
    Sized(u64),
    /// In a body that comes in chunks.
    Chunked(Chunks),
}

/// What became of the bytes that were looked at.
pub struct Seen {
    /// So many may be passed on.
    pub passed: usize,
    /// What is true of the rest.
    pub rest: Rest,
}

/// What is true of the bytes that were not passed on.
pub enum Rest {
    /// There are none, or they are the beginning of a head.
    Unfinished,
    /// They are a head that is refused.
    Refused(Refusal),
    /// They break the framing of a body.
    Broken,
}

/// A head that is refused.
pub struct Refusal {
    /// Why.
    pub error: Error,
    /// Its first line, if that is sound.
    pub first_line: Option<String>,
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing {
    /// The beginning of a connection.
    pub fn new() -> Self {
        Self { place: Place::Head { searched: 0 }, heads: 0 }
    }

    /// Whether a body has begun and not ended.
    pub fn in_body(&self) -> bool {
        !matches!(self.place, Place::Head { .. })
    }

    /// Looks at `bytes`: those that were not passed on the last time, and what has come since.
    pub fn look(&mut self, bytes: &[u8]) -> Seen {
        let mut passed = 0;
        loop {
            let rest = &bytes[passed..];
            if rest.is_empty() {
                return Seen { passed, rest: Rest::Unfinished };
            }
            match &mut self.place {
                Place::Head { searched } => match end_of_head(rest, *searched) {
                    Ok(end) if end.unwrap_or(rest.len()) > HEAD_BYTES => return Self::refused(passed, too_long()),
                    Ok(None) => {
                        *searched = rest.len();
                        return Seen { passed, rest: Rest::Unfinished };
                    }
                    Ok(Some(end)) => match judge(&rest[..end]) {
                        Ok(place) => {
                            self.place = place;
                            self.heads += 1;
                            passed += end;
                        }
                        Err(refusal) => return Seen { passed, rest: Rest::Refused(refusal) },
                    },
                    Err(error) => return Self::refused(passed, error),
                },
                Place::Sized(left) => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= part as u64;
                    passed += part;
                    if *left == 0 {
                        self.place = Place::Head { searched: 0 };
                    }
                }
                Place::Chunked(chunks) => {
                    let Some(part) = chunks.look(rest) else { return Seen { passed, rest: Rest::Broken } };
                    passed += part;
                    if chunks.over() {
                        self.place = Place::Head { searched: 0 };
                    }
                }
            }
        }
    }

    fn refused(passed: usize, error: Error) -> Seen {
        Seen { passed, rest: Rest::Refused(Refusal { error, first_line: None }) }
    }
}

/// The end of the head that `bytes` begin with, if it is there; so much of it was searched before. An empty line ahead of
/// a request is passed over, as RFC 9112, section 2.2, has it; more of them are not.
fn end_of_head(bytes: &[u8], searched: usize) -> Result<Option<usize>, Error> {
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
            return Err(malformed("The request begins with empty lines."));
        }
        at = end + 1;
    }
    Ok(None)
}

/// Judges a whole head: what follows it, or why it is refused.
fn judge(head: &[u8]) -> Result<Place, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let without_line = |error| Refusal { error, first_line: None };
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(without_line(malformed("The head does not end where it seems to."))),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(without_line(malformed(&format!("A head may have {HEADERS} headers."))));
        }
        Err(error) => return Err(without_line(malformed(&format!("The head is malformed: {error}.")))),
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if !is_target(method, target) {
        return Err(without_line(malformed("The request target is malformed.")));
    }
    sound_host(request.headers, request.version)
        .and_then(|()| body(request.headers, request.version))
        .map_err(|error| Refusal { error, first_line: Some(format!("{method} {target} HTTP/1.1")) })
}

/// RFC 9112, section 3.2: a path, a whole address, or the asterisk.
fn is_target(method: &str, target: &str) -> bool {
    let Ok(uri) = Uri::try_from(target) else { return false };
    target.starts_with('/') || uri.scheme().is_some() || (target == "*" && method == "OPTIONS")
}

fn named<'h>(headers: &'h [Header<'h>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// As the parser numbers it: by what follows the dot.
const HTTP_1_0: Option<u8> = Some(0);

/// RFC 9112, section 3.2: one `Host`, and a sound one.
fn sound_host(headers: &[Header<'_>], version: Option<u8>) -> Result<(), Error> {
    let mut sent = named(headers, "host");
    let sound = |c: &u8| c.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(c);
    match (sent.next(), sent.next()) {
        (None, None) if version == HTTP_1_0 => Ok(()),
        (None, _) => Err(fault("Host", "required", "must be sent")),
        (Some(_), Some(_)) => Err(fault("Host", "repeated", "must be sent once")),
        (Some(host), None) if !host.is_empty() && host.iter().all(sound) => Ok(()),
        (Some(_), None) => {
            Err(fault("Host", "invalid_format", "must be a host name or address, and a port if need be"))
        }
    }
}

/// What body follows a head with these headers.
fn body(headers: &[Header<'_>], version: Option<u8>) -> Result<Place, Error> {
    let (mut lengths, mut codings) = (named(headers, "content-length"), named(headers, "transfer-encoding"));
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Place::Head { searched: 0 }),
        (Some(_), Some(_)) => {
            Err(fault("Transfer-Encoding", "conflict", "must not be sent together with Content-Length"))
        }
        (Some(_), None) if lengths.next().is_some() => Err(fault("Content-Length", "repeated", "must be sent once")),
        (Some(length), None) => sized(length),
        (None, Some(_)) if version == HTTP_1_0 => {
            Err(fault("Transfer-Encoding", "conflict", "is not part of HTTP/1.0"))
        }
        (None, Some(coding)) if codings.next().is_none() && coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Place::Chunked(Chunks::new()))
        }
        (None, Some(_)) => Err(fault("Transfer-Encoding", "invalid_value", "must be chunked, once")),
    }
}

fn sized(length: &[u8]) -> Result<Place, Error> {
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(fault("Content-Length", "invalid_format", "must be a whole number"));
    }
    let mut digits = length.iter().map(|digit| u64::from(digit - b'0'));
    match digits.try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit)) {
        Some(0) => Ok(Place::Head { searched: 0 }),
        // The HTTP library keeps the two largest numbers for itself.
        Some(length) if length < u64::MAX - 1 => Ok(Place::Sized(length)),
        _ => Err(Error::new(&problem::BODY_TOO_LARGE)),
    }
}

fn malformed(detail: &str) -> Error {
    Error::new(&problem::MALFORMED_REQUEST).detail(detail)
}

fn too_long() -> Error {
    malformed(&format!("The head of a request may have {HEAD_BYTES} bytes."))
}

fn fault(header: &'static str, code: &'static str, detail: &str) -> Error {
    Error::new(&problem::INVALID_HEADER).with_faults(vec![Fault::header(header, code, detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of `text`: how much of it passes, and the code of the problem or `broken`.
    fn seen(text: &str) -> (usize, &'static str) {
        let mut framing = Framing::new();
        let seen = framing.look(text.as_bytes());
        (seen.passed, outcome(&seen.rest))
    }

    fn outcome(rest: &Rest) -> &'static str {
        match rest {
            Rest::Unfinished => "",
            Rest::Refused(refusal) => refusal.error.problem().code,
            Rest::Broken => "broken",
        }
    }

    const HEAD: &str = "POST /a HTTP/1.1\r\nHost: a\r\n";

    #[test]
    fn whole_heads_pass_and_beginnings_wait() {
        let whole = format!("{HEAD}\r\n");
        assert_eq!(seen(&whole), (whole.len(), ""));
        assert_eq!(seen(&format!("\r\n{whole}{whole}POST /b")), (2 + 2 * whole.len(), ""));
        for length in 0..whole.len() {
            assert_eq!(seen(&whole[..length]), (0, ""), "{length}");
        }
    }

    #[test]
    fn the_pieces_in_which_bytes_come_make_no_difference() {
        let chunked = "\r\n4;a=b\r\nabcd\r\n0\r\nA: b\r\n\r\n";
        let all =
            format!("{HEAD}Content-Length: 3\r\n\r\nabc{HEAD}Transfer-Encoding: chunked\r\n{chunked}\r\n{HEAD}\r\n");
        for size in 1..all.len() {
            let (mut framing, mut held, mut passed) = (Framing::new(), vec![], 0);
            for piece in all.as_bytes().chunks(size) {
                held.extend_from_slice(piece);
                let seen = framing.look(&held);
                assert_eq!(outcome(&seen.rest), "", "{size}");
                held.drain(..seen.passed);
                passed += seen.passed;
            }
            assert_eq!((passed, framing.heads, framing.in_body()), (all.len(), 3, false), "{size}");
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_refused() {
        let long = format!("{HEAD}X: {}", "a".repeat(HEAD_BYTES));
        assert_eq!(seen(&long), (0, "malformed_request"));
        assert_eq!(seen(&format!("{long}\r\n\r\n")), (0, "malformed_request"), "however much comes at once");
    }

    #[test]
    fn what_follows_a_refused_head_is_not_looked_at() {
        let first = format!("{HEAD}\r\n");
        let text = format!("{first}GET / HTTP/1.1\r\n\r\n{first}");
        assert_eq!(seen(&text), (first.len(), "invalid_header"));
    }
}
