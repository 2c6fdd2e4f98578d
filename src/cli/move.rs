//! `orderd move`: moves a file into a journal in PostgreSQL, or a journal into a file. The source stays as it is.

use super::{Failure, database::following, print, progress, wait_for};
use crate::{
    app::journal,
    config::{PostgresCredentials, PostgresServer, is_postgres_url},
    store::{
        journal::{JournalOptions, MoveError, move_in, move_out},
        with_suffix,
    },
};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to move: a database file, or the URL of a journal in PostgreSQL
    #[arg(long, value_name = "FILE|postgres://…")]
    from: String,
    /// Destination: the URL of an empty journal, or a file that does not exist yet
    #[arg(long, value_name = "postgres://…|FILE")]
    to: String,
    /// File with the password for PostgreSQL [default: PGPASSWORD, or ~/.pgpass]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        match (is_postgres_url(&self.from), is_postgres_url(&self.to)) {
            (false, true) => {
                let journal = self.journal("--to", &self.to)?;
                let source = PathBuf::from(&self.from);
                let moving = async { move_in(&source, &journal, &progress::of_copy()).await.map_err(Failure::from) };
                let bytes = wait_for(moving)?;
                print(format_args!("{}: {bytes} bytes, verified, are in the journal\n", source.display()))
            }
            (true, false) => {
                let target = PathBuf::from(&self.to);
                let options = following(with_suffix(&target, ".moving"), self.journal("--from", &self.from)?);
                let moving = async { move_out(&target, &options, &progress::of_copy()).await.map_err(Failure::from) };
                let bytes = wait_for(moving)?;
                print(format_args!("{}: {bytes} bytes, verified\n", target.display()))
            }
            _ => Err(Failure::usage(
                "one of --from and --to must be a file, and the other the URL of a journal, such as \
                 postgres://orderd@db.example/orderd",
            )),
        }
    }

    fn journal(&self, flag: &str, url: &str) -> Result<JournalOptions, Failure> {
        let credentials = PostgresCredentials::read(self.password_file.as_deref()).map_err(Failure::usage)?;
        let server = PostgresServer::parse(url, &credentials);
        let server = server.map_err(|fault| Failure::usage(format!("{flag}: {fault}")))?;
        journal::at(server).map_err(|e| Failure::failed(e.to_string()))
    }
}

impl From<MoveError> for Failure {
    fn from(e: MoveError) -> Self {
        match e {
            MoveError::File(e) => e.into(),
            MoveError::Journal(e) | MoveError::Unknown(e) => Self::failed(e),
        }
    }
}
