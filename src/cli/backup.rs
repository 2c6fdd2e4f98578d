//! `orderd backup`: a verified copy of a database, made beside the server that writes into it, or without one.

use super::{Failure, flags::ConfigFlags, print, progress};
use crate::store::{backup, with_suffix};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// The arguments of `orderd backup`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Where to put the copy; until it is whole and verified it is FILE.partial
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = self.flags.load(vec![])?.config.db.path;
        let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        if let Some(there) = identity(&self.out) {
            if Some(there) == identity(&path) {
                return Err(Failure::usage(format!("{}: is the database itself", self.out.display())));
            }
            if !self.force {
                return Err(Failure::failed(format!("{}: is there already; --force replaces it", self.out.display())));
            }
        }
        let copied = backup::copy(&path, &with_suffix(&self.out, ".partial"), &self.out, &progress::of_copy())?;
        print(format_args!("{}: {} bytes, verified\n", self.out.display(), copied.bytes))
    }
}
