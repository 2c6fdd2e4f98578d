//! A connection's bytes as the HTTP library sees them: held to the rules of [`super::framing`] and to deadlines in both
//! directions. It does not know what a request means.
//!
//! It closes a connection by reporting the end of its input. It has a request refused by putting a well-formed one in
//! its place, which the router answers with the refusal: after the responses before it, once, and logged like any
//! other. When a connection has been idle for a moment it is parked: the input seems to end, so that the HTTP library
//! and its buffers can be dropped until the next byte arrives.

mod deadlines;
mod inbound;
#[cfg(test)]
mod tests;

pub(super) use deadlines::HEAD_TIME;

use super::{connection_state::ConnectionState, framing::Framing};
use deadlines::{Awaited, Timer};
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

/// A connection with framing and deadlines.
pub(super) struct Wire<S> {
    stream: S,
    connection: Arc<ConnectionState>,
    framing: Framing,
    mode: Mode,
    /// The beginning of a head that has not arrived whole.
    incomplete_head: Vec<u8>,
    /// Bytes that passed the framing and that the library has not read yet.
    passed: Vec<u8>,
    awaited: Awaited,
    /// When waiting for a head began; `None` while there is something else to do.
    waiting_since: Option<Instant>,
    /// When the client stopped making room for its response.
    write_blocked_since: Option<Instant>,
    read_timer: Timer,
    write_timer: Timer,
    evictions: Arc<Notify>,
    /// This connection's turn in the queue for eviction, while it is idle.
    eviction: Option<Pin<Box<OwnedNotified>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Idle, without the HTTP library.
    Parked,
    /// Requests are read and passed on.
    Open,
    /// Nothing more is read: the last request was refused.
    ReadClosed,
    /// The framing of a body is broken.
    Broken,
    /// All responses are sent; what still arrives is discarded.
    Lingering,
}

impl<S> Wire<S> {
    /// An idle connection over `stream`, which closes when `evictions` wakes it.
    pub(super) fn new(stream: S, connection: Arc<ConnectionState>, evictions: Arc<Notify>) -> Self {
        Self {
            stream,
            connection,
            framing: Framing::new(),
            mode: Mode::Parked,
            incomplete_head: vec![],
            passed: vec![],
            awaited: Awaited::FirstRequest,
            waiting_since: Some(Instant::now()),
            write_blocked_since: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            evictions,
            eviction: None,
        }
    }

    /// Whether the end of the input means only that the connection is idle.
    pub(super) fn is_parked(&self) -> bool {
        self.mode == Mode::Parked
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Closes a parked connection.
    pub(super) async fn close(mut self) {
        self.mode = Mode::Open;
        // The client may be gone already.
        let _ = poll_fn(|context| Pin::new(&mut self).poll_shutdown(context)).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_parked() { Poll::Ready(Ok(())) } else { self.poll_passed(context, buffer) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limit_write_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.limit_write_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.limit_write_time(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_parked() {
            return Poll::Ready(Ok(()));
        }
        if this.mode != Mode::Lingering {
            let shut = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.limit_write_time(context, shut))?;
            if this.mode == Mode::Open && !this.framing.in_body() {
                return Poll::Ready(Ok(()));
            }
            this.mode = Mode::Lingering;
            this.waiting_since = None;
        }
        this.poll_linger(context).map(Ok)
    }
}
