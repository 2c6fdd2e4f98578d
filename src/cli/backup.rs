//! `orderd backup`: makes a verified copy of a database, with or without a running server.

use super::{Failure, database::Database, flags::ConfigFlags, print, progress};
use crate::store::{backup, with_suffix};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// File to write; it is called FILE.partial until it is complete and verified
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        if let Some(existing) = identity(&self.out) {
            if Some(existing) == identity(&config.db.path) {
                return Err(Failure::usage(format!("{}: this is the database itself", self.out.display())));
            }
            if !self.force {
                return Err(Failure::failed(format!("{}: exists already; --force replaces it", self.out.display())));
            }
        }
        let database = Database::to_read(&config)?;
        let copied =
            backup::copy(database.path(), &with_suffix(&self.out, ".partial"), &self.out, &progress::of_copy())?;
        print(format_args!("{}: {} bytes, verified\n", self.out.display(), copied.bytes))
    }
}
