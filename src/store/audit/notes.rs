//! What was refused, between its happening and its being written.

use super::NewEntry;
use crate::domain::time::Timestamp;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync;

/// Notes that may wait to be written.
const MOST_WAITING: usize = 1_000;
/// Entries that may be made at once of what strangers, or callers without permission, can bring about at will.
const BURST: u32 = 100;
/// How often one more of them may be made: some 9,000 a day at most.
const PAUSE: Duration = Duration::from_secs(10);

/// Notes of what was refused.
#[derive(Default)]
pub struct Notes {
    waiting: Mutex<Waiting>,
    writing: sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    notes: Vec<NewEntry>,
    strangers: Allowance,
    callers: Allowance,
    /// What was not noted since the last note.
    left_out: u64,
}

impl Notes {
    /// A log-in to an account failed. The delays between log-ins limit how often that can happen.
    pub fn failed(&self, note: NewEntry) {
        self.lock().note(note);
    }

    /// A log-in to no account failed: as often as a stranger likes.
    pub fn failed_for_nobody(&self, note: NewEntry, now: Timestamp) {
        let mut waiting = self.lock();
        let allowed = waiting.strangers.spend(now);
        waiting.note_if(allowed.then_some(note));
    }

    /// A caller lacked a permission: as often as the caller likes.
    pub fn denied(&self, note: NewEntry, now: Timestamp) {
        let mut waiting = self.lock();
        let allowed = waiting.callers.spend(now);
        waiting.note_if(allowed.then_some(note));
    }

    /// Held while notes are being written, so that whoever waits for it finds all earlier ones written.
    pub async fn writing(&self) -> sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// What waits to be written.
    pub fn take(&self) -> Vec<NewEntry> {
        std::mem::take(&mut self.lock().notes)
    }

    /// These could not be written: they wait before all others, as far as there is room.
    pub fn give_back(&self, notes: &[NewEntry]) {
        let mut waiting = self.lock();
        let later = std::mem::take(&mut waiting.notes);
        for note in notes.iter().cloned().chain(later) {
            waiting.note(note);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn note_if(&mut self, note: Option<NewEntry>) {
        match note {
            Some(note) => self.note(note),
            None => self.left_out += 1,
        }
    }

    /// Keeps `note`, which also says how many were left out before it.
    fn note(&mut self, mut note: NewEntry) {
        if self.notes.len() >= MOST_WAITING {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0
            && let Some(rest) = note.changes.strip_prefix('{')
        {
            let separator = if rest == "}" { "" } else { "," };
            note.changes = format!("{{\"left_out_before\":{}{separator}{rest}", self.left_out);
            self.left_out = 0;
        }
        self.notes.push(note);
    }
}

/// So many at once, and one more each [`PAUSE`].
struct Allowance {
    left: u32,
    renewed: Timestamp,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: BURST, renewed: Timestamp::from_millis(0) }
    }
}

impl Allowance {
    fn spend(&mut self, now: Timestamp) -> bool {
        let pause = i64::try_from(PAUSE.as_millis()).unwrap_or(i64::MAX);
        let earned = (now.millis().saturating_sub(self.renewed.millis()) / pause).max(0);
        if earned > 0 {
            self.left = u32::try_from(earned).unwrap_or(BURST).saturating_add(self.left).min(BURST);
            self.renewed = now;
        }
        self.left.checked_sub(1).map(|left| self.left = left).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::AuditOutcome;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);

    fn note() -> NewEntry {
        NewEntry {
            actor: "anonymous".to_owned(),
            action: "auth.login".to_owned(),
            target: None,
            address: None,
            request_id: "req".to_owned(),
            trace: None,
            outcome: AuditOutcome::Failure,
            changes: "{}".to_owned(),
        }
    }

    #[test]
    fn strangers_fill_no_more_than_their_allowance_and_the_rest_is_counted() {
        let notes = Notes::default();
        for _ in 0..BURST + 5 {
            notes.failed_for_nobody(note(), NOW);
        }
        assert_eq!(notes.take().len(), BURST as usize);
        notes.failed(note());
        assert_eq!(notes.take()[0].changes, r#"{"left_out_before":5}"#);
        notes.failed_for_nobody(note(), NOW.plus(PAUSE));
        notes.failed_for_nobody(note(), NOW.plus(PAUSE));
        assert_eq!(notes.take().len(), 1);
    }

    #[test]
    fn what_could_not_be_written_waits_again() {
        let notes = Notes::default();
        notes.failed(NewEntry { request_id: "1".to_owned(), ..note() });
        let taken = notes.take();
        notes.failed(NewEntry { request_id: "2".to_owned(), ..note() });
        notes.give_back(&taken);
        assert_eq!(notes.take().iter().map(|note| note.request_id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let notes = Notes::default();
        for _ in 0..=MOST_WAITING {
            notes.failed(note());
        }
        assert_eq!(notes.take().len(), MOST_WAITING);
        assert!(notes.take().is_empty());
    }
}
