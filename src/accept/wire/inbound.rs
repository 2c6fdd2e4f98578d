//! The way of the client's bytes through the framing to the HTTP library.

use super::{Mode, Wire, deadlines::Awaited};
use crate::{
    accept::framing::{Refusal, Rest},
    error::{Error, problem},
};
use std::{
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};

/// Bytes that are read at once from a parked connection: the head of most requests fits.
const FIRST_BYTES: usize = 4096;

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Waits until the HTTP library has something to read; `false` if the connection is over instead.
    pub(in crate::accept) async fn wait_for_bytes(&mut self) -> bool {
        poll_fn(|context| self.poll_first_bytes(context)).await
    }

    fn poll_first_bytes(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let mut first = [0; FIRST_BYTES];
        let mut buffer = ReadBuf::new(&mut first);
        let read = ready!(self.poll_passed(context, &mut buffer));
        let has_bytes = read.is_ok() && !buffer.filled().is_empty();
        if has_bytes {
            self.passed.splice(..0, buffer.filled().iter().copied());
            if self.mode == Mode::Parked {
                self.mode = Mode::Open;
            }
        }
        Poll::Ready(has_bytes)
    }

    /// Reads bytes that passed the framing. No bytes mean that the connection is over or parked.
    pub(super) fn poll_passed(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.passed.is_empty() {
                self.take_passed(buffer);
                return Poll::Ready(Ok(()));
            }
            match self.mode {
                Mode::Open | Mode::Parked => {}
                Mode::ReadClosed | Mode::Lingering => return Poll::Pending,
                Mode::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                    self.inspect(buffer, before);
                    if buffer.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(end_or_error) => return Poll::Ready(end_or_error),
                Poll::Pending => {
                    ready!(self.poll_idle(context));
                    if self.awaited != Awaited::RestOfHead {
                        return Poll::Ready(Ok(()));
                    }
                    self.refuse(Refusal { error: Error::new(&problem::SLOW_HEAD), first_line: None });
                }
            }
        }
    }

    fn take_passed(&mut self, buffer: &mut ReadBuf<'_>) {
        let part = self.passed.len().min(buffer.remaining());
        buffer.put_slice(&self.passed[..part]);
        self.passed.drain(..part);
        if self.passed.is_empty() {
            self.passed = vec![];
        }
    }

    /// Inspects what was just read, which is in `buffer` from `before` on. What passes stays in `buffer` or moves to
    /// `passed`; the rest moves to `incomplete_head`.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let inspected = if self.incomplete_head.is_empty() {
            let bytes = &buffer.filled()[before..];
            let inspected = self.framing.inspect(bytes);
            self.incomplete_head.extend_from_slice(&bytes[inspected.passed..]);
            buffer.set_filled(before + inspected.passed);
            inspected
        } else {
            self.incomplete_head.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
            let inspected = self.framing.inspect(&self.incomplete_head);
            self.passed.extend(self.incomplete_head.drain(..inspected.passed));
            inspected
        };
        match inspected.rest {
            Rest::Unfinished => {}
            Rest::Broken => {
                self.mode = Mode::Broken;
                self.connection.set_framing_broken();
            }
            Rest::Refused(refusal) => self.refuse(refusal),
        }
        self.eviction = None;
        let awaited_before = mem::replace(&mut self.awaited, Awaited::NextRequest);
        if self.incomplete_head.is_empty() {
            self.waiting_since = None;
            self.incomplete_head = vec![];
        } else {
            self.awaited = Awaited::RestOfHead;
            // A head's deadline counts from its first byte and is not extended by later ones.
            if awaited_before == Awaited::NextRequest || inspected.passed > 0 {
                self.waiting_since = Some(Instant::now());
            }
        }
    }

    /// Puts a well-formed request in the place of the refused one, and stops reading.
    fn refuse(&mut self, Refusal { error, first_line }: Refusal) {
        self.connection.refuse(self.framing.heads, error);
        let first_line = first_line.as_deref().unwrap_or("GET / HTTP/1.1");
        let stand_in = format!("{first_line}\r\nhost: refused\r\nconnection: close\r\n\r\n");
        self.passed.extend_from_slice(stand_in.as_bytes());
        self.incomplete_head = vec![];
        self.mode = Mode::ReadClosed;
    }
}
