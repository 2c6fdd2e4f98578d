//! Audit entries of refused requests, buffered in memory until they are written together. The number that callers can
//! cause at will is limited.

use super::NewEntry;
use crate::domain::time::Timestamp;
use serde_json::{Map, Value};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync;

/// The most entries that wait to be written.
const MAX_WAITING: usize = 1_000;
/// The capacity of a token bucket.
const BURST: u32 = 100;
/// The time after which a token bucket gets one more token: at most some 9,000 entries a day.
const REFILL_INTERVAL: Duration = Duration::from_secs(10);
/// The member of `changes` that counts the entries which were dropped before this one.
const LEFT_OUT: &str = "left_out_before";

/// Entries that wait to be written.
#[derive(Default)]
pub struct RefusalBuffer {
    waiting: Mutex<Waiting>,
    writing: sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<NewEntry>,
    strangers: TokenBucket,
    callers: TokenBucket,
    /// Entries dropped since the last one that was kept.
    left_out: u64,
}

impl RefusalBuffer {
    /// Records a failed log-in to an existing account. The delays between log-ins limit how many there are.
    pub fn failed_log_in(&self, entry: NewEntry) {
        self.lock().push(entry);
    }

    /// Records a failed log-in to an unknown account. Strangers can cause any number of them, so only some are kept.
    pub fn failed_log_in_of_stranger(&self, entry: NewEntry, now: Timestamp) {
        let mut waiting = self.lock();
        let allowed = waiting.strangers.take(now);
        waiting.push_if(allowed, entry);
    }

    /// Records a request without the permission it needs. A caller can send any number of them, so only some are kept.
    pub fn denied(&self, entry: NewEntry, now: Timestamp) {
        let mut waiting = self.lock();
        let allowed = waiting.callers.take(now);
        waiting.push_if(allowed, entry);
    }

    /// Locks the buffer for writing. Once a caller has the lock, every entry taken earlier is written.
    pub async fn writing(&self) -> sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Takes all waiting entries out of the buffer.
    pub fn take(&self) -> Vec<NewEntry> {
        std::mem::take(&mut self.lock().entries)
    }

    /// Puts entries that could not be written back in front of the others, as far as there is room.
    pub fn put_back(&self, entries: &[NewEntry]) {
        let mut waiting = self.lock();
        let later = std::mem::take(&mut waiting.entries);
        for entry in entries.iter().cloned().chain(later) {
            waiting.push(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push_if(&mut self, allowed: Option<Token>, entry: NewEntry) {
        match allowed {
            Some(Token) => self.push(entry),
            None => self.left_out += 1,
        }
    }

    /// Keeps `entry`, which then also says how many were dropped before it.
    fn push(&mut self, mut entry: NewEntry) {
        if self.entries.len() >= MAX_WAITING {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0
            && let Ok(mut changes) = serde_json::from_str::<Map<String, Value>>(&entry.changes)
        {
            // An entry that is put back says it already.
            let earlier = changes.get(LEFT_OUT).and_then(Value::as_u64).unwrap_or(0);
            changes.insert(LEFT_OUT.to_owned(), (earlier + self.left_out).into());
            entry.changes = Value::Object(changes).to_string();
            self.left_out = 0;
        }
        self.entries.push(entry);
    }
}

/// Permission to keep one entry.
struct Token;

/// A token bucket of [`BURST`] tokens that gets one more after each [`REFILL_INTERVAL`].
struct TokenBucket {
    tokens: u32,
    refilled: Timestamp,
}

impl Default for TokenBucket {
    fn default() -> Self {
        Self { tokens: BURST, refilled: Timestamp::from_millis(0) }
    }
}

impl TokenBucket {
    fn take(&mut self, now: Timestamp) -> Option<Token> {
        let interval = i64::try_from(REFILL_INTERVAL.as_millis()).unwrap_or(i64::MAX);
        let earned = (now.millis().saturating_sub(self.refilled.millis()) / interval).max(0);
        if earned > 0 {
            self.tokens = u32::try_from(earned).unwrap_or(BURST).saturating_add(self.tokens).min(BURST);
            self.refilled = now;
        }
        self.tokens = self.tokens.checked_sub(1)?;
        Some(Token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::AuditOutcome;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);

    fn entry(changes: &str) -> NewEntry {
        let outcome = AuditOutcome::Failure;
        NewEntry { outcome, changes: changes.to_owned(), ..NewEntry::of("anonymous", "auth.login") }
    }

    #[test]
    fn strangers_cause_a_limited_number_of_entries_and_the_others_are_counted() {
        let refusals = RefusalBuffer::default();
        for _ in 0..BURST + 5 {
            refusals.failed_log_in_of_stranger(entry("{}"), NOW);
        }
        assert_eq!(refusals.take().len(), BURST as usize);
        refusals.failed_log_in(entry(r#"{"reason":"password"}"#));
        let changes: Value = serde_json::from_str(&refusals.take()[0].changes).unwrap();
        assert_eq!(changes, serde_json::json!({"left_out_before": 5, "reason": "password"}));
        refusals.failed_log_in_of_stranger(entry("{}"), NOW.plus(REFILL_INTERVAL));
        refusals.failed_log_in_of_stranger(entry("{}"), NOW.plus(REFILL_INTERVAL));
        assert_eq!(refusals.take().len(), 1);
    }

    #[test]
    fn entries_that_could_not_be_written_wait_in_front_of_later_ones() {
        let refusals = RefusalBuffer::default();
        refusals.failed_log_in(NewEntry { request_id: "1".to_owned(), ..entry("{}") });
        let taken = refusals.take();
        refusals.failed_log_in(NewEntry { request_id: "2".to_owned(), ..entry("{}") });
        refusals.put_back(&taken);
        assert_eq!(refusals.take().iter().map(|entry| entry.request_id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn an_entry_that_is_put_back_counts_what_was_dropped_before_and_since() {
        let refusals = RefusalBuffer::default();
        for _ in 0..BURST + 5 {
            refusals.failed_log_in_of_stranger(entry("{}"), NOW);
        }
        refusals.take();
        refusals.failed_log_in(entry("{}"));
        let taken = refusals.take();
        for _ in 0..3 {
            refusals.failed_log_in_of_stranger(entry("{}"), NOW);
        }
        refusals.put_back(&taken);
        assert_eq!(refusals.take()[0].changes, r#"{"left_out_before":8}"#);
    }

    #[test]
    fn the_number_of_waiting_entries_is_limited() {
        let refusals = RefusalBuffer::default();
        for _ in 0..=MAX_WAITING {
            refusals.failed_log_in(entry("{}"));
        }
        assert_eq!(refusals.take().len(), MAX_WAITING);
        assert!(refusals.take().is_empty());
    }
}
