//! `orderd config`: checks the configuration, shows where each value comes from, and explains every key.

use super::{Failure, certificate, flags::ServerFlags, print};
use crate::config::{Key, Loaded, reference};
use std::fmt::Write;

/// `check` and `show` take the flags of `serve`, so that they see the same configuration.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Report every fault in the configuration and in the files of the TLS certificate
    Check(ServerFlags),
    /// Print every value and where it comes from, as TOML; secrets stay hidden
    Show(ServerFlags),
    /// Explain every key: its purpose, the values it takes, and its default
    Keys,
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(flags) => {
                certificate(&flags.load()?.config)?;
                print(format_args!("configuration is valid\n"))
            }
            Self::Show(flags) => flags.load().and_then(|loaded| print(format_args!("{}", listing(&loaded)))),
            Self::Keys => print(format_args!("{}", explanation())),
        }
    }
}

/// One paragraph for each key.
fn explanation() -> String {
    let keys = reference().into_iter().flat_map(|section| section.keys);
    let paragraphs = keys.map(|Key { name, variable, takes, default, meaning }| {
        format!("{name} ({variable})\n  {meaning}\n  {takes}; default {default}\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// A TOML file that gives the same configuration.
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
