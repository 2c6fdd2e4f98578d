//! How long a connection waits for its client: for a head, for the next request, for room to write, and for the end of
//! what a client sends behind its last response. Bodies and requests have deadlines of their own, in `api`.

use super::{Mode, Wire};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How long the head of a request may take; that of the first one counts from the moment of connecting.
pub(in crate::accept) const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may stay open without a request.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// A connection is parked when it has been idle for this long.
pub(super) const PARK_TIME: Duration = Duration::from_secs(1);
/// How long a client may take to make room for more of its response.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long to read and discard what a client still sends behind its last response. Closing at once would reset the
/// connection, and the client could lose the response.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// What a connection waits for while nothing arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    FirstRequest,
    NextRequest,
    RestOfHead,
}

impl<S> Wire<S> {
    /// Resolves when waiting is over: the deadline has passed, the connection is evicted, or it is to be parked, in
    /// which case its mode changes.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.framing.in_body() || (self.connection.is_busy() && self.incomplete_head.is_empty()) {
            // Bodies and requests have deadlines of their own.
            self.waiting_since = None;
            return Poll::Pending;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let awaits_next = self.awaited == Awaited::NextRequest;
        // While a write is blocked, the HTTP library may still hold a part of a response.
        let may_park = awaits_next && self.mode == Mode::Open && self.write_blocked_since.is_none();
        let limit = if may_park {
            PARK_TIME
        } else if awaits_next {
            IDLE_TIME
        } else {
            HEAD_TIME
        };
        if self.read_timer.poll(context, since + limit).is_ready() {
            if may_park {
                self.mode = Mode::Parked;
            }
            return Poll::Ready(());
        }
        if self.awaited == Awaited::RestOfHead {
            return Poll::Pending;
        }
        let evictions = &self.evictions;
        self.eviction.get_or_insert_with(|| Box::pin(Arc::clone(evictions).notified_owned())).as_mut().poll(context)
    }

    /// Fails a write that the client has blocked for too long.
    pub(super) fn limit_write_time<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_blocked_since = None;
            return written;
        }
        let since = *self.write_blocked_since.get_or_insert_with(Instant::now);
        ready!(self.write_timer.poll(context, since + WRITE_TIME));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its response")))
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads and discards until the client has sent everything, or [`LINGER_TIME`] is over.
    pub(super) fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let mut discarded = [0; 4096];
        while self.read_timer.poll(context, since + LINGER_TIME).is_pending() {
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}

/// A timer for deadlines that mostly move on before they come.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Resolves at `deadline`. A timer that is set for an earlier moment is left alone until then, which costs less
    /// than resetting it for each request.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
