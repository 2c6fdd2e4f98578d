//! The lines of a body that is read while it comes, however long it is.

use crate::error::{Error, Result, problem};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that a line may have.
pub(crate) const MAX_LINE: usize = 1024 * 1024;
/// How long a line, or as much of it as [`ENOUGH`], may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// As good as no limit.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);
/// Bytes that are as good as a line.
const ENOUGH: usize = 64 * 1024;

/// The lines of a body.
pub struct Lines {
    body: Body,
    patience: Duration,
    /// What has come and belongs to no line yet.
    rest: Bytes,
    number: u64,
    over: bool,
}

impl Lines {
    /// Those of `body`, which a client sends.
    pub fn of(body: Body) -> Self {
        Self { body, patience: PATIENCE, rest: Bytes::new(), number: 0, over: false }
    }

    /// Those of `body`, which comes from a file or a pipe of the operator's, and may take its time.
    pub(crate) fn of_file(body: Body) -> Self {
        Self { patience: FOR_EVER, ..Self::of(body) }
    }

    /// The next line without its end, and its number, from 1. A line that is too long is an error, and so is one that
    /// comes too slowly, which is then the last. What is unfinished when the connection breaks is no line.
    pub async fn next(&mut self) -> Option<(u64, Result<Vec<u8>>)> {
        if self.over {
            return None;
        }
        self.number += 1;
        let (mut line, mut length) = (vec![], 0);
        let (mut deadline, mut received) = (Instant::now() + self.patience, 0);
        loop {
            let end = self.rest.iter().position(|&byte| byte == b'\n');
            let part = self.rest.split_to(end.unwrap_or(self.rest.len()));
            length += part.len();
            if length <= MAX_LINE {
                line.extend_from_slice(&part);
            }
            if end.is_some() {
                let _ = self.rest.split_to(1);
                break;
            }
            match tokio::time::timeout_at(deadline, self.body.frame()).await {
                Err(_) => {
                    self.over = true;
                    return Some((self.number, Err(Error::new(&problem::SLOW_BODY))));
                }
                Ok(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                Ok(end) => {
                    self.over = true;
                    if end.is_some() || length == 0 {
                        return None;
                    }
                    break;
                }
            }
            received += self.rest.len();
            if received >= ENOUGH {
                (deadline, received) = (Instant::now() + self.patience, 0);
            }
        }
        if length > MAX_LINE {
            let detail = format!("A line may have {MAX_LINE} bytes.");
            return Some((self.number, Err(Error::new(&problem::BODY_TOO_LARGE).detail(detail))));
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
    async fn lines_are_told_from_chunks() {
        assert_eq!(lines(body(&["a\nb", "c\n", "\nd"])).await, numbered(&["a", "bc", "", "d"]));
        assert_eq!(lines(body(&["a\n"])).await, numbered(&["a"]));
        assert_eq!(lines(body(&[])).await, []);
    }

    #[tokio::test]
    async fn a_long_line_is_refused_alone() {
        let (most, long) = ("x".repeat(MAX_LINE), "y".repeat(MAX_LINE + 1));
        let found = lines(body(&[&most, "\n", &long, "\nz"])).await;
        assert_eq!(found[0].1.len(), MAX_LINE);
        assert_eq!(found[1..], [(2, "body_too_large".to_owned()), (3, "z".to_owned())]);
    }

    #[tokio::test]
    async fn what_is_unfinished_when_the_connection_breaks_is_no_line() {
        let broken = [Ok("a\nb"), Err(std::io::Error::other("gone"))];
        assert_eq!(lines(Body::from_stream(stream::iter(broken))).await, numbered(&["a"]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_too_little_is_given_up() {
        let stalled = stream::iter([Ok::<_, std::io::Error>("a\nb")]).chain(stream::pending());
        let found = lines(Body::from_stream(stalled)).await;
        assert_eq!(found, [(1, "a".to_owned()), (2, "slow_body".to_owned())]);
    }
}
