//! `orderd signing-key`: the keys that sign access tokens.

use super::{Failure, flags::ConfigFlags};
use crate::{domain::time::Clock, service::signing_keys};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Sign with a new key from now on; tokens signed before stay valid until they expire. A running server takes the
    /// new key over by itself
    Rotate(ConfigFlags),
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Rotate(flags) = self;
        let config = flags.load(vec![])?.config;
        Ok(signing_keys::rotate(&config.signing_key_file(), Clock::system().now(), config.auth.access_ttl)?)
    }
}
