//! `orderd restore`: replaces a database that no server has open with a backup. All sessions end, since sessions in the
//! backup may have been revoked in the meantime. The signing keys stay: they are in a file of their own.

use super::{Failure, flags::ConfigFlags, print, progress, wait_for};
use crate::{
    app::Surroundings,
    auth::Actor,
    config::Config,
    service::{backups, erasure},
    store::{Commits, Options, Store, restore::Restore, with_suffix},
};
use std::{
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
        let Config { db, .. } = self.flags.load(vec![])?.config;
        if db.url.is_some() {
            return Err(Failure::usage(
                "`restore` works on a file and not on a journal in PostgreSQL: give `--db FILE`",
            ));
        }
        let system = Surroundings::system()?;
        let kept = with_suffix(&db.path, &format!(".before-restore-{}", system.clock.now().stamp()));
        let restore = Restore::begin(&db.path, &self.backup, &progress::of_copy())?;
        let Changes { ended, erased } = change(restore.copy().to_path_buf(), &db.path, system)?;
        let replaced = restore.finish(&kept)?;
        if replaced {
            print(format_args!("kept the former database as {}\n", kept.display()))?;
        }
        let (path, source) = (db.path.display(), self.backup.display());
        print(format_args!("restored {path} from {source}; sessions ended: {ended}; erased again: {erased}\n"))
    }
}

/// What was changed in the copy.
struct Changes {
    ended: usize,
    erased: usize,
}

/// Ends all sessions in the restored copy, and repeats the erasures that were made in the `former` database after the
/// backup. The copy is opened as a server opens it, so it is also upgraded to the current schema.
fn change(path: PathBuf, former: &Path, system: Surroundings) -> Result<Changes, Failure> {
    let options = Options {
        path: path.clone(),
        commits: Commits::Synced,
        request_timeout: TIME_LIMIT,
        query_budget: TIME_LIMIT,
        threads: 1,
        first_number: 1,
        clock: system.clock,
        ids: Arc::new(system.ids),
        journal: None,
    };
    wait_for(async {
        let store = Store::open(&options)?;
        let changed = async {
            let ended = backups::end_sessions(&store, Actor::system("cli")).await?;
            let erased = erasure::repeat(&store, Actor::system("cli"), former).await?;
            Ok(Changes { ended, erased })
        };
        let changed = changed.await;
        store.close().await;
        changed.map_err(|e| Failure::in_database(&path, e))
    })
}
