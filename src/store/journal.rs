//! The journal: what each transaction has written, in one order, in PostgreSQL. Any number of processes append to it,
//! each in its turn, and each keeps the rows in a file of its own that is brought up to date from it. A change is safe
//! when its entry is committed there; the file may be thrown away.
//!
//! This file is the writer's side, on its thread: its turn, appending, following, and finding out what became of an
//! append whose answer was lost.

pub(in crate::store) mod bytes;
mod copy;
mod current;
pub(in crate::store) mod entry;
mod examine;
mod facts;
pub(in crate::store) mod follow;
mod join;
mod members;
mod moving;
mod postgres;
mod restore;
mod snapshot;
mod status;
mod upgrade;
pub mod verify;

pub use copy::{TemporaryFolder, copy_into_file, refuse_empty};
pub(in crate::store) use current::Current;
pub use examine::{Examined, examine};
pub(in crate::store) use follow::Position;
pub(in crate::store) use join::join;
pub use moving::{MoveError, move_in, move_out};
pub use postgres::{Connect, Extent, OLDEST_VERSION, Process, Promises, ServerState, Standby};
pub(in crate::store) use postgres::{Page, Vouched};
pub use restore::Replacement;
pub(in crate::store) use status::{Shared, SharedJournal, enlist};
pub use upgrade::OlderSchema;
pub(in crate::store) use upgrade::upgrade;

use crate::{
    domain::time::{Clock, Timestamp},
    error::{Error, Result, problem},
    store::{Recorder, rollups::RollupLog, sql::store_error},
};
use entry::{Digest, Entry, digest_of};
use follow::{NotApplied, apply};
use postgres::{Fault, Session, Stored};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// The pause before the next attempt to reach PostgreSQL.
const RETRY: Duration = Duration::from_millis(50);
/// How often entries of others are asked for while nothing else happens, and while somebody waits for events.
const FOLLOW: Duration = Duration::from_millis(250);
const FOLLOW_WAITING: Duration = Duration::from_millis(50);

/// What a store needs for its journal.
#[derive(Clone)]
pub struct JournalOptions {
    /// Connects to PostgreSQL.
    pub connect: Connect,
    /// Names this process in its entries.
    pub writer: [u8; 16],
    /// The clock of this machine, to be compared with that of PostgreSQL.
    pub clock: Clock,
    /// What is done if the journal has an older schema than this program.
    pub older_schema: OlderSchema,
}

/// Why an entry was not appended.
pub(in crate::store) enum AppendError {
    /// It was not, and the same jobs may run again.
    Again,
    /// It was not, for this reason.
    Refused(Error),
    /// The process ends, and it is unknown.
    Unsettled(Error),
    /// This file and the journal have diverged.
    Diverged(Error),
}

/// The journal on the writer's thread.
pub(in crate::store) struct Journal {
    runtime: Runtime,
    options: JournalOptions,
    session: Option<Session>,
    has_turn: bool,
    position: Position,
    /// The position after the transaction of the file that is open.
    next: Option<Position>,
    /// The texts of statements in the journal.
    texts: HashMap<Digest, String>,
    shared: Arc<Shared>,
    last_asked: Instant,
    /// The fault that the log names last; empty while there is none.
    told: String,
}

impl Journal {
    pub(in crate::store) fn start(options: JournalOptions, position: Position, shared: Arc<Shared>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        Ok(Self {
            runtime,
            options,
            session: None,
            has_turn: false,
            position,
            next: None,
            texts: HashMap::new(),
            shared,
            last_asked: Instant::now(),
            told: String::new(),
        })
    }

    pub(in crate::store) fn has_turn(&self) -> bool {
        self.has_turn
    }

    /// Asks on a session, which is made anew after a fault. The outer error is final.
    fn ask<T>(&mut self, question: impl AsyncFnOnce(&Session) -> Result<T, Fault>) -> Result<Result<T, Fault>> {
        let Self { runtime, session, options, position, .. } = self;
        let answer = runtime.block_on(async {
            let session = match session {
                Some(session) => session,
                None => session.insert(join::reconnect(&options.connect, position).await?),
            };
            question(session).await
        });
        self.last_asked = Instant::now();
        let Err(fault) = &answer else {
            if !self.shared.reachable.swap(true, Relaxed) {
                tracing::info!("the journal in PostgreSQL can be reached again");
                self.told.clear();
            }
            return Ok(answer);
        };
        (self.session, self.has_turn) = (None, false);
        if let Fault::Diverged(why) = fault {
            return Err(self.diverged(why));
        }
        self.shared.reachable.store(false, Relaxed);
        // The session ends for one reason, and another one may keep the next from being made.
        let told = fault.to_string();
        if self.told != told {
            tracing::warn!(error.cause = told, "the journal in PostgreSQL: {told}");
            self.told = told;
        }
        Ok(answer)
    }

    /// Waits for the turn to append, and returns the entries that others have appended since; none if the process ends
    /// before that.
    pub(in crate::store) fn take_turn(&mut self) -> Result<Option<Page>> {
        loop {
            let (seq, asked) = (self.position.seq, self.options.clock.now());
            if let Ok(page) = self.ask(async |session| session.turn(seq).await)? {
                self.has_turn = true;
                let skew =
                    page.taken_at.map_or(0, |at| skew(Timestamp::from_millis(at), asked, self.options.clock.now()));
                self.shared.skew.store(skew, Relaxed);
                return Ok(Some(page));
            }
            if self.shared.closing.load(Relaxed) {
                return Ok(None);
            }
            std::thread::sleep(RETRY);
        }
    }

    /// The entries that others have appended; none if PostgreSQL does not answer.
    pub(in crate::store) fn newer_entries(&mut self) -> Result<Option<Page>> {
        let seq = self.position.seq;
        Ok(self.ask(async |session| session.after(seq).await)?.ok())
    }

    /// The time until entries of others are asked for.
    pub(in crate::store) fn follow_in(&self, now: Instant) -> Duration {
        let pause = if self.shared.waiting.load(Relaxed) > 0 { FOLLOW_WAITING } else { FOLLOW };
        (self.last_asked + pause).saturating_duration_since(now)
    }

    /// Reads entries with their digests, and fetches the texts that they need. None if PostgreSQL does not answer.
    pub(in crate::store) fn read(&mut self, page: &Page) -> Result<Option<Vec<(Entry, Digest)>>> {
        let mut entries = Vec::with_capacity(page.entries.len());
        for Stored { seq, body } in &page.entries {
            let damaged = || self.diverged(&format!("entry {seq} of the journal is damaged, or of a newer program"));
            let entry = Entry::decode(body).ok().filter(|entry| entry.seq == *seq).ok_or_else(damaged)?;
            entries.push((entry, digest_of(body)));
        }
        let mut needed = entries.iter().flat_map(|(entry, _)| &entry.texts);
        if needed.any(|text| !self.texts.contains_key(text)) {
            match self.ask(async |session| session.texts().await)? {
                Ok(texts) => self.texts = texts,
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(entries))
    }

    /// The error after which this file cannot follow the journal.
    fn diverged(&self, why: &str) -> Error {
        // The first reason counts.
        let _ = self.shared.diverged.set(why.to_owned());
        Error::internal(why.to_owned())
    }

    /// Applies the next entry in the transaction that is open.
    pub(in crate::store) fn apply(
        &mut self,
        connection: &Connection,
        entry: &Entry,
        digest: Digest,
        log: &mut RollupLog,
    ) -> Result<()> {
        let before = self.next.unwrap_or(self.position);
        let Some(next) = before.after(entry, digest) else {
            let why = format!(
                "entry {} of the journal does not follow entry {}, where {} stands: start again, so that it joins anew",
                entry.seq,
                before.seq,
                connection.path().unwrap_or_default()
            );
            return Err(self.diverged(&why));
        };
        apply(connection, entry, &self.texts, log).map_err(|e| match e {
            NotApplied::Restored => {
                self.shared.restored.store(true, Relaxed);
                self.diverged(&format!(
                    "a backup has taken the place of all rows, with entry {} of the journal",
                    entry.seq
                ))
            }
            NotApplied::Diverged(why) => self.diverged(&why),
            NotApplied::Storage(e) => e,
        })?;
        self.next = Some(next);
        next.store(connection).map_err(store_error)
    }

    /// Appends an entry in the turn, and ends the turn. The transaction of the file stays open until its fate is known.
    pub(in crate::store) fn append(
        &mut self,
        connection: &Connection,
        entry: &Entry,
        recorder: &Recorder,
    ) -> Result<Vouched, AppendError> {
        let stored = Stored { seq: entry.seq, body: entry.encode() };
        let next = Position { seq: entry.seq, digest: digest_of(&stored.body), ..self.position };
        next.store(connection).map_err(|e| AppendError::Refused(store_error(e)))?;
        self.next = Some(next);
        let new: Vec<_> = entry.texts.iter().filter(|text| !self.texts.contains_key(*text)).copied().collect();
        let texts = recorder.texts(&new);
        let asked = self.ask(async |session| session.append(&stored, &texts).await).map_err(AppendError::Diverged)?;
        self.has_turn = false;
        match asked {
            Ok(vouched) => {
                self.texts.extend(texts);
                Ok(vouched)
            }
            Err(Fault::Lost(_)) => self.settle(&stored),
            Err(Fault::Again(_)) => Err(AppendError::Again),
            Err(Fault::Full(e)) => Err(AppendError::Refused(Error::new(&problem::STORAGE_FULL).caused_by(e))),
            Err(Fault::Refused(e) | Fault::Diverged(e)) => {
                Err(AppendError::Refused(Error::new(&problem::OVERLOADED).caused_by(e)))
            }
        }
    }

    /// Finds out whether an entry was appended whose answer was lost. Taking the turn waits for the session that sent
    /// it.
    fn settle(&mut self, stored: &Stored) -> Result<Vouched, AppendError> {
        tracing::warn!(journal.entry = stored.seq, "the answer to an append was lost: the journal is asked for it");
        loop {
            let asked = self.ask(async |session| {
                let page = session.turn(stored.seq - 1).await?;
                if page.entries.first().is_some_and(|first| first.body == stored.body) {
                    return session.vouch().await.map(Some);
                }
                session.release().await.map(|()| None)
            });
            match asked.map_err(AppendError::Diverged)? {
                Ok(Some(vouched)) => {
                    tracing::info!(journal.entry = stored.seq, "the entry was appended");
                    return Ok(vouched);
                }
                Ok(None) => {
                    tracing::info!(journal.entry = stored.seq, "the entry was not appended: its changes run again");
                    return Err(AppendError::Again);
                }
                Err(fault) if self.shared.closing.load(Relaxed) => {
                    let unknown = Error::new(&problem::OUTCOME_UNKNOWN);
                    return Err(AppendError::Unsettled(unknown.caused_by(fault.to_string())));
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
    }

    /// The transaction of the file is committed.
    pub(in crate::store) fn committed(&mut self) {
        if let Some(next) = self.next.take() {
            self.position = next;
            self.shared.applied.send_replace(next.seq);
        }
    }

    /// The transaction of the file is rolled back.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.next = None;
    }

    /// Ends a turn in which nothing was to be appended, and vouches for what the file shows: a repeated request is
    /// answered with what happened before.
    pub(in crate::store) fn vouch(&mut self) -> Result<Vouched, AppendError> {
        self.has_turn = false;
        match self.ask(async |session| session.vouch().await).map_err(AppendError::Diverged)? {
            Ok(vouched) => Ok(vouched),
            Err(_) => Err(AppendError::Again),
        }
    }

    /// Ends a turn in which nothing was done.
    pub(in crate::store) fn release(&mut self) -> Result<()> {
        if std::mem::take(&mut self.has_turn) {
            // After a fault the session is gone, and the turn with it.
            let _ = self.ask(async |session| session.release().await)?;
        }
        Ok(())
    }

    /// The writer of the next entry, its number, and the digest before it.
    pub(in crate::store) fn next_entry(&self) -> (i64, [u8; 16], Digest) {
        (self.position.seq + 1, self.options.writer, self.position.digest)
    }
}

/// How many milliseconds another clock is ahead of this one, when it showed `theirs` at some moment between `asked` and
/// `answered`: no more than is certain.
fn skew(theirs: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
    theirs.millis() - theirs.millis().clamp(asked.millis(), answered.millis().max(asked.millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_counts_as_wrong_by_no_more_than_is_certain() {
        let at = Timestamp::from_millis;
        assert_eq!(skew(at(1_000), at(900), at(1_100)), 0, "it may be right");
        assert_eq!(skew(at(1_000), at(400), at(600)), 400, "it is ahead");
        assert_eq!(skew(at(1_000), at(1_300), at(1_500)), -300, "it is behind");
        assert_eq!(skew(at(1_000), at(1_300), at(1_200)), -300, "and this one was set back meanwhile");
    }
}
