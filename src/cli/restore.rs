//! `orderd restore`: puts a backup in the place of a database that no server has open. All sessions end, since whoever
//! was logged in when the backup was made need not be now; the signing keys, in their own file, stay.

use super::{Failure, flags::ConfigFlags, print, progress, wait_for};
use crate::{
    app::Surroundings,
    auth::Actor,
    config::Config,
    service::backups,
    store::{Commits, Options, Store, restore::Restore, with_suffix},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// How long ending the sessions may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// The arguments of `orderd restore`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// The backup
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
        let was_there = restore.finish(&kept)?;
        if was_there {
            print(format_args!("kept the former database as {}\n", kept.display()))?;
        }
        let (path, source) = (db.path.display(), self.backup.display());
        print(format_args!("restored {path} from {source}; sessions ended: {ended}\n"))
    }
}

/// Opens the copy as a server would, which also brings it to the present schema.
fn end_sessions(path: PathBuf, system: Surroundings) -> Result<usize, Failure> {
    let options = Options {
        path,
        commits: Commits::Synced,
        request_timeout: PATIENCE,
        query_budget: PATIENCE,
        threads: 1,
        clock: system.clock,
        ids: Arc::new(system.ids),
    };
    wait_for(async {
        let store = Store::open(&options)?;
        let ended = backups::end_sessions(&store, Actor::system("cli")).await;
        store.close().await;
        Ok(ended?)
    })
}
