//! The processes on a journal: each says every few seconds that it is there, and one of them holds the lease, which is
//! for what only one process may do, such as delivering webhooks.

use super::{
    Shared,
    postgres::{Connect, Fault, Member, Session},
};
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How often a process says that it is there, and renews its lease.
const PERIOD: Duration = Duration::from_secs(3);
/// How long a lease is sure to last after it was asked for: PostgreSQL grants 10 s.
const SURE: Duration = Duration::from_secs(8);

/// The lease of this process.
#[derive(Default)]
pub(in crate::store) struct Lease(Mutex<Option<Instant>>);

impl Lease {
    /// Whether this process holds it.
    pub(in crate::store) fn is_held(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Says that this process is there until it ends.
pub(super) async fn run(connect: Connect, member: Member, shared: Arc<Shared>) {
    let mut session = None;
    loop {
        let asked = Instant::now();
        match report(&connect, &mut session, &member, &shared).await {
            Ok(granted) => shared.lease.set(granted.then(|| asked + SURE)),
            Err(fault) => {
                session = None;
                tracing::debug!(error.cause = %fault, "this process could not say that it is there");
            }
        }
        if shared.closing.load(Relaxed) {
            return leave(session, &member, &shared).await;
        }
        // Whichever comes first.
        let _ = timeout(PERIOD, shared.leaving.notified()).await;
    }
}

async fn report(
    connect: &Connect,
    session: &mut Option<Session>,
    member: &Member,
    shared: &Shared,
) -> Result<bool, Fault> {
    let session = match session {
        Some(session) => session,
        None => session.insert(Session::connect(connect).await?),
    };
    let position = *shared.applied.borrow();
    session.report(member, position).await
}

/// Gives the lease to others at once.
async fn leave(session: Option<Session>, member: &Member, shared: &Shared) {
    shared.lease.set(None);
    if let Some(session) = session {
        // If it fails, the lease ends by itself.
        let _ = session.leave(member.id).await;
    }
}
