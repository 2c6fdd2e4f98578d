//! The command line: one file a command. A new command is its file, a line in [`Command`] and one in [`dispatch`];
//! what a command does to orders, users or the database is not done here.

mod backup;
mod config;
mod demo;
mod doctor;
mod export;
mod flags;
mod healthcheck;
mod import;
mod key;
mod keys;
mod manual;
mod offline;
mod openapi;
mod progress;
mod restore;
mod sbom;
mod serve;
mod supervisor;
mod user;
mod verify;

use crate::{
    api::output::problem,
    app::StartError,
    error::{Category, Error},
    store::{CopyError, OpenError},
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{
    fmt,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

/// Orders, payments and exact analytics in one static binary and one SQLite file.
#[derive(Parser)]
#[command(name = "orderd", version, max_term_width = 100, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 bad usage or configuration; \
    3 the database is newer than this binary, held by another server, or damaged.";

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Arguments),
    /// Make, list, disable users and set their passwords
    #[command(subcommand)]
    User(user::Command),
    /// Fill an empty database with users and orders to try things out on
    Demo(demo::Arguments),
    /// Check that everything in the database is as it was written
    Verify(verify::Arguments),
    /// Write orders to a file; works beside a running server
    Export(export::Arguments),
    /// Read orders from a file, as the import of the API does
    Import(import::Arguments),
    /// Make a verified copy of the database, beside a running server too
    Backup(backup::Arguments),
    /// Put a backup in the place of the database, which is kept; ends all sessions
    Restore(restore::Arguments),
    /// Look at what the database rests on: disk, permissions, clock, limits
    Doctor(doctor::Arguments),
    /// Make and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Look after the keys that sign access tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a server whether it can serve
    Healthcheck(healthcheck::Arguments),
    /// Print the OpenAPI document
    Openapi,
    /// Print what this program is made of, as CycloneDX
    Sbom,
    /// Print a script that completes commands
    Completions(manual::Completions),
    /// Print or write manual pages
    Man(manual::Pages),
}

fn dispatch(command: Command) -> Result<(), Failure> {
    outlive_file_size_limit()?;
    match command {
        Command::Serve(arguments) => arguments.run(),
        Command::User(command) => command.run(),
        Command::Demo(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::Backup(arguments) => arguments.run(),
        Command::Restore(arguments) => arguments.run(),
        Command::Doctor(arguments) => arguments.run(),
        Command::Key(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Export(arguments) => arguments.run(),
        Command::Import(arguments) => arguments.run(),
        Command::Healthcheck(arguments) => arguments.run(),
        Command::Openapi => openapi::run(),
        Command::Sbom => sbom::run(),
        Command::Completions(arguments) => arguments.run(CommandLine::command()),
        Command::Man(arguments) => arguments.run(CommandLine::command()),
    }
}

/// Runs the command that the process was started with. Bad usage, `--help` and `--version` end the process here.
pub fn run() -> ExitCode {
    match dispatch(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With standard error gone too, the exit code is all that is left to say.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// A line for each fault.
    pub message: String,
}

impl Failure {
    /// The work failed (1); `message` names the path and the reason.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The usage or the configuration is bad (2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// The database is newer than this binary, held by another server, or damaged (3).
    pub fn unfit_database(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        match (e.problem().category, e.cause()) {
            (Category::Invalid | Category::Malformed, _) if !e.faults().is_empty() => Self::usage(faults(&e)),
            (_, Some(cause)) => Self::failed(cause.to_string()),
            (_, None) => Self::failed(e.public_detail().unwrap_or(e.problem().title)),
        }
    }
}

/// A line for each fault: what it is about, and what it has to be.
fn faults(e: &Error) -> String {
    let lines =
        e.faults().iter().map(|fault| format!("{} {}", problem::place(fault).trim_start_matches("#/"), fault.detail));
    lines.collect::<Vec<_>>().join("\n")
}

impl From<OpenError> for Failure {
    fn from(e: OpenError) -> Self {
        match e {
            OpenError::Held(_) | OpenError::Newer(..) | OpenError::Damaged(..) => Self::unfit_database(e.to_string()),
            OpenError::Older(..) | OpenError::Denied(..) => Self::failed(e.to_string()),
        }
    }
}

impl From<CopyError> for Failure {
    fn from(e: CopyError) -> Self {
        match e {
            CopyError::Unfit(e) => e.into(),
            CopyError::Full(_) | CopyError::Stopped => Self::failed(e.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(e: StartError) -> Self {
        match e {
            StartError::Database(e) => e.into(),
            StartError::Other(_) => Self::failed(e.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.message.lines().enumerate() {
            write!(f, "{}orderd: {line}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Writes to standard output; a pipe that was closed is a failure, not a panic.
fn print(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_fmt(text).and_then(|()| output.flush());
    written.map_err(|error| Failure::failed(format!("standard output: {error}")))
}

/// Makes a write past the limit on the size of files (`ulimit -f`) fail as one on a full disk does. By default the signal
/// that comes with it ends the process; that anything has handled it once is enough.
fn outlive_file_size_limit() -> Result<(), Failure> {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    wait_for(async { signal(kind).map(drop).map_err(no_signals) })
}

/// Signals cannot be received.
fn no_signals(e: io::Error) -> Failure {
    Failure::failed(format!("signals cannot be received: {e}"))
}

fn runtime(mut builder: Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|e| Failure::failed(format!("the runtime cannot be started: {e}")))
}

/// Does `work` on this thread.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(Builder::new_current_thread())?.block_on(work)
}

/// Refuses to make a database where one was to be found.
fn refuse_absent(database: &Path) -> Result<(), Failure> {
    if database.exists() {
        Ok(())
    } else {
        Err(Failure::failed(format!("{}: there is no such file", database.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_line_of_a_failure_says_whose_it_is() {
        let failure = Failure::usage("one\ntwo");
        assert_eq!((failure.code, failure.to_string().as_str()), (2, "orderd: one\norderd: two"));
    }
}
