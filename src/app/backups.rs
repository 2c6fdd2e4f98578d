//! What is known of the scheduled backups while the application runs: the last good one, and what came in the way of the
//! next. Making them is a use case, and not done here.

use crate::domain::time::Timestamp;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// What is known of the scheduled backups.
pub struct Backups {
    state: Mutex<State>,
    /// The place of whoever downloads a copy; there is one.
    pub download: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    last_good: Option<Good>,
    failure: Option<Failure>,
}

/// A backup that was verified and is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when nothing had changed since, as far as is known: how old what it lacks can be.
    pub current_at: Timestamp,
}

/// Why there is no newer backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was last tried.
    pub at: Timestamp,
    /// What came in the way. It names paths, and is for operators alone.
    pub reason: String,
}

impl Default for Backups {
    fn default() -> Self {
        Self { state: Mutex::default(), download: Arc::new(Semaphore::new(1)) }
    }
}

impl Backups {
    /// The newest backup, whichever run of the server made it.
    pub fn last_good(&self) -> Option<Good> {
        self.with(|state| state.last_good.clone())
    }

    /// The last attempt, if it failed.
    pub fn failure(&self) -> Option<Failure> {
        self.with(|state| state.failure.clone())
    }

    /// Notes a good one: from now on nothing has failed.
    pub fn succeeded(&self, good: Good) {
        self.with(|state| *state = State { last_good: Some(good), failure: None });
    }

    /// Notes that at this instant a backup would hold nothing else than the last one.
    pub fn is_current(&self, now: Timestamp) {
        self.with(|state| {
            if let Some(good) = &mut state.last_good {
                good.current_at = now;
            }
            state.failure = None;
        });
    }

    /// Notes a failure, and gives the one before it.
    pub fn failed(&self, failure: Failure) -> Option<Failure> {
        self.with(|state| state.failure.replace(failure))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
