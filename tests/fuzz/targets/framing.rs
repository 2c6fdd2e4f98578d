//! The framing of requests on a connection: the chunks in which bytes arrive do not affect what passes and what is
//! refused, and everything that passes as a head is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::accept::framing::{Framing, Rest};

/// The result of framing some bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    passed: usize,
    heads: u64,
    refused: Option<&'static str>,
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, data)) = data.split_first() else { return };
    let whole = outcome(data, data.len().max(1));
    let mut pieces = outcome(data, usize::from(size).max(1));
    if pieces.refused == Some("broken") {
        // The part of a broken body that arrived earlier has already passed.
        assert!(pieces.passed >= whole.passed);
        pieces.passed = whole.passed;
    }
    assert_eq!(whole, pieces, "in pieces of {size}");
    if whole.heads > 0 {
        let head = data.strip_prefix(b"\r\n").unwrap_or(data);
        assert!(head.windows(4).any(|end| end == b"\r\n\r\n"), "a head without an end");
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        assert!(line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"), "a head of another protocol");
    }
});

fn outcome(data: &[u8], size: usize) -> Outcome {
    let (mut framing, mut held, mut passed) = (Framing::new(), vec![], 0);
    for piece in data.chunks(size) {
        held.extend_from_slice(piece);
        let inspected = framing.inspect(&held);
        held.drain(..inspected.passed);
        passed += inspected.passed;
        let refused = match inspected.rest {
            Rest::Unfinished => continue,
            Rest::Refused(refusal) => refusal.error.problem().code,
            Rest::Broken => "broken",
        };
        return Outcome { passed, heads: framing.heads, refused: Some(refused) };
    }
    Outcome { passed, heads: framing.heads, refused: None }
}
