//! Flags that several commands share. Their values are handed to the configuration as text and checked there, so that
//! all faults are reported together.

use super::Failure;
use crate::{
    config::{self, Flag, Loaded, Sources},
    domain::time::Timestamp,
};
use clap::Args;
use std::path::PathBuf;

/// The longest name of a user or key, in characters.
const MAX_NAME: usize = 255;

/// The flags of every command that reads the configuration.
#[derive(Args)]
pub(super) struct ConfigFlags {
    /// TOML file to read [default: orderd.toml, or else /etc/orderd/orderd.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database file, or the URL of a journal in PostgreSQL
    #[arg(long, value_name = "FILE|postgres://…")]
    db: Option<String>,
    /// Set any configuration key; takes precedence over everything else (repeatable)
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl ConfigFlags {
    /// Loads the configuration from defaults, file, environment, the command's own `flags` and these flags; later ones
    /// take precedence.
    pub(super) fn load(self, mut flags: Vec<Flag>) -> Result<Loaded, Failure> {
        let environment = config::environment().map_err(Failure::usage)?;
        flags.extend(self.db.map(|place| {
            let key = if config::is_postgres_url(&place) { "db.url" } else { "db.path" };
            Flag::new("--db", key, &place)
        }));
        flags.extend(self.set.iter().map(|(key, value)| Flag::new("--set", key, value)));
        let sources = Sources { file: config::find_file(self.config), environment, flags };
        config::load(sources).map_err(|faults| Failure::usage(faults.join("\n")))
    }
}

/// The flags of `serve` that set configuration keys.
#[derive(Args)]
pub(super) struct ServerFlags {
    #[command(flatten)]
    shared: ConfigFlags,
    /// Address and port to listen on, or a Unix socket; port 0 picks a free port
    #[arg(long, value_name = "ADDR:PORT|unix:PATH")]
    listen: Option<String>,
    /// Allow plain HTTP from other machines without a proxy in front
    #[arg(long)]
    allow_plain_http: bool,
    /// What an acknowledged write survives: a power cut (full) or only a crash of the process (normal)
    #[arg(long, value_name = "full|normal")]
    durability: Option<String>,
    /// Format of log lines
    #[arg(long, value_name = "json|pretty")]
    log_format: Option<String>,
    /// Least severe log lines to write
    #[arg(long, value_name = "error|warn|info|debug|trace")]
    log_level: Option<String>,
}

impl ServerFlags {
    /// Loads the configuration from defaults, file, environment and these flags; later ones take precedence.
    pub(super) fn load(self) -> Result<Loaded, Failure> {
        let flags = [
            ("--listen", "server.listen", self.listen),
            ("--allow-plain-http", "server.allow_plain_http", self.allow_plain_http.then(|| "true".to_owned())),
            ("--durability", "db.durability", self.durability),
            ("--log-format", "log.format", self.log_format),
            ("--log-level", "log.level", self.log_level),
        ];
        let given = flags.into_iter().filter_map(|(name, key, value)| Some(Flag::new(name, key, &value?)));
        self.shared.load(given.collect())
    }
}

/// Splits `NAME=VALUE` at the first `=`.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be a name, =, and a value")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// The name of a user or key: on one line, and as long as the API takes it.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_name = (1..=MAX_NAME).contains(&text.chars().count()) && !text.trim().is_empty();
    if is_name && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("must have 1 to {MAX_NAME} characters, all on one line"))
}

/// Parses a time as the API does.
pub(super) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("must be a time such as 2027-01-01T00:00:00Z")
}
