//! Finds where one request ends and the next begins, with the strict reading wherever RFC 9112 leaves a choice. It sees
//! the bytes of a connection before the HTTP library does. A head is passed on whole, and only if every reader, such as
//! a proxy on the way, must find the same end of the request. Anything else is refused: what two readers understand
//! differently can hide a request that the client's proxy never saw (request smuggling). Bodies are measured, never
//! kept.

mod chunks;
mod head;

use crate::error::Error;
use chunks::Chunks;
use head::{HEAD_BYTES, end_of_head, parse_head, too_long};

/// The position in the requests of one connection.
pub struct Framing {
    position: Position,
    /// Heads that were passed on.
    pub heads: u64,
}

enum Position {
    /// In a head, of which the first `searched` bytes do not contain its end.
    Head {
        searched: usize,
    },
    /// In a body with this many bytes left.
    Sized(u64),
    Chunked(Chunks),
}

impl Position {
    const HEAD: Self = Self::Head { searched: 0 };
}

/// The result of [`Framing::inspect`].
pub struct Inspected {
    /// This many bytes may be passed on.
    pub passed: usize,
    /// The state of the bytes that were not passed on.
    pub rest: Rest,
}

/// The state of the bytes that were not passed on.
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
    /// The reason.
    pub error: Error,
    /// The request line as `METHOD target HTTP/1.1`, if it is well formed.
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
        Self { position: Position::HEAD, heads: 0 }
    }

    /// Whether a body has begun and not ended.
    pub fn in_body(&self) -> bool {
        !matches!(self.position, Position::Head { .. })
    }

    /// Inspects `bytes`: those that were not passed on the last time, followed by those that have arrived since.
    pub fn inspect(&mut self, bytes: &[u8]) -> Inspected {
        let mut passed = 0;
        loop {
            let rest = &bytes[passed..];
            if rest.is_empty() {
                return Inspected { passed, rest: Rest::Unfinished };
            }
            match &mut self.position {
                Position::Head { searched } => match end_of_head(rest, *searched) {
                    Ok(end) if end.unwrap_or(rest.len()) > HEAD_BYTES => return refused(passed, too_long()),
                    Ok(None) => {
                        *searched = rest.len();
                        return Inspected { passed, rest: Rest::Unfinished };
                    }
                    Ok(Some(end)) => match parse_head(&rest[..end]) {
                        Ok(position) => {
                            self.position = position;
                            self.heads += 1;
                            passed += end;
                        }
                        Err(refusal) => return Inspected { passed, rest: Rest::Refused(refusal) },
                    },
                    Err(error) => return refused(passed, error),
                },
                Position::Sized(left) => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= part as u64;
                    passed += part;
                    if *left == 0 {
                        self.position = Position::HEAD;
                    }
                }
                Position::Chunked(chunks) => {
                    let Some(part) = chunks.inspect(rest) else { return Inspected { passed, rest: Rest::Broken } };
                    passed += part;
                    if chunks.is_over() {
                        self.position = Position::HEAD;
                    }
                }
            }
        }
    }
}

fn refused(passed: usize, error: Error) -> Inspected {
    Inspected { passed, rest: Rest::Refused(Refusal { error, first_line: None }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes of `text` pass, and the code of the problem or `broken`.
    fn inspect(text: &str) -> (usize, &'static str) {
        let mut framing = Framing::new();
        let inspected = framing.inspect(text.as_bytes());
        (inspected.passed, outcome(&inspected.rest))
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
    fn whole_heads_pass_and_unfinished_heads_wait() {
        let whole = format!("{HEAD}\r\n");
        assert_eq!(inspect(&whole), (whole.len(), ""));
        assert_eq!(inspect(&format!("\r\n{whole}{whole}POST /b")), (2 + 2 * whole.len(), ""));
        for length in 0..whole.len() {
            assert_eq!(inspect(&whole[..length]), (0, ""), "{length}");
        }
    }

    #[test]
    fn the_pieces_in_which_bytes_arrive_make_no_difference() {
        let chunked = "\r\n4;a=b\r\nabcd\r\n0\r\nA: b\r\n\r\n";
        let all =
            format!("{HEAD}Content-Length: 3\r\n\r\nabc{HEAD}Transfer-Encoding: chunked\r\n{chunked}\r\n{HEAD}\r\n");
        for size in 1..all.len() {
            let (mut framing, mut held, mut passed) = (Framing::new(), vec![], 0);
            for piece in all.as_bytes().chunks(size) {
                held.extend_from_slice(piece);
                let inspected = framing.inspect(&held);
                assert_eq!(outcome(&inspected.rest), "", "{size}");
                held.drain(..inspected.passed);
                passed += inspected.passed;
            }
            assert_eq!((passed, framing.heads, framing.in_body()), (all.len(), 3, false), "{size}");
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_refused() {
        let long = format!("{HEAD}X: {}", "a".repeat(HEAD_BYTES));
        assert_eq!(inspect(&long), (0, "malformed_request"));
        assert_eq!(inspect(&format!("{long}\r\n\r\n")), (0, "malformed_request"), "also when it arrives at once");
    }

    #[test]
    fn bytes_behind_a_refused_head_are_not_inspected() {
        let first = format!("{HEAD}\r\n");
        let text = format!("{first}GET / HTTP/1.1\r\n\r\n{first}");
        assert_eq!(inspect(&text), (first.len(), "invalid_header"));
    }
}
