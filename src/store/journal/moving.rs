//! Moving a file into an empty journal, and a journal into a file. Either way nothing of the source changes, and what
//! has arrived is compared with what was sent.

use super::{
    JournalOptions, Position,
    copy::{copy_into_file, refuse_empty},
    join::PART,
    postgres::{Fault, Origin, Session},
    snapshot::Copy,
};
use crate::{
    domain::digest::Running,
    store::{
        CopyError, Options,
        backup::{self, OnProgress},
        files::{lock, with_suffix},
    },
};
use rusqlite::Connection;
use std::{fmt, path::Path};

/// Why a database could not be moved, or copied from a journal.
#[derive(Debug)]
pub enum MoveError {
    /// The file, or a copy of it.
    File(CopyError),
    /// The journal, for this reason.
    Journal(String),
    /// Whether the last step has happened is not known, for this reason.
    Unknown(String),
}

impl From<CopyError> for MoveError {
    fn from(e: CopyError) -> Self {
        Self::File(e)
    }
}

impl From<crate::store::OpenError> for MoveError {
    fn from(e: crate::store::OpenError) -> Self {
        Self::File(e.into())
    }
}

impl From<Fault> for MoveError {
    fn from(fault: Fault) -> Self {
        Self::Journal(format!("the journal in PostgreSQL: {fault}"))
    }
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(e) => e.fmt(f),
            Self::Journal(e) | Self::Unknown(e) => f.write_str(e),
        }
    }
}

/// Begins an empty journal with a verified copy of the file at `source`, which no server may have open. Returns its
/// bytes. It can be repeated until it succeeds: nothing is in the journal before all of it is.
pub async fn move_in(source: &Path, options: &JournalOptions, progress: &OnProgress) -> Result<u64, MoveError> {
    let _lock = lock(source)?;
    let session = Session::connect(&options.connect).await?;
    session.prepare().await?;
    if session.origin().await?.is_some() {
        return Err(not_empty());
    }
    let change =
        |connection: &Connection| Position { journal: options.writer, seq: 0, digest: [0; 32] }.create(connection);
    let copy = backup::changed_copy(source, &with_suffix(source, ".moving"), progress, change)?;
    let parts = i64::try_from(copy.bytes.div_ceil(PART as u64)).unwrap_or(i64::MAX);
    let origin = Origin { id: options.writer, snapshot: 0, parts, digest: copy.digest, restored: 0 };
    let moved = Copy { file: copy.file, origin };
    if !session.begin_journal(&moved.origin).await? {
        return Err(not_empty());
    }
    for part in 0..parts {
        session.put_part(0, part, &moved.part(part)?).await?;
    }
    let session = match session.commit_surely().await {
        Err(Fault::Lost(why)) => settle(options, &moved.origin, &why).await?,
        committed => committed.map(|()| session)?,
    };
    read_back(&session, &moved.origin).await?;
    Ok(copy.bytes)
}

/// Finds out whether the journal has begun, when the answer was lost. To begin one waits for the session that has done
/// so before. Returns a session that works.
async fn settle(options: &JournalOptions, origin: &Origin, why: &str) -> Result<Session, MoveError> {
    let unknown = |fault: Fault| {
        MoveError::Unknown(format!(
            "the answer to the last step was lost ({why}), and then: {fault}. Repeat the command: if it says that the journal \
             is not empty, all has arrived, and `orderd verify` with the URL checks it"
        ))
    };
    let session = Session::connect(&options.connect).await.map_err(unknown)?;
    if session.begin_journal(origin).await.map_err(unknown)? {
        session.release().await.map_err(unknown)?;
        return Err(MoveError::Journal(format!("the journal in PostgreSQL: {why}; nothing was changed")));
    }
    let found = session.origin().await.map_err(unknown)?;
    if found.is_none_or(|found| found.id != origin.id) {
        return Err(not_empty());
    }
    // A commit that is sure of the standby makes sure of those before it.
    session.take_long_turn().await.map_err(unknown)?;
    session.commit_surely().await.map_err(unknown)?;
    Ok(session)
}

fn not_empty() -> MoveError {
    MoveError::Journal("the journal is not empty: a file can only begin one".to_owned())
}

/// Compares what has arrived with what was sent.
async fn read_back(session: &Session, origin: &Origin) -> Result<(), MoveError> {
    let mut digest = Running::default();
    for part in 0..origin.parts {
        digest.update(&session.part(origin.snapshot, part).await?.unwrap_or_default());
    }
    if digest.finish() == origin.digest {
        return Ok(());
    }
    Err(MoveError::Journal("what PostgreSQL returns is not what it was given".to_owned()))
}

/// Writes all that a journal contains into a new file at `target`. No process may be on the journal: what it would
/// still acknowledge would be missing. `options` open the file `<target>.moving`. Returns the bytes of the file.
pub async fn move_out(target: &Path, options: &Options, progress: &OnProgress) -> Result<u64, MoveError> {
    if target.exists() {
        return Err(MoveError::Journal(format!("{}: exists already", target.display())));
    }
    let journal = options.journal.as_ref().ok_or_else(|| MoveError::Journal("there is no journal".to_owned()))?;
    refuse_empty(journal).await?;
    let session = Session::connect(&journal.connect).await?;
    let members = session.members().await?;
    if members > 0 {
        return Err(MoveError::Journal(format!("processes that are on the journal: {members}; stop them first")));
    }
    copy_into_file(options).await?;
    let change = |connection: &Connection| connection.execute_batch("DROP TABLE journal_position");
    let copied = backup::copy_with(&options.path, &with_suffix(target, ".partial"), target, progress, change)?;
    super::join::remove(&options.path)?;
    // The lock that the store had.
    let _ = std::fs::remove_file(with_suffix(&options.path, ".lock"));
    Ok(copied.bytes)
}
