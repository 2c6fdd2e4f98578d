//! `orderd mirror`: keeps plain tables in PostgreSQL, for programs that analyse or show data. It only reads the
//! database, with or without a running server.

use super::{
    Failure,
    database::{following, refuse_absent},
    flags::ConfigFlags,
    no_signals, print,
    serve::stop_signal,
    wait_for,
};
use crate::{
    app::journal,
    config::{PostgresCredentials, PostgresServer},
    domain::time::Clock,
    service::mirror::{Beginning, Mirror, MirrorError},
    store::{Store, journal::TemporaryFolder, mirror::postgres::Schema},
    telemetry::logs,
};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Server and database to write to, such as `postgres://user@host/database?sslmode=verify-full`. Other users of
    /// this machine can see arguments, so give the password in PGPASSWORD or a file
    #[arg(long, value_name = "URL")]
    to: String,
    /// File with the password [default: PGPASSWORD, or ~/.pgpass]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Schema of the tables; it is created if it does not exist
    #[arg(long, value_name = "NAME", default_value = "orderd")]
    schema: String,
    /// End when the mirror is up to date, instead of following the database until a signal comes
    #[arg(long)]
    once: bool,
    /// Empty the tables first, and fill them anew
    #[arg(long)]
    rebuild: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        let credentials = PostgresCredentials::read(self.password_file.as_deref()).map_err(Failure::usage)?;
        let server = PostgresServer::parse(&self.to, &credentials);
        let schema = Schema::parse(&self.schema).ok_or_else(|| {
            Failure::usage(
                "--schema: must be 1 to 63 lower-case letters, digits and underscores, and not begin with pg_",
            )
        })?;
        let server = server.map_err(|fault| Failure::usage(format!("--to: {fault}")))?;
        refuse_absent(&config)?;
        logs::start(config.log.format, config.log.level, Clock::system(), None);
        let journal = journal::of(&config)?;
        let folder = journal.as_ref().map(|_| TemporaryFolder::beside(&config.db.path)).transpose()?;
        let database = folder.as_ref().map_or(config.db.path, TemporaryFolder::file);
        let followed = journal.map(|journal| following(database.clone(), journal));
        let mirror = Mirror { database, server, schema };
        let beginning = if self.rebuild { Beginning::Anew } else { Beginning::Resume };
        wait_for(async {
            let stop = stop_signal().map_err(no_signals)?;
            // As long as it is open, it follows the journal.
            let store = followed.map(|options| Store::open(&options)).transpose()?;
            let outcome = tokio::select! {
                name = stop => {
                    // A transaction that is under way is rolled back: it is written again when the mirror goes on.
                    tracing::info!(signal = name, "stopped");
                    Ok(())
                }
                outcome = keep(&mirror, beginning, self.once) => outcome,
                () = failed(store.as_ref()) => Err(Failure::failed("the copy of the journal cannot go on")),
            };
            if let Some(store) = store {
                store.close().await;
            }
            outcome
        })
    }
}

/// Resolves when the copy of a journal cannot follow it.
async fn failed(store: Option<&Store>) {
    match store {
        Some(store) => store.failed().await,
        None => std::future::pending().await,
    }
}

async fn keep(mirror: &Mirror, beginning: Beginning, once: bool) -> Result<(), Failure> {
    if !once {
        return Err(failure(&mirror.database, mirror.follow(beginning).await));
    }
    let seq = mirror.catch_up(beginning).await.map_err(|e| failure(&mirror.database, e))?;
    print(format_args!("the mirror is up to date with event {seq}\n"))
}

fn failure(database: &Path, e: MirrorError) -> Failure {
    match e {
        MirrorError::Open(e) => e.into(),
        MirrorError::Read(e) => Failure::in_database(database, e),
        MirrorError::Postgres(_) => Failure::failed(e.to_string()),
        MirrorError::Held | MirrorError::OtherDatabase | MirrorError::OtherFormat | MirrorError::OtherHistory => {
            Failure::unfit_database(e.to_string())
        }
    }
}
