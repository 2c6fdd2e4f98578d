//! Bringing a journal to the schema of this program. The step from one version to the next is an entry, the first one
//! for the new version: what comes before it is applied to the tables of the version before, so that every file takes
//! the step at the same place. A server that starts appends it; servers of the version before cannot apply it, and end.
//!
//! Here the current program writes to tables of an older version. So a migration leaves alone what `follow.rs` and
//! [`RollupLog::append_row`] name.

use super::{
    JournalOptions,
    entry::{Digest, Entry, Heads, digest_of},
    follow::{NotApplied, Position, execute, heads},
    join::{JoinError, on_a_thread, patiently, reconnect},
    postgres::{Fault, Page, Session, Stored},
};
use crate::store::{
    OpenError, mark,
    migrate::{self, keep_copy},
    rollups::RollupLog,
    schema::{Migration, latest_version},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{collections::HashMap, fmt, path::Path};

/// What is done about a journal with an older schema than this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderSchema {
    /// It is brought to the current one. Servers of the version before end.
    Upgraded,
    /// It stays as it is, and is not opened.
    Refused,
}

/// Brings the file at `path`, which has version `from` and which `connection` alone writes to, and its journal to the
/// version after all of `migrations`.
///
/// # Errors
/// If a migration fails, or PostgreSQL cannot be reached for half a minute. The file then stands at some entry of the
/// journal.
pub(in crate::store) fn upgrade(
    path: &Path,
    connection: &mut Connection,
    from: i64,
    options: &JournalOptions,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    if from == latest_version(migrations) {
        return Ok(());
    }
    let mut copy = Copy { path, connection, options, migrations };
    let upgraded = on_a_thread(async || patiently(path, async || copy.upgrade().await).await);
    upgraded.unwrap_or_else(|e| Err(OpenError::Denied(path.to_path_buf(), e.to_string())))
}

/// A copy of a journal that has an older schema.
struct Copy<'a> {
    path: &'a Path,
    connection: &'a mut Connection,
    options: &'a JournalOptions,
    migrations: &'a [Migration],
}

impl<'a> Copy<'a> {
    fn failed(&self, e: &dyn fmt::Display) -> JoinError {
        OpenError::Denied(self.path.to_path_buf(), e.to_string()).into()
    }

    fn number(&self, sql: &str) -> Result<i64, JoinError> {
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.failed(&e))
    }

    fn execute(&self, sql: &str) -> Result<(), JoinError> {
        self.connection.execute_batch(sql).map_err(|e| self.failed(&e))
    }

    /// The next migration; none if all have run.
    fn due(&self) -> Result<Option<&'a Migration>, JoinError> {
        let version = self.number("PRAGMA user_version")?;
        Ok(self.migrations.iter().find(|migration| migration.to == version + 1))
    }

    async fn upgrade(&mut self) -> Result<(), JoinError> {
        self.execute("PRAGMA foreign_keys = ON")?;
        let position = Position::load(self.connection).map_err(|e| self.failed(&e))?;
        let mut position = position.ok_or_else(|| self.failed(&"not the copy of a journal"))?;
        let session = reconnect(&self.options.connect, &position).await?;
        while let Some(migration) = self.due()? {
            let page = session.after(position.seq).await?;
            position = if page.entries.is_empty() {
                self.append(&session, &position, migration).await?
            } else {
                self.follow(&page, &session.texts().await?, position, migration).await?
            };
        }
        Ok(())
    }

    /// Applies entries, up to the one that is the step. Returns where the file stands then.
    async fn follow(
        &mut self,
        page: &Page,
        texts: &HashMap<Digest, String>,
        mut position: Position,
        migration: &Migration,
    ) -> Result<Position, JoinError> {
        for Stored { seq, body } in &page.entries {
            let entry = Entry::decode(body).ok().filter(|entry| entry.seq == *seq);
            let next = entry.and_then(|entry| Some((position.after(&entry, digest_of(body))?, entry)));
            let (next, entry) = next.ok_or_else(|| self.failed(&format!("entry {seq} of the journal is damaged")))?;
            if entry.schema == migration.to && entry.statements.count == 0 {
                self.step(migration, &next, async || Ok(())).await?;
                return Ok(next);
            }
            if entry.schema != migration.to - 1 {
                return Err(self.failed(&format!("entry {seq} of the journal is for schema {}", entry.schema)));
            }
            self.apply(&entry, texts, &next)?;
            position = next;
        }
        self.execute("PRAGMA wal_checkpoint(PASSIVE)")?;
        Ok(position)
    }

    /// Applies an entry for the schema that the file has.
    fn apply(&mut self, entry: &Entry, texts: &HashMap<Digest, String>, next: &Position) -> Result<(), JoinError> {
        let path = self.path;
        let failed = |e: rusqlite::Error| JoinError::File(OpenError::Denied(path.to_path_buf(), e.to_string()));
        let begun = Transaction::new(self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(failed)?;
        let mut log = RollupLog::load(&transaction).map_err(failed)?;
        execute(&transaction, entry, texts, &mut log).map_err(|e| {
            let why = match e {
                NotApplied::Restored => "a backup has just taken the place of all rows: start again".to_owned(),
                NotApplied::Diverged(why) => why,
                NotApplied::Storage(e) => e.cause().map_or_else(|| e.to_string(), ToString::to_string),
            };
            JoinError::File(OpenError::Denied(path.to_path_buf(), why))
        })?;
        next.store(&transaction).map_err(failed)?;
        mark::renew(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Appends the step as the next entry, unless another process has appended one, and takes it. Returns where the
    /// file stands then.
    async fn append(
        &mut self,
        session: &Session,
        position: &Position,
        migration: &Migration,
    ) -> Result<Position, JoinError> {
        let from = migration.to - 1;
        if self.options.older_schema == OlderSchema::Refused {
            return Err(OpenError::Older(self.path.to_path_buf(), from).into());
        }
        keep_copy(self.path, from, migration.to).map_err(|e| self.failed(&e))?;
        // Until the step is committed, nobody appends anything.
        session.take_long_turn().await?;
        if !session.after(position.seq).await?.entries.is_empty() {
            session.release().await?;
            return Ok(*position);
        }
        let heads = heads(self.connection, &Heads::default()).map_err(|e| self.failed(&e))?;
        let entry = position.next_entry(migration.to, self.options.writer, heads, vec![]);
        let stored = Stored { seq: entry.seq, body: entry.encode() };
        let next = Position { journal: position.journal, seq: entry.seq, digest: digest_of(&stored.body) };
        // If the answer is lost, the file goes back to where it stood, and the next attempt finds the entry or none.
        self.step(migration, &next, async || session.append(&stored, &[]).await.map(drop)).await?;
        Ok(next)
    }

    /// Runs the migration in a transaction that is committed after `recorded`.
    async fn step(
        &mut self,
        migration: &Migration,
        next: &Position,
        recorded: impl AsyncFnOnce() -> Result<(), Fault>,
    ) -> Result<(), JoinError> {
        let (path, version) = (self.path, migration.to);
        let failed = |e: &dyn fmt::Display| {
            JoinError::File(OpenError::Denied(
                path.to_path_buf(),
                format!("the upgrade to schema {version} failed: {e}"),
            ))
        };
        self.execute("PRAGMA foreign_keys = OFF")?;
        let transaction = migrate::begin(self.connection, migration).map_err(|e| failed(&e))?;
        next.store(&transaction).map_err(|e| failed(&e))?;
        recorded().await?;
        transaction.commit().map_err(|e| failed(&e))?;
        tracing::info!(
            db.path = %path.display(),
            db.schema = version,
            journal.entry = next.seq,
            "upgraded {} to schema {version}, with entry {} of the journal", path.display(), next.seq
        );
        self.execute("PRAGMA foreign_keys = ON")
    }
}

#[cfg(test)]
mod tests;
