//! Applying an entry of another process to this file, and where this file stands.

use super::entry::{Digest, Entry, Heads, Statements};
use crate::{
    domain::access::Fact,
    error::Error,
    store::{rollups::RollupLog, schema::SCHEMA_VERSION, sql::store_error},
};
use rusqlite::{Connection, OptionalExtension, types::ToSqlOutput};
use std::collections::HashMap;

/// Where a file stands in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Position {
    pub(in crate::store) journal: [u8; 16],
    /// The newest entry that the file includes.
    pub(in crate::store) seq: i64,
    /// The digest of that entry.
    pub(in crate::store) digest: Digest,
}

impl Position {
    /// Reads the position of a file; none if it is not the copy of a journal.
    pub(in crate::store) fn load(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let is_there = "SELECT 1 FROM sqlite_schema WHERE name = 'journal_position'";
        if connection.query_row(is_there, [], |_| Ok(())).optional()?.is_none() {
            return Ok(None);
        }
        let sql = "SELECT journal, seq, digest FROM journal_position";
        connection
            .query_row(sql, [], |row| Ok(Self { journal: row.get(0)?, seq: row.get(1)?, digest: row.get(2)? }))
            .optional()
    }

    /// Makes a file the copy of a journal that begins with it.
    pub(in crate::store) fn create(&self, connection: &Connection) -> rusqlite::Result<()> {
        // A table of the journal's own, beside `schema.sql`. A backup of another journal has one.
        connection.execute_batch(
            "DROP TABLE IF EXISTS journal_position;
             CREATE TABLE journal_position (
               one     INTEGER PRIMARY KEY CHECK (one = 1),
               journal BLOB NOT NULL CHECK (length(journal) = 16),
               seq     INTEGER NOT NULL,
               digest  BLOB NOT NULL CHECK (length(digest) = 32)
             ) STRICT",
        )?;
        let sql = "INSERT INTO journal_position (one, journal, seq, digest) VALUES (1, ?1, ?2, ?3)";
        connection.execute(sql, (self.journal, self.seq, self.digest)).map(drop)
    }

    /// The next entry, if it says something about the file as a whole and has no statements.
    pub(super) fn next_entry(&self, schema: i64, writer: [u8; 16], heads: Heads, facts: Vec<Fact>) -> Entry {
        Entry {
            seq: self.seq + 1,
            schema,
            writer,
            before: self.digest,
            heads,
            texts: vec![],
            statements: Statements::default(),
            rollups: None,
            facts,
        }
    }

    /// The position after an entry; none if the entry does not follow this position.
    pub(super) fn after(&self, entry: &Entry, digest: Digest) -> Option<Self> {
        let follows = (entry.seq, entry.before) == (self.seq + 1, self.digest);
        follows.then_some(Self { journal: self.journal, seq: entry.seq, digest })
    }

    /// Stores the position, in the transaction of the entry that leads to it.
    pub(in crate::store) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached("UPDATE journal_position SET seq = ?1, digest = ?2")?;
        update.execute((self.seq, self.digest)).map(drop)
    }
}

/// Why an entry was not applied.
pub(in crate::store) enum NotApplied {
    /// A backup has taken the place of what the file holds.
    Restored,
    /// It does not fit the file.
    Diverged(String),
    /// The file cannot be written.
    Storage(Error),
}

/// Applies an entry for the current schema in the transaction that is open.
///
/// # Errors
/// If it is for another schema, or does not lead to the same heads: then this file and the journal have diverged.
pub(in crate::store) fn apply(
    connection: &Connection,
    entry: &Entry,
    texts: &HashMap<Digest, String>,
    log: &mut RollupLog,
) -> Result<(), NotApplied> {
    if entry.schema != SCHEMA_VERSION {
        return Err(diverged(
            entry,
            &format!(
                "it is for schema {}, and this program has {SCHEMA_VERSION}: install the version of orderd that wrote it",
                entry.schema
            ),
        ));
    }
    execute(connection, entry, texts, log)
}

/// Applies an entry in the transaction that is open, whatever schema it is for.
pub(super) fn execute(
    connection: &Connection,
    entry: &Entry,
    texts: &HashMap<Digest, String>,
    log: &mut RollupLog,
) -> Result<(), NotApplied> {
    if entry.facts.contains(&Fact::Restored) {
        return Err(NotApplied::Restored);
    }
    for statement in entry.statements() {
        let sql = entry.texts.get(statement.text).and_then(|digest| texts.get(digest));
        let sql = sql.ok_or_else(|| diverged(entry, "the text of a statement is missing"))?;
        let execute = || {
            let mut prepared = connection.prepare_cached(sql)?;
            for (index, value) in (1..).zip(&statement.values) {
                prepared.raw_bind_parameter(index, ToSqlOutput::Borrowed(*value))?;
            }
            prepared.raw_execute()
        };
        match execute() {
            Ok(1..) => {}
            Ok(0) => return Err(diverged(entry, &format!("it changes nothing with {sql}"))),
            Err(e) => return Err(failed(entry, e)),
        }
    }
    if let Some(row) = &entry.rollups {
        log.append_row(connection, row).map_err(|e| failed(entry, e))?;
    }
    let found = heads(connection, &entry.heads).map_err(|e| failed(entry, e))?;
    if found != entry.heads {
        return Err(diverged(entry, "it leads to other heads of the history"));
    }
    Ok(())
}

/// The ends of both chains as the file has them; the rest is taken over.
pub(super) fn heads(connection: &Connection, entry: &Heads) -> rusqlite::Result<Heads> {
    let end = |sql: &str| {
        let row = connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok::<(i64, Digest), rusqlite::Error>(row.unwrap_or_default())
    };
    let (event, event_hash) = end("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")?;
    let (audit, audit_hash) = end("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
    Ok(Heads { event, event_hash, audit, audit_hash, ..*entry })
}

/// An error of SQLite that is not this entry's fault, such as a full disk, stays what it is.
fn failed(entry: &Entry, e: rusqlite::Error) -> NotApplied {
    match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation | rusqlite::ErrorCode::Unknown) => {
            diverged(entry, &e.to_string())
        }
        _ => NotApplied::Storage(store_error(e)),
    }
}

fn diverged(entry: &Entry, why: &str) -> NotApplied {
    NotApplied::Diverged(format!("entry {} of the journal does not fit this file: {why}", entry.seq))
}
