//! What the writer's thread and the rest of the process share about the journal.

use super::{
    Current, JournalOptions, Position, join,
    members::{self, Lease},
    postgres::Member,
};
use crate::error::Result;
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

/// How long a process that ends takes to say so.
const LEAVING: Duration = Duration::from_secs(1);

/// What the writer's thread and the rest of the process share.
pub(in crate::store) struct Shared {
    /// Which journal this is.
    pub(in crate::store) id: [u8; 16],
    /// The newest entry that the file includes.
    pub(in crate::store) applied: watch::Sender<i64>,
    /// How many wait for events.
    pub(in crate::store) waiting: AtomicUsize,
    /// The process ends: what cannot be reached is not tried again.
    pub(in crate::store) closing: AtomicBool,
    /// Whether PostgreSQL has answered last time.
    pub(in crate::store) reachable: AtomicBool,
    /// Whether this process does what only one may do.
    pub(in crate::store) lease: Lease,
    /// The task that says that this process is there.
    member: Mutex<Option<JoinHandle<()>>>,
    /// Wakes that task when the process ends.
    pub(super) leaving: Notify,
    /// How many milliseconds the clock of PostgreSQL is ahead of that of this machine, when the turn was taken last.
    pub(in crate::store) skew: AtomicI64,
    /// A backup has taken the place of what the file holds.
    pub(in crate::store) restored: AtomicBool,
    /// Why the file and the journal have diverged, if they have.
    pub(in crate::store) diverged: OnceLock<String>,
}

impl Shared {
    pub(in crate::store) fn at(position: &Position) -> Arc<Self> {
        Arc::new(Self {
            id: position.journal,
            applied: watch::Sender::new(position.seq),
            waiting: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            reachable: AtomicBool::new(true),
            lease: Lease::default(),
            member: Mutex::default(),
            leaving: Notify::new(),
            skew: AtomicI64::new(0),
            restored: AtomicBool::new(false),
            diverged: OnceLock::new(),
        })
    }

    /// Gives up the lease, and removes this process from those on the journal.
    pub(in crate::store) async fn leave(&self) {
        self.leaving.notify_one();
        let task = self.member.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // If it takes too long, the lease ends by itself.
            let _ = tokio::time::timeout(LEAVING, task).await;
        }
    }

    /// Has entries of others asked for more often, until the result is dropped.
    pub(in crate::store) fn wait_for_events(&self) -> WaitingForEvents<'_> {
        self.waiting.fetch_add(1, Relaxed);
        WaitingForEvents(self)
    }
}

/// What readers need of the journal.
pub(in crate::store) struct SharedJournal {
    pub(in crate::store) options: JournalOptions,
    pub(in crate::store) current: Current,
    pub(in crate::store) shared: Arc<Shared>,
}

impl Drop for SharedJournal {
    /// A store that was not closed must not go on as a process on the journal.
    fn drop(&mut self) {
        self.shared.closing.store(true, Relaxed);
        if let Some(task) = self.shared.member.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Has this process known to the others on the journal, until it ends. It needs a runtime.
pub(in crate::store) fn enlist(options: &JournalOptions, shared: &Arc<Shared>, keys: &str) -> Result<()> {
    join::refuse_other_keys(options, keys)?;
    let member = Member { id: options.writer, version: env!("CARGO_PKG_VERSION"), keys: keys.to_owned() };
    let task = tokio::spawn(members::run(Arc::clone(&options.connect), member, Arc::clone(shared)));
    *shared.member.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    Ok(())
}

/// Somebody waits for events.
pub(in crate::store) struct WaitingForEvents<'s>(&'s Shared);

impl Drop for WaitingForEvents<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
