//! Replacing all that a journal contains by a file: "all is now this snapshot". An entry says so, after which no
//! process goes on with the rows it has: it ends, and joins anew when it starts again. So nothing of before and after
//! is ever mixed.

use super::{
    JournalOptions, MoveError, Position,
    entry::{Heads, digest_of},
    follow::heads,
    join::PART,
    postgres::{Fault, Origin, Session, Stored},
    snapshot::Copy,
};
use crate::{
    domain::{access::Fact, digest::Running},
    store::{OpenError, connection::READ_WRITE, schema::SCHEMA_VERSION},
};
use rusqlite::Connection;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The turn to append, which is kept until all is replaced. Meanwhile nothing is written, so that nothing is
/// acknowledged that would be lost.
pub struct Replacement {
    options: JournalOptions,
    session: Session,
    newest: i64,
}

impl Replacement {
    /// Takes the turn.
    ///
    /// # Errors
    /// If the journal is empty, or PostgreSQL cannot be reached.
    pub async fn begin(options: &JournalOptions) -> Result<Self, MoveError> {
        super::refuse_empty(options).await?;
        let session = Session::connect(&options.connect).await?;
        session.take_long_turn().await?;
        let newest = session.head().await?;
        Ok(Self { options: options.clone(), session, newest })
    }

    /// The newest entry, which stays the newest one until this is finished or dropped.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// Replaces all by the file at `path`. `former` is a copy of what the journal contains. Returns the number of the
    /// entry that says so.
    ///
    /// # Errors
    /// If the file cannot be read, or PostgreSQL has not taken it. Then all is as it was, unless the error is
    /// [`MoveError::Unknown`].
    pub async fn finish(self, path: &Path, former: &Path) -> Result<i64, MoveError> {
        let Self { options, session, newest } = self;
        let before = position_of(former)?;
        if before.seq != newest {
            return Err(MoveError::Journal(format!(
                "the copy ends at entry {}, and the journal at {newest}",
                before.seq
            )));
        }
        let (entry, copy) = prepared(path, &options, &before)?;
        let Copy { origin, .. } = &copy;
        for part in 0..origin.parts {
            session.put_part(origin.snapshot, part, &copy.part(part)?).await?;
        }
        match session.replace(&entry, origin).await {
            Err(Fault::Lost(why)) => settle(&options, origin, &why).await,
            replaced => Ok(replaced?),
        }?;
        Ok(entry.seq)
    }
}

fn denied(path: &Path, e: &dyn std::fmt::Display) -> MoveError {
    OpenError::Denied(path.to_path_buf(), e.to_string()).into()
}

fn position_of(path: &Path) -> Result<Position, MoveError> {
    let connection = Connection::open_with_flags(path, READ_WRITE).map_err(|e| denied(path, &e))?;
    let position = Position::load(&connection).map_err(|e| denied(path, &e))?;
    position.ok_or_else(|| denied(path, &"not the copy of a journal"))
}

/// Writes into the file that it stands at the entry which replaces all, and returns both.
fn prepared(path: &Path, options: &JournalOptions, before: &Position) -> Result<(Stored, Copy), MoveError> {
    let fault = |e: rusqlite::Error| denied(path, &e);
    let connection = Connection::open_with_flags(path, READ_WRITE).map_err(fault)?;
    let heads = heads(&connection, &Heads::default()).map_err(fault)?;
    let entry = before.next_entry(SCHEMA_VERSION, options.writer, heads, vec![Fact::Restored]);
    let seq = entry.seq;
    let stored = Stored { seq, body: entry.encode() };
    let position = Position { journal: before.journal, seq, digest: digest_of(&stored.body) };
    position.create(&connection).map_err(fault)?;
    // Without a log beside it, the file is all there is.
    connection.pragma_update(None, "journal_mode", "DELETE").map_err(fault)?;
    drop(connection);
    Ok((stored, copy_of(path.to_path_buf(), &position)?))
}

fn copy_of(path: PathBuf, position: &Position) -> Result<Copy, MoveError> {
    let mut file = File::open(&path).map_err(|e| denied(&path, &e))?;
    let (mut digest, mut buffer, mut bytes) = (Running::default(), vec![0; PART], 0);
    loop {
        let count = file.read(&mut buffer).map_err(|e| denied(&path, &e))?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        bytes += count;
    }
    let parts = i64::try_from(bytes.div_ceil(PART)).unwrap_or(i64::MAX);
    let (snapshot, digest) = (position.seq, digest.finish());
    let origin = Origin { id: position.journal, snapshot, parts, digest, restored: snapshot };
    Ok(Copy { file, origin })
}

/// Finds out whether all was replaced, when the answer was lost. Taking the turn waits for the session that has sent
/// it.
async fn settle(options: &JournalOptions, origin: &Origin, why: &str) -> Result<(), MoveError> {
    let unknown = |fault: Fault| {
        MoveError::Unknown(format!(
            "the answer to the last step was lost ({why}), and then: {fault}. `orderd doctor` tells whether the journal ends at \
             entry {}, which it does if all was restored",
            origin.snapshot
        ))
    };
    let session = Session::connect(&options.connect).await.map_err(unknown)?;
    session.take_long_turn().await.map_err(unknown)?;
    let found = session.origin().await.map_err(unknown)?;
    if found.is_some_and(|found| found.digest == origin.digest && found.snapshot >= origin.snapshot) {
        return session.commit_surely().await.map_err(unknown);
    }
    Err(MoveError::Journal(format!("the journal in PostgreSQL: {why}; nothing was changed")))
}
