//! Joining: a process without a file of this journal begins the journal if it is empty, or else fetches the newest
//! snapshot. A file whose newest entries the journal lacks is set aside, and nothing of it is merged.

use super::{
    JournalOptions,
    entry::digest_of,
    follow::Position,
    postgres::{Connect, Fault, Origin, Promises, Session},
};
use crate::{
    domain::digest::{Running, sha256_of},
    error::{Error, Result},
    store::{
        connection::{Commits, READ_ONLY},
        files::{lock, lock_file, open_private, sync_folder, with_suffix},
        open_error::OpenError,
        owned_file::open_exclusively,
        schema::MIGRATIONS,
    },
};
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

/// The bytes of a part of a snapshot.
pub(super) const PART: usize = 1024 * 1024;
/// How long a process that starts waits for PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(250);

/// Whether a journal has what a file has.
enum Comparison {
    Continues,
    /// It lacks some of it, for this reason.
    Diverged(String),
}

async fn compare(session: &Session, position: &Position) -> Result<Comparison, Fault> {
    let diverged = |why: String| Ok(Comparison::Diverged(why));
    let Some(origin) = session.origin().await? else { return diverged("the journal is empty".to_owned()) };
    if origin.id != position.journal {
        return diverged("the file belongs to another journal".to_owned());
    }
    match session.entry(position.seq).await? {
        Some(body) if digest_of(&body) == position.digest => return Ok(Comparison::Continues),
        Some(_) => return diverged(format!("the journal has another entry {}", position.seq)),
        // The entry has been pruned, or the file is as the journal began.
        None if position.seq <= origin.snapshot => return Ok(Comparison::Continues),
        None => {}
    }
    let head = session.head().await?;
    diverged(format!("the file includes entry {}, and the journal ends at entry {head}", position.seq))
}

/// Makes a session, and finds out whether the journal still has what the file has: after a fail-over to a standby that
/// lagged behind, or a restored backup, it may not.
pub(super) async fn reconnect(connect: &Connect, position: &Position) -> Result<Session, Fault> {
    let session = Session::connect(connect).await?;
    match compare(&session, position).await? {
        Comparison::Continues => Ok(session),
        Comparison::Diverged(why) => Err(Fault::Diverged(format!("{why}: start again, so that it joins anew"))),
    }
}

/// Makes the file at `path` a copy of the journal, if it is not one. Returns the number of the newest entry.
///
/// # Errors
/// If PostgreSQL cannot be reached for half a minute or cannot keep what `commits` promise, or the file is something
/// else.
pub(in crate::store) fn join(path: &Path, options: &JournalOptions, commits: Commits) -> Result<i64, OpenError> {
    let joining = async || {
        // One process at a time changes the file and the files beside it.
        let _lock = lock(path)?;
        patiently(path, async || try_join(path, options, commits).await).await
    };
    on_a_thread(joining).unwrap_or_else(|e| Err(OpenError::Denied(path.to_path_buf(), e.to_string())))
}

/// Runs `work` on a thread with a runtime of its own: a runtime cannot wait for another one on the same thread.
pub(super) fn on_a_thread<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let run = || Builder::new_current_thread().enable_all().build().map(|runtime| runtime.block_on(work()));
        scope.spawn(run).join().unwrap_or_else(|_| Err(io::Error::other("a thread of the journal has ended")))
    })
}

/// Refuses signing keys that are not those of the other processes: tokens of one would be worth nothing at another.
pub(super) fn refuse_other_keys(options: &JournalOptions, keys: &str) -> Result<()> {
    let asking = async || Session::connect(&options.connect).await?.other_keys(keys).await;
    let asked = on_a_thread(asking).map_err(Error::internal)?;
    match asked.map_err(|fault| Error::internal(fault.to_string()))? {
        None => Ok(()),
        Some(other) => Err(Error::internal(format!(
            "another process on the journal has the signing keys {other}, and this one has {keys}: give all of them the \
             same file, `auth.signing_key_file`"
        ))),
    }
}

/// Tries something again and again while PostgreSQL cannot be reached, for half a minute.
pub(super) async fn patiently<T>(
    path: &Path,
    mut attempt: impl AsyncFnMut() -> Result<T, JoinError>,
) -> Result<T, OpenError> {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(JoinError::File(e)) => return Err(e),
            Err(JoinError::Journal(fault)) if begun.elapsed() > PATIENCE => {
                return Err(OpenError::Denied(path.to_path_buf(), format!("the journal in PostgreSQL: {fault}")));
            }
            Err(JoinError::Journal(fault)) => {
                tracing::warn!(error.cause = %fault, "the journal in PostgreSQL cannot be used yet: {fault}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Why a file could not be brought up to date with a journal.
pub(super) enum JoinError {
    File(OpenError),
    Journal(Fault),
}

impl From<Fault> for JoinError {
    fn from(fault: Fault) -> Self {
        Self::Journal(fault)
    }
}

impl From<OpenError> for JoinError {
    fn from(e: OpenError) -> Self {
        Self::File(e)
    }
}

async fn try_join(path: &Path, options: &JournalOptions, commits: Commits) -> Result<i64, JoinError> {
    let session = Session::connect(&options.connect).await?;
    if commits == Commits::Synced {
        refuse_unsafe(path, &session.promises().await?)?;
    }
    session.prepare().await?;
    let position = position_of(path)?;
    match (session.origin().await?, position) {
        (None, position) => {
            if position.is_some() {
                set_aside(path, "the journal is empty: the file holds what the journal has lost")?;
            }
            begin(path, &session, options).await?;
        }
        (Some(origin), Some(position)) => {
            let first = session.after(position.seq).await?.entries.into_iter().next();
            let gap = first.is_some_and(|next| next.seq != position.seq + 1);
            match compare(&session, &position).await? {
                // After a restore, all that the file holds is of before.
                Comparison::Continues if !gap && position.seq >= origin.restored => {}
                Comparison::Continues => remove(path)?,
                Comparison::Diverged(why) => {
                    set_aside(path, &format!("{why}: the file holds what the journal has lost"))?;
                }
            }
        }
        (Some(_), None) => {}
    }
    if !path.exists() {
        let origin = session.origin().await?.ok_or_else(|| Fault::Refused("the journal is empty".to_owned()))?;
        fetch(path, &session, &origin).await?;
    }
    Ok(session.head().await?)
}

/// Refuses a server that may lose in a crash what it has answered.
fn refuse_unsafe(path: &Path, promises: &Promises) -> Result<(), OpenError> {
    if let Some(why) = promises.broken() {
        let reason = format!("PostgreSQL has {why}. Change that, or accept it with `db.durability=normal`");
        return Err(OpenError::Denied(path.to_path_buf(), reason));
    }
    if !promises.has_second_machine() {
        tracing::warn!(
            "PostgreSQL waits for no standby (synchronous_standby_names): what is acknowledged is on one machine, and lost \
             with its disk"
        );
    }
    Ok(())
}

/// Where the file at `path` stands; none if there is no file.
fn position_of(path: &Path) -> Result<Option<Position>, OpenError> {
    let denied = |e: rusqlite::Error| OpenError::Denied(path.to_path_buf(), e.to_string());
    match fs::metadata(path) {
        Err(_) => return Ok(None),
        // The process died before it wrote anything.
        Ok(file) if file.len() == 0 => return remove(path).map(|()| None),
        Ok(_) => {}
    }
    let position = Connection::open_with_flags(path, READ_ONLY).and_then(|connection| Position::load(&connection));
    let reason = "not the copy of a journal; `db.copy` names a file that the server makes itself";
    match position {
        Ok(Some(position)) => Ok(Some(position)),
        // The journal has all that it had.
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            set_aside(path, "the file is damaged").map(|()| None)
        }
        Err(e) if e.sqlite_error_code() != Some(ErrorCode::NotADatabase) => Err(denied(e)),
        _ => Err(OpenError::Denied(path.to_path_buf(), reason.to_owned())),
    }
}

/// Begins the journal with a new file.
async fn begin(path: &Path, session: &Session, options: &JournalOptions) -> Result<(), JoinError> {
    let fault = |e: &dyn std::fmt::Display| OpenError::Denied(path.to_path_buf(), e.to_string());
    let made = with_suffix(path, ".new");
    remove(&made)?;
    let file = open_exclusively(&made, Commits::Synced, MIGRATIONS)?;
    let position = Position { journal: options.writer, seq: 0, digest: [0; 32] };
    position.create(&file.connection).map_err(|e| fault(&e))?;
    // Without a log beside it, the file is all there is.
    file.connection.pragma_update(None, "journal_mode", "DELETE").map_err(|e| fault(&e))?;
    drop(file);
    let bytes = fs::read(&made).map_err(|e| fault(&e))?;
    remove(&made)?;
    fs::remove_file(lock_file(&made)).map_err(|e| fault(&e))?;
    let parts: Vec<_> = bytes.chunks(PART).collect();
    let digest = sha256_of(&bytes);
    let count = i64::try_from(parts.len()).map_err(|e| fault(&e))?;
    let origin = Origin { id: options.writer, snapshot: 0, parts: count, digest, restored: 0 };
    if session.begin_journal(&origin).await? {
        for (number, part) in (0..).zip(&parts) {
            session.put_part(origin.snapshot, number, part).await?;
        }
        session.commit().await?;
        tracing::info!("the journal in PostgreSQL was empty and begins here");
    }
    Ok(())
}

/// Fetches a snapshot, checks it, and gives it the name of the file.
async fn fetch(path: &Path, session: &Session, origin: &Origin) -> Result<(), JoinError> {
    let fault = |e: &dyn std::fmt::Display| JoinError::File(OpenError::Denied(path.to_path_buf(), e.to_string()));
    let partial = with_suffix(path, ".joining");
    remove(&partial)?;
    let mut file = open_private(&partial, OpenOptions::new().write(true).create_new(true)).map_err(|e| fault(&e))?;
    let mut digest = Running::default();
    for part in 0..origin.parts {
        let body = session.part(origin.snapshot, part).await?;
        let body = body.ok_or_else(|| Fault::Lost("a newer snapshot has taken the place of this one".to_owned()))?;
        digest.update(&body);
        file.write_all(&body).map_err(|e| fault(&e))?;
    }
    if digest.finish() != origin.digest {
        return Err(fault(&"the snapshot in the journal is damaged"));
    }
    file.sync_all()
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| sync_folder(path))
        .map_err(|e| fault(&e))?;
    tracing::info!(journal.entry = origin.snapshot, "fetched the snapshot at entry {}", origin.snapshot);
    Ok(())
}

/// The files of a database: its log, its index, and itself as the last one.
fn files(path: &Path) -> [PathBuf; 3] {
    [with_suffix(path, "-wal"), with_suffix(path, "-shm"), path.to_path_buf()]
}

pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    for file in files(path) {
        match fs::remove_file(&file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(OpenError::Denied(file, e.to_string())),
            _ => {}
        }
    }
    Ok(())
}

/// Renames a file that the journal has diverged from, so that it can be looked into.
fn set_aside(path: &Path, why: &str) -> Result<(), OpenError> {
    let denied = |e: io::Error| OpenError::Denied(path.to_path_buf(), e.to_string());
    let mut number = 1;
    let mut aside = with_suffix(path, ".aside-1");
    while aside.exists() {
        number += 1;
        aside = with_suffix(path, &format!(".aside-{number}"));
    }
    for (from, to) in files(path).iter().zip(files(&aside)) {
        match fs::rename(from, to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(denied(e)),
            _ => {}
        }
    }
    sync_folder(path).map_err(denied)?;
    tracing::error!(
        db.aside = %aside.display(),
        "{}: {why}. It is kept as {}, and nothing of it is merged",
        path.display(),
        aside.display()
    );
    Ok(())
}
