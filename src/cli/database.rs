//! The database of a command: the file of the configuration or, if that names a journal in PostgreSQL, a temporary copy
//! of the journal. So a command works on any machine that reaches PostgreSQL, and beside servers.

use super::{Failure, no_signals, serve::stop_signal, wait_for};
use crate::{
    app::journal,
    config::Config,
    domain::{id::Ids, time::Clock},
    store::{
        Commits, Options,
        journal::{JournalOptions, TemporaryFolder, copy_into_file, refuse_empty},
    },
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// The time limit of what is read on the way.
const TIME_LIMIT: Duration = Duration::from_hours(24);

/// A database that a command reads.
pub(super) struct Database {
    path: PathBuf,
    journal: Option<JournalOptions>,
    /// Deleted with this.
    _folder: Option<TemporaryFolder>,
}

impl Database {
    /// The database of the configuration as it is at this moment.
    pub(super) fn to_read(config: &Config) -> Result<Self, Failure> {
        let (database, copied) = Self::try_to_read(config)?;
        copied.map(|()| database)
    }

    /// [`Self::to_read`], and whether a copy could be made of a journal.
    pub(super) fn try_to_read(config: &Config) -> Result<(Self, Result<(), Failure>), Failure> {
        let Some(journal) = journal::of(config)? else {
            return Ok((Self { path: config.db.path.clone(), journal: None, _folder: None }, Ok(())));
        };
        let folder = temporary_folder(&config.db.path)?;
        let options = following(folder.file(), journal.clone());
        let copied = wait_for(async { copy_into_file(&options).await.map_err(Failure::from) });
        Ok((Self { path: folder.file(), journal: Some(journal), _folder: Some(folder) }, copied))
    }

    /// The file to read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The journal that the file is a copy of.
    pub(super) fn journal(&self) -> Option<&JournalOptions> {
        self.journal.as_ref()
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.journal {
            Some(_) => f.write_str("the journal in PostgreSQL"),
            None => self.path.display().fmt(f),
        }
    }
}

/// Lets a command change a journal as a server does, by a temporary copy that is deleted with the result.
pub(super) fn join_for_a_moment(config: &mut Config) -> Result<Option<TemporaryFolder>, Failure> {
    if config.db.url.is_none() {
        return Ok(None);
    }
    let folder = temporary_folder(&config.db.path)?;
    // The keys are where those of a server are.
    config.auth.signing_key_file = Some(config.signing_key_file());
    config.db.path = folder.file();
    Ok(Some(folder))
}

/// Fails if there is no database, where the command must not create one.
pub(super) fn refuse_absent(config: &Config) -> Result<(), Failure> {
    if let Some(journal) = journal::of(config)? {
        return wait_for(async { refuse_empty(&journal).await.map_err(Failure::from) });
    }
    if config.db.path.exists() {
        Ok(())
    } else {
        Err(Failure::failed(format!("{}: there is no such file", config.db.path.display())))
    }
}

/// [`refuse_absent`]; and fails without the keys of the servers on the journal, where the command must not make others.
pub(super) fn refuse_unchangeable(config: &Config) -> Result<(), Failure> {
    refuse_absent(config)?;
    let keys = config.signing_key_file();
    if config.db.url.is_none() || keys.exists() { Ok(()) } else { Err(no_keys(&keys)) }
}

fn no_keys(file: &Path) -> Failure {
    Failure::failed(format!(
        "{}: there is no such file, and the servers on the journal have one; copy it from one of them, or name it with \
         `--set auth.signing_key_file=FILE`",
        file.display()
    ))
}

/// The options of a file that follows the journal.
pub(super) fn following(path: PathBuf, journal: JournalOptions) -> Options {
    Options {
        path,
        commits: Commits::Written,
        request_timeout: TIME_LIMIT,
        query_budget: TIME_LIMIT,
        threads: 1,
        first_number: 1,
        clock: Clock::system(),
        ids: Arc::new(Ids::seeded(0)),
        journal: Some(journal),
    }
}

/// A folder that is deleted with the result, and when a signal ends the command.
pub(super) fn temporary_folder(beside: &Path) -> Result<TemporaryFolder, Failure> {
    let folder = TemporaryFolder::beside(beside)?;
    let path = folder.path().to_path_buf();
    let (listening, is_listening) = mpsc::channel();
    thread::spawn(move || {
        let stopped: Result<(), Failure> = wait_for(async {
            let stop = stop_signal().map_err(no_signals)?;
            // The command may be over.
            let _ = listening.send(());
            let code = if stop.await == "SIGINT" { 130 } else { 143 };
            // The next command deletes what is written meanwhile.
            let _ = std::fs::remove_dir_all(&path);
            std::process::exit(code)
        });
        drop(stopped);
    });
    // Without signals the next command deletes the folder.
    let _ = is_listening.recv();
    Ok(folder)
}
