//! What the bytes of a connection and the requests that are made of them have to know of each other.

use crate::error::Error;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// What a connection's bytes and its requests know of each other.
#[derive(Default)]
pub(super) struct Talk {
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Requests that have been handed to the service.
    served: AtomicU64,
    /// Whether the framing of a body is broken.
    broken: AtomicBool,
    /// Why the request of this number is refused.
    refusal: Mutex<Option<(u64, Error)>>,
}

impl Talk {
    /// The next request is there: why it is refused, if it is.
    pub(super) fn next_request(&self) -> Option<Error> {
        let number = self.served.fetch_add(1, Ordering::Relaxed);
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take_if(|(refused, _)| *refused == number).map(|(_, error)| error)
    }

    /// Whether nothing that follows can be understood.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Nothing that follows can be understood.
    pub(super) fn breaks(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// The request of this number is to be refused.
    pub(super) fn refuse(&self, number: u64, error: Error) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, error));
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }
}

/// A request is being answered as long as this is there.
pub(super) struct Busy(Arc<Talk>);

impl Busy {
    /// From now on.
    pub(super) fn on(talk: &Arc<Talk>) -> Self {
        talk.busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(talk))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
