//! Request bodies that remember whether they were read to their end. What the router leaves unread is discarded here,
//! so that the connection can serve the next request. What a body contains is not known here.

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Request, header},
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::timeout;

/// How long the rest of an unread body may take to arrive.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Replaces the body of a request by one that reports to the returned tracker.
pub(super) fn track<B>(request: Request<B>) -> (Request<Body>, BodyTracker<B>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let is_awaited = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return (Request::from_parts(parts, Body::empty()), BodyTracker(None));
    }
    let progress = Arc::new(Mutex::new(Progress::BeingRead));
    let unread = Unread { body, is_awaited };
    let tracked = RequestBody { unread: Some(unread), progress: Arc::clone(&progress) };
    (Request::from_parts(parts, Body::new(tracked)), BodyTracker(Some(progress)))
}

/// What is left of a body.
struct Unread<B> {
    body: B,
    /// The client sent `Expect: 100-continue` and waits until the body is polled.
    is_awaited: bool,
}

/// How far the router has got with a body.
enum Progress<B> {
    BeingRead,
    ReadToEnd,
    /// The client broke off, or the framing is broken.
    Failed,
    /// The router dropped the body before its end.
    Dropped(Unread<B>),
}

/// Learns what became of a request body; `None` inside stands for a request without a body.
pub(super) struct BodyTracker<B>(Option<Arc<Mutex<Progress<B>>>>);

/// Whether the next request can be read from the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The body was read to its end.
    Nothing,
    /// The router is still reading the body, as imports do while they respond.
    BeingRead,
    /// A part of the body is unread and stays so: the connection must close.
    Unread,
}

impl<B> BodyTracker<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    /// Discards what the router has left unread, up to `max_bytes` and [`DISCARD_TIME`]. The client is not invited to
    /// send a body that it holds back for `100 Continue`.
    pub(super) async fn discard_rest(&self, max_bytes: u64) -> Rest {
        match self.take() {
            Progress::ReadToEnd => Rest::Nothing,
            Progress::BeingRead => Rest::BeingRead,
            Progress::Dropped(Unread { body, is_awaited: false }) => {
                match timeout(DISCARD_TIME, read_to_end(body, max_bytes)).await {
                    Ok(true) => Rest::Nothing,
                    Ok(false) | Err(_) => Rest::Unread,
                }
            }
            Progress::Failed | Progress::Dropped(_) => Rest::Unread,
        }
    }

    fn take(&self) -> Progress<B> {
        let Some(shared) = &self.0 else { return Progress::ReadToEnd };
        let mut progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match *progress {
            Progress::BeingRead => Progress::BeingRead,
            // A body that was discarded in vain stays unread.
            _ => std::mem::replace(&mut progress, Progress::Failed),
        }
    }
}

/// Reads a body to its end; `false` if it has more than `max_bytes` or fails.
async fn read_to_end<B>(mut body: B, max_bytes: u64) -> bool
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > max_bytes {
        return false;
    }
    let mut left = max_bytes;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(fewer) = left.checked_sub(length) else { return false };
        left = fewer;
    }
    true
}

/// A request body that reports how far it was read.
struct RequestBody<B: HttpBody> {
    /// `None` once the body is over.
    unread: Option<Unread<B>>,
    progress: Arc<Mutex<Progress<B>>>,
}

impl<B: HttpBody> RequestBody<B> {
    fn report(&self, progress: Progress<B>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

impl<B: HttpBody + Unpin> HttpBody for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(unread) = &mut self.unread else { return Poll::Ready(None) };
        unread.is_awaited = false;
        let frame = ready!(Pin::new(&mut unread.body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                self.unread = None;
                self.report(Progress::Failed);
            }
            None => {
                self.unread = None;
                self.report(Progress::ReadToEnd);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.unread.as_ref().is_none_or(|unread| unread.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.unread.as_ref().map_or_else(|| SizeHint::with_exact(0), |unread| unread.body.size_hint())
    }
}

impl<B: HttpBody> Drop for RequestBody<B> {
    fn drop(&mut self) {
        match self.unread.take() {
            None => {}
            Some(unread) if unread.body.is_end_stream() => self.report(Progress::ReadToEnd),
            Some(unread) => self.report(Progress::Dropped(unread)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use std::{convert::Infallible, io};

    fn request<B>(body: B) -> Request<B> {
        Request::new(body)
    }

    #[tokio::test]
    async fn a_body_that_was_read_leaves_nothing() {
        let (read, tracker) = track(request(Full::from("four")));
        assert_eq!(tracker.discard_rest(9).await, Rest::BeingRead);
        assert_eq!(read.into_body().collect().await.unwrap().to_bytes(), "four");
        assert_eq!(tracker.discard_rest(0).await, Rest::Nothing);
        let (_, empty) = track(request(Full::from("")));
        assert_eq!(empty.discard_rest(0).await, Rest::Nothing);
    }

    #[tokio::test]
    async fn a_dropped_body_is_discarded_up_to_the_limit() {
        for (limit, rest) in [(4, Rest::Nothing), (3, Rest::Unread)] {
            let (dropped, tracker) = track(request(Full::from("four")));
            drop(dropped);
            assert_eq!(tracker.discard_rest(limit).await, rest, "of known length");
            let frames = ["fo", "ur"].map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from(part))));
            let (dropped, tracker) = track(request(StreamBody::new(stream::iter(frames))));
            drop(dropped);
            assert_eq!(tracker.discard_rest(limit).await, rest, "of unknown length");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_fails_or_does_not_come_stays_unread() {
        let failing = stream::iter([Err::<Frame<Bytes>, _>(io::Error::other("gone"))]);
        let (dropped, tracker) = track(request(StreamBody::new(failing)));
        drop(dropped);
        assert_eq!(tracker.discard_rest(9).await, Rest::Unread);
        let (dropped, tracker) = track(request(StreamBody::new(stream::pending::<Result<_, Infallible>>())));
        drop(dropped);
        assert_eq!(tracker.discard_rest(9).await, Rest::Unread);
    }

    #[tokio::test]
    async fn a_body_held_back_for_100_continue_is_not_asked_for() {
        let mut waiting = request(Full::from("four"));
        waiting.headers_mut().insert(header::EXPECT, "100-continue".parse().unwrap());
        let (dropped, tracker) = track(waiting);
        drop(dropped);
        assert_eq!(tracker.discard_rest(9).await, Rest::Unread);
    }
}
