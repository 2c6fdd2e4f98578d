//! A connection as the HTTP library sees it: its bytes, held to the framing of [`super::framing`] and to deadlines in both
//! directions. It ends a connection by seeming to reach its end, and has a request refused by putting a plain one in its
//! place, so that the refusal is answered like everything else: after the answers before it, once, and logged. While it
//! has had nothing to do for a moment it rests, so that the library, whose buffers are large, can be without it.

use super::{
    framing::{Framing, Refusal, Rest},
    talk::Talk,
};
use crate::error::{Error, problem};
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Notify, futures::OwnedNotified},
    time::{Instant, Sleep, sleep_until},
};

/// How long the head of a request may take, the first from the moment of connecting.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may be kept without a request.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// How long a connection without a request stays with the library.
const REST_TIME: Duration = Duration::from_secs(1);
/// Bytes that are read at once from a connection that rests: the head of most requests.
const FIRST_BYTES: usize = 4096;
/// How long a client may take to make room for more of its answer.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long a client who is still sending is listened to after its answer: closing at once would take the answer back.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A connection with framing and deadlines.
pub(super) struct Wire<S> {
    stream: S,
    talk: Arc<Talk>,
    framing: Framing,
    state: State,
    /// The beginning of a head, not passed on yet.
    held: Vec<u8>,
    /// What may be passed on when there is room.
    passing: Vec<u8>,
    /// Since when a head is waited for; unset while there is something else to do.
    waiting_since: Option<Instant>,
    waiting_for: Waiting,
    read_timer: Timer,
    write_timer: Timer,
    /// Since when the client makes no room.
    blocked_since: Option<Instant>,
    crowd: Arc<Notify>,
    asked_to_leave: Option<Pin<Box<OwnedNotified>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is nothing to pass on yet, or any more.
    Resting,
    /// Requests come and are passed on.
    Open,
    /// Nothing more is read: the last request was refused, or time is up.
    Deaf,
    /// The framing of a body is broken.
    Broken,
    /// All is answered; what still comes is read and forgotten.
    Lingering,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The first request.
    First,
    /// Another request, when the last is answered.
    Next,
    /// The rest of a head.
    Rest,
}

impl<S> Wire<S> {
    /// Speaks over `stream`; `crowd` asks the connection that has had nothing to do for longest to make room.
    pub(super) fn new(stream: S, talk: Arc<Talk>, crowd: Arc<Notify>) -> Self {
        Self {
            stream,
            talk,
            framing: Framing::new(),
            state: State::Resting,
            held: vec![],
            passing: vec![],
            waiting_since: Some(Instant::now()),
            waiting_for: Waiting::First,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            blocked_since: None,
            crowd,
            asked_to_leave: None,
        }
    }

    /// Sorts what has come: `read` is new behind `before` in `buffer`, or behind what is held.
    fn take(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let seen = if self.held.is_empty() {
            let bytes = &buffer.filled()[before..];
            let seen = self.framing.look(bytes);
            self.held.extend_from_slice(&bytes[seen.passed..]);
            buffer.set_filled(before + seen.passed);
            seen
        } else {
            self.held.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
            let seen = self.framing.look(&self.held);
            self.passing.extend(self.held.drain(..seen.passed));
            seen
        };
        match seen.rest {
            Rest::Unfinished => {}
            Rest::Broken => {
                self.state = State::Broken;
                self.talk.breaks();
            }
            Rest::Refused(refusal) => self.refuse(refusal),
        }
        self.asked_to_leave = None;
        let before = mem::replace(&mut self.waiting_for, Waiting::Next);
        if self.held.is_empty() {
            self.waiting_since = None;
            self.held = vec![];
        } else {
            self.waiting_for = Waiting::Rest;
            // The time of a head is not renewed by each of its bytes.
            if before == Waiting::Next || seen.passed > 0 {
                self.waiting_since = Some(Instant::now());
            }
        }
    }

    /// Puts a plain request in the place of the one that is refused, and listens to nothing more.
    fn refuse(&mut self, Refusal { error, first_line }: Refusal) {
        self.talk.refuse(self.framing.heads, error);
        let first_line = first_line.as_deref().unwrap_or("GET / HTTP/1.1");
        self.passing
            .extend_from_slice(format!("{first_line}\r\nhost: refused\r\nconnection: close\r\n\r\n").as_bytes());
        self.held = vec![];
        self.state = State::Deaf;
    }

    /// Whether it seems to have ended for want of something to do alone.
    pub(super) fn is_resting(&self) -> bool {
        self.state == State::Resting
    }

    /// While nothing comes: whether to go on waiting, or the connection ends, or seems to.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.framing.in_body() || (self.talk.is_busy() && self.held.is_empty()) {
            // Bodies and answers have limits of their own.
            self.waiting_since = None;
            return Poll::Pending;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let is_next = self.waiting_for == Waiting::Next;
        // The library may still have a part of an answer that the client makes no room for.
        let may_rest = is_next && self.state == State::Open && self.blocked_since.is_none();
        let limit = if may_rest {
            REST_TIME
        } else if is_next {
            IDLE_TIME
        } else {
            HEAD_TIME
        };
        if self.read_timer.poll(context, since + limit).is_ready() {
            if may_rest {
                self.state = State::Resting;
            }
            return Poll::Ready(());
        }
        if self.waiting_for == Waiting::Rest {
            return Poll::Pending;
        }
        let crowd = &self.crowd;
        self.asked_to_leave.get_or_insert_with(|| Box::pin(Arc::clone(crowd).notified_owned())).as_mut().poll(context)
    }

    /// Ends a write that the client makes no room for.
    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.blocked_since = None;
            return written;
        }
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        ready!(self.write_timer.poll(context, since + WRITE_TIME));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Ends one that rests, as far as the client lets us.
    pub(super) async fn end(mut self) {
        self.state = State::Open;
        let _ = poll_fn(|context| Pin::new(&mut self).poll_shutdown(context)).await;
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Rests until there is something to pass on; whether there is, or the connection is over.
    pub(super) async fn has_begun(&mut self) -> bool {
        poll_fn(|context| self.poll_begun(context)).await
    }

    fn poll_begun(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let mut first = [0; FIRST_BYTES];
        let mut buffer = ReadBuf::new(&mut first);
        let read = ready!(self.poll_bytes(context, &mut buffer));
        let is_there = read.is_ok() && !buffer.filled().is_empty();
        if is_there {
            self.passing.splice(..0, buffer.filled().iter().copied());
            if self.state == State::Resting {
                self.state = State::Open;
            }
        }
        Poll::Ready(is_there)
    }

    /// What may be passed on.
    fn poll_bytes(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.passing.is_empty() {
                let part = self.passing.len().min(buffer.remaining());
                buffer.put_slice(&self.passing[..part]);
                self.passing.drain(..part);
                if self.passing.is_empty() {
                    self.passing = vec![];
                }
                return Poll::Ready(Ok(()));
            }
            match self.state {
                State::Open | State::Resting => {}
                State::Deaf | State::Lingering => return Poll::Pending,
                State::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                    self.take(buffer, before);
                    if buffer.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(ended) => return Poll::Ready(ended),
                Poll::Pending => {
                    ready!(self.wait(context));
                    if self.waiting_for != Waiting::Rest {
                        return Poll::Ready(Ok(()));
                    }
                    self.refuse(Refusal { error: Error::new(&problem::SLOW_HEAD), first_line: None });
                }
            }
        }
    }

    /// Reads and forgets until the client has sent everything, or has had its time.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let mut forgotten = [0; 4096];
        while self.read_timer.poll(context, since + LINGER_TIME).is_pending() {
            let mut buffer = ReadBuf::new(&mut forgotten);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_resting() { Poll::Ready(Ok(())) } else { self.poll_bytes(context, buffer) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_resting() {
            return Poll::Ready(Ok(()));
        }
        if this.state != State::Lingering {
            let shut = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.in_time(context, shut))?;
            if this.state == State::Open && !this.framing.in_body() {
                return Poll::Ready(Ok(()));
            }
            this.state = State::Lingering;
            this.waiting_since = None;
        }
        this.linger(context).map(Ok)
    }
}

/// When to look again whether it is time.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether it is `deadline`. Deadlines mostly move on before they come: a timer that is set for an earlier moment is
    /// left alone until then, which costs less than setting it at each request.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::talk::Busy;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        time::{sleep, timeout},
    };

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// A client, the wire that it speaks over, and what requests know of it.
    fn connected() -> (DuplexStream, Wire<DuplexStream>, Arc<Talk>) {
        let (client, server) = duplex(64);
        let talk = Arc::new(Talk::default());
        let wire = Wire::new(server, Arc::clone(&talk), Arc::default());
        (client, wire, talk)
    }

    /// What comes over the wire next, and after how many seconds; while it rests, nobody asks it for anything.
    async fn next(wire: &mut Wire<DuplexStream>) -> (Vec<u8>, u64) {
        let (begun, mut bytes) = (Instant::now(), vec![0; 1024]);
        while !wire.is_resting() || wire.has_begun().await {
            let length = wire.read(&mut bytes).await.unwrap();
            if length > 0 || !wire.is_resting() {
                return (bytes[..length].to_vec(), begun.elapsed().as_secs());
            }
        }
        (vec![], begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_ends() {
        let (mut client, mut wire, _) = connected();
        assert_eq!(next(&mut wire).await, (vec![], 10));
        let (mut kept, mut other, _) = connected();
        kept.write_all(REQUEST).await.unwrap();
        assert_eq!(next(&mut other).await, (REQUEST.to_vec(), 0));
        assert_eq!(next(&mut other).await, (vec![], 75));
        client.write_all(b"late").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn it_rests_when_there_was_nothing_to_do_for_a_moment_and_goes_on() {
        let (mut client, mut wire, talk) = connected();
        assert!(wire.is_resting(), "nothing has come yet");
        for head in [REQUEST, &REQUEST.repeat(2)] {
            client.write_all(&head[..9]).await.unwrap();
            assert!(timeout(Duration::from_millis(10), wire.has_begun()).await.is_err(), "half a head is none");
            client.write_all(&head[9..]).await.unwrap();
            assert!(wire.has_begun().await && !wire.is_resting());
            let mut bytes = vec![0; head.len()];
            wire.read_exact(&mut bytes).await.unwrap();
            assert_eq!(bytes, head);
            let busy = Busy::on(&talk);
            assert!(timeout(5 * REST_TIME, wire.read(&mut bytes)).await.is_err() && !wire.is_resting());
            drop(busy);
            let begun = Instant::now();
            assert_eq!((wire.read(&mut bytes).await.unwrap(), begun.elapsed().as_secs()), (0, 1));
            wire.shutdown().await.unwrap();
            assert!(wire.is_resting(), "it only seems to be over");
        }
        wire.end().await;
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_rest_on_an_answer_that_the_client_makes_no_room_for() {
        let (mut client, mut wire, _) = connected();
        client.write_all(REQUEST).await.unwrap();
        next(&mut wire).await;
        assert!(timeout(Duration::from_secs(5), wire.write_all(&[0; 1000])).await.is_err());
        assert!(timeout(Duration::from_secs(5), wire.read(&mut [0])).await.is_err());
        assert!(!wire.is_resting());
        assert!(timeout(Duration::from_mins(1), wire.write_all(&[0; 1000])).await.unwrap().is_err(), "it is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_in_all_however_it_comes() {
        let (mut client, mut wire, talk) = connected();
        client.write_all(REQUEST).await.unwrap();
        next(&mut wire).await;
        assert!(talk.next_request().is_none());
        let drip = tokio::spawn(async move {
            for byte in b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaa" {
                client.write_all(&[*byte]).await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        });
        let (bytes, seconds) = next(&mut wire).await;
        assert!(bytes.starts_with(b"GET / HTTP/1.1\r\nhost: refused\r\n") && seconds <= 10, "{seconds}");
        assert!(talk.next_request().is_some_and(|error| error.is(&problem::SLOW_HEAD)));
        assert!(timeout(Duration::from_secs(100), next(&mut wire)).await.is_err(), "nothing more is read");
        drip.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_being_answered_or_sends_a_body_is_not_idle() {
        let (mut client, mut wire, talk) = connected();
        client.write_all(REQUEST).await.unwrap();
        next(&mut wire).await;
        let busy = Busy::on(&talk);
        assert!(timeout(Duration::from_secs(1000), next(&mut wire)).await.is_err());
        drop(busy);
        assert_eq!(next(&mut wire).await, (vec![], 75));
        let (mut client, mut wire, _) = connected();
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await.unwrap();
        next(&mut wire).await;
        assert!(timeout(Duration::from_secs(1000), next(&mut wire)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_given_up() {
        let (mut client, mut wire, _) = connected();
        let begun = Instant::now();
        let written = tokio::spawn(async move { wire.write_all(&[0; 1000]).await });
        for _ in 0..5 {
            sleep(Duration::from_secs(20)).await;
            client.read_exact(&mut [0; 64]).await.unwrap();
        }
        assert_eq!(written.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 130);
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_is_idle_for_longest_makes_room() {
        let crowd = Arc::new(Notify::new());
        let idle = |order: u64| {
            let (client, server) = duplex(64);
            let mut wire = Wire::new(server, Arc::default(), Arc::clone(&crowd));
            tokio::spawn(async move {
                sleep(Duration::from_millis(order)).await;
                let left = next(&mut wire).await;
                drop(client);
                left
            })
        };
        let (second, first) = (idle(2), idle(1));
        sleep(Duration::from_secs(1)).await;
        crowd.notify_one();
        assert_eq!(first.await.unwrap(), (vec![], 0));
        sleep(Duration::from_secs(1)).await;
        assert!(!second.is_finished());
    }
}
