//! The command line, one file for each command. A new command needs a file, a variant of [`Command`] and a line in
//! [`dispatch`]. Changes to orders, users and the database are not made here but in `service` and `store`.

mod api_key;
mod backup;
mod config;
mod database;
mod demo;
mod doctor;
mod erase;
mod export;
mod flags;
mod healthcheck;
mod import;
mod manual;
mod mirror;
mod r#move;
mod offline;
mod openapi;
mod password;
mod progress;
mod restore;
mod serve;
mod signing_key;
mod supervisor;
mod user;
mod verify;

use crate::{
    accept::Certificate,
    api::output::problem,
    app::StartError,
    config::Config,
    error::{Category, Error},
    store::{CopyError, OpenError, ReadTx, Store, is_damage},
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
    /// Create, list and disable users, and set their passwords
    #[command(subcommand)]
    User(user::Command),
    /// Fill an empty database with example users and orders
    Demo(demo::Arguments),
    /// Check that the database holds exactly what was written to it
    Verify(verify::Arguments),
    /// Export orders to a file; works beside a running server
    Export(export::Arguments),
    /// Import orders from a file, with the rules of the API's import
    Import(import::Arguments),
    /// Keep plain tables in PostgreSQL up to date with the database; works beside a running server
    Mirror(mirror::Arguments),
    /// Move a database file into a journal in PostgreSQL, or a journal into a file
    Move(r#move::Arguments),
    /// Make a verified copy of the database; works beside a running server
    Backup(backup::Arguments),
    /// Replace the database with a backup; keeps the former database and ends all sessions
    Restore(restore::Arguments),
    /// Erase the personal data of an order or a user
    #[command(subcommand)]
    Erase(erase::Command),
    /// Check what the database depends on: disk, permissions, clock, limits
    Doctor(doctor::Arguments),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Manage the keys that sign access tokens
    #[command(subcommand)]
    SigningKey(signing_key::Command),
    /// Check, show or explain the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a server whether it is ready
    Healthcheck(healthcheck::Arguments),
    /// Print the OpenAPI document
    Openapi,
    /// Print a completion script for a shell
    Completions(manual::Completions),
    /// Print or write manual pages
    Man(manual::Pages),
}

fn dispatch(command: Command) -> Result<(), Failure> {
    survive_file_size_limit()?;
    match command {
        Command::Serve(arguments) => arguments.run(),
        Command::User(command) => command.run(),
        Command::Demo(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::Backup(arguments) => arguments.run(),
        Command::Restore(arguments) => arguments.run(),
        Command::Erase(command) => command.run(),
        Command::Doctor(arguments) => arguments.run(),
        Command::ApiKey(command) => command.run(),
        Command::SigningKey(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Export(arguments) => arguments.run(),
        Command::Import(arguments) => arguments.run(),
        Command::Mirror(arguments) => arguments.run(),
        Command::Move(arguments) => arguments.run(),
        Command::Healthcheck(arguments) => arguments.run(),
        Command::Openapi => openapi::run(),
        Command::Completions(arguments) => arguments.run(CommandLine::command()),
        Command::Man(arguments) => arguments.run(CommandLine::command()),
    }
}

/// Runs the command in the process's arguments. Bad usage, `--help` and `--version` end the process here.
pub fn run() -> ExitCode {
    match dispatch(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is closed, the exit code must do.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// The reason why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// One line for each fault.
    pub message: String,
}

impl Failure {
    /// The work failed (exit code 1); `message` names the path and the reason.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The usage or the configuration is bad (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// The database is newer than this binary, held by another server, or damaged (exit code 3).
    pub fn unfit_database(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// The same failure, with what can be done about it.
    fn advising(self, advice: &str) -> Self {
        Self { message: format!("{}; {advice}", self.message), ..self }
    }

    /// Work on the database at `path` failed.
    fn in_database(path: &Path, e: Error) -> Self {
        match e.cause() {
            Some(_) => OpenError::unreadable(path, &e).into(),
            None => e.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        match (e.problem().category, e.cause()) {
            (Category::Invalid | Category::Malformed, _) if !e.faults().is_empty() => Self::usage(faults(&e)),
            (_, Some(cause)) if is_damage(&e) => Self::unfit_database(format!("the database is damaged: {cause}")),
            (_, Some(cause)) => Self::failed(cause.to_string()),
            (_, None) => Self::failed(e.public_detail().unwrap_or(e.problem().title)),
        }
    }
}

/// One line for each fault: the field, and what it must be.
fn faults(e: &Error) -> String {
    let lines =
        e.faults().iter().map(|fault| format!("{} {}", problem::place(fault).trim_start_matches("#/"), fault.detail));
    lines.collect::<Vec<_>>().join("\n")
}

impl From<OpenError> for Failure {
    fn from(e: OpenError) -> Self {
        match e {
            OpenError::InUse(..) | OpenError::Newer(..) | OpenError::Damaged(..) => Self::unfit_database(e.to_string()),
            OpenError::Older(..) | OpenError::Denied(..) => Self::failed(e.to_string()),
        }
    }
}

impl From<CopyError> for Failure {
    fn from(e: CopyError) -> Self {
        match e {
            CopyError::Unusable(e) => e.into(),
            CopyError::DiskFull(_) | CopyError::Cancelled => Self::failed(e.to_string()),
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

/// Writes to standard output. A closed pipe is a failure, not a panic.
fn print(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_fmt(text).and_then(|()| output.flush());
    written.map_err(|error| Failure::failed(format!("standard output: {error}")))
}

/// Makes a write beyond the limit on file sizes (`ulimit -f`) fail like a write to a full disk. By default SIGXFSZ ends
/// the process; a handler that was installed once prevents that for good.
fn survive_file_size_limit() -> Result<(), Failure> {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    wait_for(async { signal(kind).map(drop).map_err(no_signals) })
}

fn no_signals(e: io::Error) -> Failure {
    Failure::failed(format!("signals cannot be received: {e}"))
}

fn runtime(mut builder: Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|e| Failure::failed(format!("the runtime cannot be started: {e}")))
}

/// Runs `work` to its end on this thread.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(Builder::new_current_thread())?.block_on(work)
}

/// Reads the database at `path` in one transaction; works beside a running server.
fn read_database<T>(path: &Path, work: impl FnOnce(&ReadTx<'_>) -> Result<T, Error>) -> Result<T, Failure> {
    Store::inspect(path, work)?.map_err(|e| Failure::in_database(path, e))
}

/// The certificate, if TLS is configured.
fn certificate(config: &Config) -> Result<Option<Certificate>, Failure> {
    let (Some(chain), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else { return Ok(None) };
    Certificate::read(chain, key).map(Some).map_err(|e| Failure::usage(format!("TLS: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_commands_is_valid() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_line_of_a_failure_begins_with_the_program() {
        let failure = Failure::usage("one\ntwo");
        assert_eq!((failure.code, failure.to_string().as_str()), (2, "orderd: one\norderd: two"));
    }
}
