//! `orderd config`: says whether the configuration is valid, and where each part of it comes from.

use super::{Failure, flags::ServerFlags, print};
use crate::config::Loaded;
use std::fmt::Write;

/// What to do with the configuration; both take the flags of `serve`, so that they see what it would see.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Find every fault in the configuration
    Check(ServerFlags),
    /// Print every setting and its origin, as TOML; secrets stay hidden
    Show(ServerFlags),
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(flags) => flags.load().and_then(|_| print(format_args!("configuration is valid\n"))),
            Self::Show(flags) => flags.load().and_then(|loaded| print(format_args!("{}", listing(&loaded)))),
        }
    }
}

/// A TOML file that gives the same configuration again.
fn listing(loaded: &Loaded) -> String {
    let mut text = String::new();
    for setting in &loaded.settings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} = {}  # {}", setting.key, setting.value, setting.origin);
    }
    if let Some(email) = &loaded.bootstrap.email {
        let _ = writeln!(text, "# ORDERD_ADMIN_EMAIL={email:?}");
    }
    if let Some(password) = &loaded.bootstrap.password {
        let _ = writeln!(text, "# ORDERD_ADMIN_PASSWORD={password:?}");
    }
    text
}
