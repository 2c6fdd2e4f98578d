//! What the two halves of a connection have to tell each other: [`super::wire`], which sees its bytes, and
//! [`super::connection`], which answers its requests.

use crate::error::Error;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

#[derive(Default)]
pub(super) struct ConnectionState {
    /// Requests whose responses are not sent yet.
    in_progress: AtomicUsize,
    /// Requests that were handed to the router.
    begun: AtomicU64,
    is_framing_broken: AtomicBool,
    /// The number of a request that must be refused, counted from 0, and the reason.
    refusal: Mutex<Option<(u64, Error)>>,
}

impl ConnectionState {
    /// Counts the next request and returns the reason to refuse it, if there is one.
    pub(super) fn next_request(&self) -> Option<Error> {
        let number = self.begun.fetch_add(1, Relaxed);
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take_if(|(refused, _)| *refused == number).map(|(_, error)| error)
    }

    /// Makes request `number`, counted from 0, be refused.
    pub(super) fn refuse(&self, number: u64, error: Error) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, error));
    }

    /// Whether a body is framed so badly that nothing behind it can be understood.
    pub(super) fn is_framing_broken(&self) -> bool {
        self.is_framing_broken.load(Relaxed)
    }

    pub(super) fn set_framing_broken(&self) {
        self.is_framing_broken.store(true, Relaxed);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.in_progress.load(Relaxed) > 0
    }
}

/// Marks a request as in progress until it is dropped.
pub(super) struct Busy(Arc<ConnectionState>);

impl Busy {
    pub(super) fn new(state: &Arc<ConnectionState>) -> Self {
        state.in_progress.fetch_add(1, Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Relaxed);
    }
}
