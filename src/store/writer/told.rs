//! Passes the facts of committed transactions to the listener that keeps them in memory. Facts that come before there
//! is a listener wait for it.

use crate::domain::access::Fact;
use std::sync::{Mutex, PoisonError};

/// Learns facts in the order in which they were told.
type Learn = Box<dyn Fn(&Fact) + Send>;

enum State {
    /// Nobody listens yet.
    Waiting(Vec<Fact>),
    Heard(Learn),
}

/// The facts, or the one who learns them.
pub(in crate::store) struct Told(Mutex<State>);

impl Default for Told {
    fn default() -> Self {
        Self(Mutex::new(State::Waiting(vec![])))
    }
}

impl Told {
    /// Tells these facts now or, if nobody listens yet, as soon as somebody does.
    pub(in crate::store) fn tell(&self, facts: Vec<Fact>) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Waiting(kept) => kept.extend(facts),
            State::Heard(learn) => facts.iter().for_each(learn),
        }
    }

    /// Has `learn` called with each fact: first with those that were told before.
    pub(in crate::store) fn listen(&self, learn: Learn) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting(kept) = &*state {
            kept.iter().for_each(&learn);
        }
        *state = State::Heard(learn);
    }
}
