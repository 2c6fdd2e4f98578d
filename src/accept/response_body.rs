//! Response bodies that keep their connection busy, and that end only when the request's body has been read too.

use super::connection_state::Busy;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A response body. Its connection counts as busy until this is dropped.
pub(super) struct ResponseBody {
    body: Body,
    /// Runs after the last frame and before the end of the response.
    before_end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _busy: Busy,
}

impl ResponseBody {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Self { body, before_end: None, _busy: busy }
    }

    /// Runs `work` after the last frame and before the end of the response.
    pub(super) fn before_end(self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { before_end: Some(Box::pin(work)), ..self }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none()
            && let Some(work) = &mut self.before_end
        {
            ready!(work.as_mut().poll(context));
            self.before_end = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.before_end.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
