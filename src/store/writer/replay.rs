//! The writer thread with a journal: its turn, entries of other processes, and the entry of its own transaction.

use super::thread::{BatchError, WriterThread};
use crate::{
    domain::access::Fact,
    error::{Result, problem},
    store::{
        journal::{
            AppendError, Journal, Page, Vouched,
            entry::{Digest, Entry},
        },
        rollups::{COLUMNS, RollupLog},
        sql::store_error,
    },
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// The pause before entries are applied again that did not fit on the disk.
const NO_ROOM: Duration = Duration::from_millis(500);

impl WriterThread {
    /// Takes the turn to append, after what others have appended is applied. False if the process ends before that. A
    /// store without a journal always has its turn.
    pub(super) fn take_turn(&mut self) -> Result<bool> {
        let Some(journal) = self.journal.as_mut().filter(|journal| !journal.has_turn()) else { return Ok(true) };
        let asked = Instant::now();
        let Some(page) = journal.take_turn()? else { return Ok(false) };
        self.gauges.turns.observe_duration(asked.elapsed());
        self.apply_from(page)?;
        // Without its texts, an entry is not applied, and the session has ended.
        Ok(self.journal.as_ref().is_some_and(Journal::has_turn))
    }

    /// Applies what others have appended.
    pub(super) fn follow(&mut self) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if let Some(page) = journal.newer_entries()? {
            self.apply_from(page)?;
        }
        self.wal.after_batch(&self.connection, Instant::now())?;
        self.wal.while_idle(&self.connection, Instant::now())
    }

    /// Applies a page of entries and those that follow it.
    fn apply_from(&mut self, mut page: Page) -> Result<()> {
        loop {
            let may_go_on = page.may_go_on;
            match self.apply(&page) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(e) if e.is(&problem::STORAGE_FULL) => {
                    self.wal.disk_is_full(&self.connection, &e)?;
                    sleep(NO_ROOM);
                    continue;
                }
                // Another process holds the write lock of the file.
                Err(e) if e.is(&problem::STORAGE_BUSY) => continue,
                Err(e) => return Err(e),
            }
            let Some(journal) = self.journal.as_mut().filter(|_| may_go_on) else { return Ok(()) };
            match journal.newer_entries()? {
                Some(more) => page = more,
                None => return Ok(()),
            }
        }
    }

    /// Applies a page of entries in one transaction. False if their texts could not be fetched.
    fn apply(&mut self, page: &Page) -> Result<bool> {
        let Some(journal) = self.journal.as_mut().filter(|_| !page.entries.is_empty()) else { return Ok(true) };
        let Some(entries) = journal.read(page)? else { return Ok(false) };
        let mut log = self.batch.counters().rollup_log;
        self.execute("BEGIN IMMEDIATE")?;
        let applied = self.apply_all(&entries, &mut log).and_then(|()| self.wal.renew_mark(&self.connection));
        let applied = applied.and_then(|()| self.execute("COMMIT"));
        if let Err(e) = applied {
            if let Some(journal) = &mut self.journal {
                journal.rolled_back();
            }
            self.wal.rolled_back();
            if !self.connection.is_autocommit() {
                self.execute("ROLLBACK")?;
            }
            return Err(e);
        }
        self.wal.committed();
        let facts: Vec<Fact> = entries.iter().flat_map(|(entry, _)| entry.facts.iter().cloned()).collect();
        let is_erased = facts.contains(&Fact::DocumentsErased);
        if let Some((last, _)) = entries.last() {
            self.batch.adopt(&self.connection, &last.heads, log)?;
        }
        self.hand_over(vec![])?;
        self.batch.learn(facts);
        // Whoever waits for these entries reads what they have told too.
        if let Some(journal) = &mut self.journal {
            journal.committed();
        }
        if is_erased {
            // What was erased is still in the file until the log is moved there. A log that nothing has noted a commit
            // of is taken for empty.
            let now = Instant::now();
            self.wal.after_batch(&self.connection, now)?;
            self.wal.empty(&self.connection, now)?;
        }
        Ok(true)
    }

    fn apply_all(&mut self, entries: &[(Entry, Digest)], log: &mut RollupLog) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        for (entry, digest) in entries {
            journal.apply(&self.connection, entry, *digest, log)?;
        }
        log.fold_due(&self.connection)
    }

    /// Appends what the jobs have executed to the journal. Without a journal there is nothing to append; if they have
    /// changed nothing, the turn ends.
    pub(super) fn append(&mut self, rollups: Option<[Vec<u8>; COLUMNS]>) -> Result<Vouched, BatchError> {
        let (Some(journal), Some(recorder)) = (&mut self.journal, self.batch.recorder()) else {
            return Ok(Vouched::Yes);
        };
        let (seq, writer, before) = journal.next_entry();
        let appended = match self.batch.entry(seq, writer, before, rollups) {
            None => journal.vouch(),
            Some(entry) => {
                let begun = Instant::now();
                let appended = journal.append(&self.connection, &entry, recorder);
                self.gauges.appends.observe_duration(begun.elapsed());
                appended
            }
        };
        appended.map_err(|e| match e {
            AppendError::Again => BatchError::Again,
            AppendError::Refused(e) => BatchError::RolledBack(e),
            AppendError::Unsettled(e) => BatchError::Unsettled(e),
            AppendError::Diverged(e) => BatchError::Unknown(e),
        })
    }

    /// Ends a turn that was not used.
    pub(super) fn release_turn(&mut self) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::release)
    }

    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(store_error)
    }
}
