//! `orderd restore`: replaces a database that no server has open with a backup. All sessions end, since sessions in the
//! backup may have been revoked in the meantime. The signing keys stay: they are in a file of their own.

use super::{Failure, flags::ConfigFlags, print, progress, wait_for};
use crate::{
    app::Surroundings,
    auth::Actor,
    config::Config,
    service::backups,
    store::{Commits, Options, Store, restore::Restore, with_suffix},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Ending the sessions may take this long.
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
        let system = Surroundings::system()?;
        let kept = with_suffix(&db.path, &format!(".before-restore-{}", system.clock.now().stamp()));
        let restore = Restore::begin(&db.path, &self.backup, &progress::of_copy())?;
        let ended = end_sessions(restore.copy().to_path_buf(), system)?;
        let replaced = restore.finish(&kept)?;
        if replaced {
            print(format_args!("kept the former database as {}\n", kept.display()))?;
        }
        let (path, source) = (db.path.display(), self.backup.display());
        print(format_args!("restored {path} from {source}; sessions ended: {ended}\n"))
    }
}

/// Opens the copy like a server does, which also upgrades it to the current schema.
fn end_sessions(path: PathBuf, system: Surroundings) -> Result<usize, Failure> {
    let options = Options {
        path: path.clone(),
        commits: Commits::Synced,
        request_timeout: TIME_LIMIT,
        query_budget: TIME_LIMIT,
        threads: 1,
        first_number: 1,
        clock: system.clock,
        ids: Arc::new(system.ids),
    };
    wait_for(async {
        let store = Store::open(&options)?;
        let ended = backups::end_sessions(&store, Actor::system("cli")).await;
        store.close().await;
        ended.map_err(|e| Failure::in_database(&path, e))
    })
}
