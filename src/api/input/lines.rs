//! The lines of a body that is read as it arrives, so that it may be of any length.

use crate::error::{Error, Result, problem};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::Instant;

/// The longest line, in bytes, without its end.
pub(crate) const MAX_LINE: usize = 1024 * 1024;
/// The longest time in which a client has to send a line, or [`PROGRESS`] bytes of one.
pub(crate) const LINE_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout for input of the operator's, which in effect is none.
const NO_TIMEOUT: Duration = Duration::from_hours(24 * 365);
/// How many bytes start the timeout anew, in the middle of a long line.
const PROGRESS: usize = 64 * 1024;

/// The lines of a body.
pub struct Lines {
    body: Body,
    timeout: Duration,
    /// Received bytes that are not part of a returned line yet.
    buffered: Bytes,
    number: u64,
    finished: bool,
    /// A line that was looked at and is to be returned next.
    peeked: Option<(u64, Result<Vec<u8>>)>,
}

/// The byte order mark that some programs write before the first line. It is passed over.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Lines {
    /// The lines of `body`, which a client sends within [`LINE_TIMEOUT`] each.
    pub fn of(body: Body) -> Self {
        Self { body, timeout: LINE_TIMEOUT, buffered: Bytes::new(), number: 0, finished: false, peeked: None }
    }

    /// The lines of `body`, which is a file or a pipe of the operator's. It has no time limit.
    pub(crate) fn of_file(body: Body) -> Self {
        Self { timeout: NO_TIMEOUT, ..Self::of(body) }
    }

    /// The first line that is not empty, which [`Self::next`] returns again. The empty lines before it are dropped.
    pub async fn peek(&mut self) -> Option<Result<&[u8], &Error>> {
        loop {
            match self.next().await? {
                (_, Ok(text)) if text.trim_ascii().is_empty() => {}
                line => {
                    let (_, text) = self.peeked.insert(line);
                    return Some(text.as_deref());
                }
            }
        }
    }

    /// The next line without its end, and its number, counted from 1. A line that is too long is an error, and the next
    /// line follows. A line that arrives too slowly is an error and ends the lines. An unfinished line is dropped when
    /// the connection breaks.
    pub async fn next(&mut self) -> Option<(u64, Result<Vec<u8>>)> {
        if let Some(line) = self.peeked.take() {
            return Some(line);
        }
        if self.finished {
            return None;
        }
        self.number += 1;
        let (mut line, mut length) = (vec![], 0);
        let (mut deadline, mut received) = (Instant::now() + self.timeout, 0);
        loop {
            let end = self.buffered.iter().position(|&byte| byte == b'\n');
            let part = self.buffered.split_to(end.unwrap_or(self.buffered.len()));
            length += part.len();
            if length <= MAX_LINE {
                line.extend_from_slice(&part);
            }
            if end.is_some() {
                let _ = self.buffered.split_to(1);
                break;
            }
            match tokio::time::timeout_at(deadline, self.body.frame()).await {
                Err(_) => {
                    self.finished = true;
                    return Some((self.number, Err(Error::new(&problem::SLOW_BODY))));
                }
                Ok(Some(Ok(frame))) => self.buffered = frame.into_data().unwrap_or_default(),
                Ok(end) => {
                    self.finished = true;
                    if end.is_some() || length == 0 {
                        return None;
                    }
                    break;
                }
            }
            received += self.buffered.len();
            if received >= PROGRESS {
                (deadline, received) = (Instant::now() + self.timeout, 0);
            }
        }
        if length > MAX_LINE {
            let detail = format!("A line may have {MAX_LINE} bytes.");
            return Some((self.number, Err(Error::new(&problem::BODY_TOO_LARGE).detail(detail))));
        }
        if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Some((self.number, Ok(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};

    fn body(chunks: &[&str]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, std::io::Error>((*chunk).to_owned())).collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn lines(body: Body) -> Vec<(u64, String)> {
        let (mut lines, mut all) = (Lines::of(body), vec![]);
        while let Some((number, line)) = lines.next().await {
            let text = line.map_or_else(|e| e.problem().code.to_owned(), |line| String::from_utf8(line).unwrap());
            all.push((number, text));
        }
        all
    }

    fn numbered(texts: &[&str]) -> Vec<(u64, String)> {
        (1..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
    }

    #[tokio::test]
    async fn chunks_do_not_affect_lines() {
        assert_eq!(lines(body(&["a\nb", "c\n", "\nd"])).await, numbered(&["a", "bc", "", "d"]));
        assert_eq!(lines(body(&["a\n"])).await, numbered(&["a"]));
        assert_eq!(lines(body(&[])).await, []);
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_passed_over_at_the_beginning_alone() {
        let mark = "\u{feff}";
        assert_eq!(lines(body(&[mark, "a\n", mark, "b"])).await, numbered(&["a", "\u{feff}b"]));
        assert_eq!(lines(body(&[mark])).await, numbered(&[""]));
    }

    #[tokio::test]
    async fn the_first_line_can_be_looked_at() {
        let mut lines = Lines::of(body(&["\n \nab\n\nc"]));
        assert_eq!(lines.peek().await.unwrap().unwrap(), b"ab");
        let mut rest = vec![];
        while let Some((number, line)) = lines.next().await {
            rest.push((number, String::from_utf8(line.unwrap()).unwrap()));
        }
        assert_eq!(rest, [(3, "ab".to_owned()), (4, String::new()), (5, "c".to_owned())]);
        assert!(Lines::of(body(&[])).peek().await.is_none());
    }

    #[tokio::test]
    async fn a_long_line_is_refused_alone() {
        let (most, long) = ("x".repeat(MAX_LINE), "y".repeat(MAX_LINE + 1));
        let found = lines(body(&[&most, "\n", &long, "\nz"])).await;
        assert_eq!(found[0].1.len(), MAX_LINE);
        assert_eq!(found[1..], [(2, "body_too_large".to_owned()), (3, "z".to_owned())]);
    }

    #[tokio::test]
    async fn an_unfinished_line_is_dropped_when_the_connection_breaks() {
        let broken = [Ok("a\nb"), Err(std::io::Error::other("gone"))];
        assert_eq!(lines(Body::from_stream(stream::iter(broken))).await, numbered(&["a"]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_too_slowly_is_refused() {
        let stalled = stream::iter([Ok::<_, std::io::Error>("a\nb")]).chain(stream::pending());
        let found = lines(Body::from_stream(stalled)).await;
        assert_eq!(found, [(1, "a".to_owned()), (2, "slow_body".to_owned())]);
    }
}
