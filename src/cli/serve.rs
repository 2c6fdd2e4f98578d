//! `orderd serve`: runs the server.

use super::{Failure, flags::ServerFlags};
use crate::config::Loaded;

/// The arguments of `orderd serve`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ServerFlags,
    /// Fill an empty database with users and orders to try things out on
    #[arg(long)]
    demo: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        run(self.flags.load()?, self.demo)
    }
}

/// Runs the server until it is told to stop.
fn run(loaded: Loaded, demo: bool) -> Result<(), Failure> {
    let Loaded { config, .. } = loaded;
    Err(Failure::failed(format!("cannot serve {} (demo: {demo})", config.db.path.display())))
}
