//! `orderd restore`: replaces a database that no server has open, or all that a journal contains, with a backup. All
//! sessions end, since sessions in the backup may have been revoked in the meantime. The signing keys stay: they are in
//! a file of their own.

use super::{
    Failure,
    database::{following, temporary_folder},
    flags::ConfigFlags,
    print, progress, read_database, wait_for,
};
use crate::{
    app::{Surroundings, journal},
    auth::Actor,
    config::Config,
    service::{backups, erasure},
    store::{
        Commits, Options, Store, audit, erasures,
        journal::{JournalOptions, MoveError, Replacement},
        restore::Restore,
        sync_folder, with_suffix,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Ending the sessions and erasing may take this long.
const TIME_LIMIT: Duration = Duration::from_mins(10);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Backup file
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        let system = Surroundings::system()?;
        let kept = with_suffix(&config.db.path, &format!(".before-restore-{}", system.clock.now().stamp()));
        let (place, changes) = match journal::of(&config)? {
            None => (config.db.path.display().to_string(), into_file(&config.db.path, &self.backup, &kept, system)?),
            Some(journal) => {
                let place = "the journal in PostgreSQL".to_owned();
                (place, into_journal(&journal, &config, &self.backup, &kept, system)?)
            }
        };
        let (Changes { ended, erased }, source) = (changes, self.backup.display());
        print(format_args!("restored {place} from {source}; sessions ended: {ended}; erased again: {erased}\n"))
    }
}

fn into_file(path: &Path, backup: &Path, kept: &Path, system: Surroundings) -> Result<Changes, Failure> {
    let restore = Restore::begin(path, backup, &progress::of_copy())?;
    let changes = wait_for(change(restore.copy(), erasures::read(path)?, system))?;
    if restore.finish(kept)? {
        print(format_args!("kept the former database as {}\n", kept.display()))?;
    }
    Ok(changes)
}

/// Blocks all writers before it copies the journal: `kept` has every change that was acknowledged, and every erasure is
/// repeated.
fn into_journal(
    journal: &JournalOptions,
    config: &Config,
    backup: &Path,
    kept: &Path,
    system: Surroundings,
) -> Result<Changes, Failure> {
    let folder = temporary_folder(&config.db.path)?;
    let (former, restored) = (folder.file(), folder.path().join("restored.db"));
    let restore = Restore::begin(&restored, backup, &progress::of_copy())?;
    let (changes, entry) = wait_for(async {
        let store = Store::open(&following(former.clone(), journal.clone()))?;
        let replacement = Replacement::begin(journal).await?;
        let complete = store.current().await;
        store.close().await;
        drop(store);
        complete?;
        let erased = read_database(&former, audit::erased)?;
        let changes = change(restore.copy(), erased, system).await?;
        // Before anything is replaced: a signal deletes the temporary folder, and this may soon be the only copy.
        keep(&former, kept)?;
        match replacement.finish(restore.copy(), kept).await {
            Ok(entry) => Ok((changes, entry)),
            Err(MoveError::Unknown(e)) => {
                Err(Failure::failed(format!("{e}. What it contained before is kept as {}", kept.display())))
            }
            Err(e) => {
                // Nothing was replaced: the journal still has all that this copy has.
                let _ = fs::remove_file(kept);
                Err(e.into())
            }
        }
    })?;
    print(format_args!("kept the former database as {}\n", kept.display()))?;
    print(format_args!(
        "every server on the journal stops at entry {entry}; start each again, and it loads what was restored\n"
    ))?;
    Ok(changes)
}

/// Gives the former database the name that it keeps.
fn keep(former: &Path, kept: &Path) -> Result<(), Failure> {
    let renamed = fs::rename(former, kept).and_then(|()| sync_folder(kept));
    renamed.map_err(|e| Failure::failed(format!("{}: {e}; nothing was restored", kept.display())))
}

/// What was changed in the copy.
struct Changes {
    ended: usize,
    erased: usize,
}

/// Ends all sessions in the restored copy at `path`, and repeats the erasures that were made after the backup. The copy
/// is opened as a server opens it, so it is also upgraded to the current schema.
async fn change(path: &Path, erased: Vec<String>, system: Surroundings) -> Result<Changes, Failure> {
    let options = Options {
        path: path.to_path_buf(),
        commits: Commits::Synced,
        request_timeout: TIME_LIMIT,
        query_budget: TIME_LIMIT,
        threads: 1,
        first_number: 1,
        clock: system.clock,
        ids: Arc::new(system.ids),
        journal: None,
    };
    let store = Store::open(&options)?;
    let changed = async {
        let ended = backups::end_sessions(&store, Actor::system("cli")).await?;
        let erased = erasure::repeat(&store, Actor::system("cli"), erased).await?;
        Ok(Changes { ended, erased })
    };
    let changed = changed.await;
    store.close().await;
    changed.map_err(|e| Failure::in_database(path, e))
}
