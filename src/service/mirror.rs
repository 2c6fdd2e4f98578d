//! Keeping a mirror in PostgreSQL: finding out how far it has come, and writing what it lacks, part by part. Each part
//! is one transaction with its position, so that a mirror goes on after any failure where it was.

use crate::{
    config::PostgresServer,
    error::{Error, problem},
    outbound::postgres::{self, Connection, PostgresError},
    store::{
        OpenError, ReadTx, Store,
        mirror::{
            self, Next, Part, Position,
            postgres::{Found, Schema},
        },
        sync_log,
    },
};
use std::{fmt, path::PathBuf, time::Duration};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

/// How sessions are called in `pg_stat_activity`.
const APPLICATION: &str = "orderd mirror";
/// How often the file is asked whether there is more.
const POLL: Duration = Duration::from_millis(500);
/// How long a part may take to be written. After that the server counts as lost.
const PART_TIME: Duration = Duration::from_mins(5);
/// How long to wait for a former process to let go of the mirror: PostgreSQL may still be carrying out its last
/// statement.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(250);
/// The pauses between two attempts to reach the server: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a long filling says how far it is.
const REPORT: Duration = Duration::from_secs(10);

/// A mirror: of which file, where.
pub struct Mirror {
    /// The database file. It is only read, with or without a running server.
    pub database: PathBuf,
    /// The server.
    pub server: PostgresServer,
    /// The schema of the tables.
    pub schema: Schema,
}

/// How to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Where the mirror is.
    Resume,
    /// With empty tables.
    Anew,
}

/// Why a mirror cannot be kept.
#[derive(Debug)]
pub enum MirrorError {
    /// The file cannot be opened.
    Open(OpenError),
    /// The file cannot be read.
    Read(Error),
    /// PostgreSQL cannot be reached, or refuses.
    Postgres(PostgresError),
    /// Another process is writing the mirror.
    Held,
    /// The tables are a mirror of another database.
    OtherDatabase,
    /// The tables were made by another version of this program.
    OtherFormat,
    /// The mirror has what the file does not have.
    OtherHistory,
}

/// A connection that has the mirror for itself.
struct Session {
    client: Connection,
    position: Position,
}

impl Mirror {
    /// Brings the mirror up to date. Returns the number of its last event.
    ///
    /// # Errors
    /// Whatever prevents it, at the first time.
    pub async fn catch_up(&self, beginning: Beginning) -> Result<i64, MirrorError> {
        let mut session = self.open(beginning).await?;
        self.write_all(&mut session).await?;
        Ok(session.position.seq)
    }

    /// Keeps the mirror up to date until something prevents it that waiting does not mend. A server that was reached
    /// once is waited for, whatever the reason.
    pub async fn follow(&self, mut beginning: Beginning) -> MirrorError {
        let (mut pause, mut was_open) = (FIRST_PAUSE, false);
        loop {
            let failure = match self.open(beginning).await {
                Ok(mut session) => {
                    (beginning, pause, was_open) = (Beginning::Resume, FIRST_PAUSE, true);
                    let failure = self.follow_in(&mut session).await;
                    if !failure.is_temporary() {
                        return failure;
                    }
                    failure
                }
                Err(e) if e.is_temporary() || (was_open && matches!(e, MirrorError::Postgres(_))) => e,
                Err(e) => return e,
            };
            tracing::warn!(
                error.cause = %failure,
                retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "the mirror waits: {failure}"
            );
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn follow_in(&self, session: &mut Session) -> MirrorError {
        if let Err(e) = self.write_all(session).await {
            return e;
        }
        tracing::info!(
            mirror.seq = session.position.seq,
            "the mirror is up to date with event {}",
            session.position.seq
        );
        loop {
            sleep(POLL).await;
            if session.client.is_closed() {
                return MirrorError::Postgres(PostgresError::Unreachable(
                    "the server closed the connection".to_owned(),
                ));
            }
            if let Err(e) = self.write_all(session).await {
                return e;
            }
        }
    }

    /// Connects, takes the mirror, and makes it ready.
    async fn open(&self, beginning: Beginning) -> Result<Session, MirrorError> {
        let mut client = postgres::connect(&self.server, APPLICATION).await.map_err(MirrorError::Postgres)?;
        self.take(&client).await?;
        let (database, start) = self.read(|tx| Ok((mirror::database_id(tx)?, mirror::start(tx)?))).await?;
        let (schema, failed) = (&self.schema, |e| MirrorError::Postgres(PostgresError::from(e)));
        let found = mirror::postgres::find(&client, schema, &database).await.map_err(failed)?;
        let position = match (found, beginning) {
            (Found::OtherFormat, _) => return Err(MirrorError::OtherFormat),
            (Found::Nothing, _) => {
                mirror::postgres::create(&mut client, schema, &database, &start).await.map_err(failed)?;
                start
            }
            (Found::Mirror(_) | Found::OtherDatabase, Beginning::Anew) => {
                mirror::postgres::clear(&mut client, schema, &database, &start).await.map_err(failed)?;
                start
            }
            (Found::OtherDatabase, Beginning::Resume) => return Err(MirrorError::OtherDatabase),
            (Found::Mirror(position), Beginning::Resume) => position,
        };
        Ok(Session { client, position })
    }

    async fn take(&self, client: &Connection) -> Result<(), MirrorError> {
        let begun = Instant::now();
        while !mirror::postgres::lock(client, &self.schema).await.map_err(|e| MirrorError::Postgres(e.into()))? {
            if begun.elapsed() > LOCK_PATIENCE {
                return Err(MirrorError::Held);
            }
            sleep(LOCK_RETRY).await;
        }
        Ok(())
    }

    /// Writes all parts that there are. The next part is read while one is written.
    async fn write_all(&self, session: &mut Session) -> Result<(), MirrorError> {
        let mut reported = Instant::now();
        let mut next = self.next(session.position.clone()).await?;
        loop {
            let part = match next {
                Next::Part(part) => part,
                Next::Nothing => return Ok(()),
                Next::OtherHistory => return Err(MirrorError::OtherHistory),
            };
            let (written, following) = tokio::join!(self.write(session, &part), self.next(part.to.clone()));
            written?;
            session.position = part.to;
            if reported.elapsed() > REPORT {
                reported = Instant::now();
                let (seq, last) = (session.position.seq, part.last_seq);
                tracing::info!(mirror.seq = seq, mirror.last_seq = last, "the mirror has {seq} of {last} events");
            }
            next = following?;
        }
    }

    async fn write(&self, session: &mut Session, part: &Part) -> Result<(), MirrorError> {
        let Session { client, position } = session;
        let writing = mirror::postgres::write(client, &self.schema, position, part);
        match timeout(PART_TIME, writing).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MirrorError::Held),
            Ok(Err(e)) => Err(MirrorError::Postgres(e.into())),
            Err(_) => Err(MirrorError::Postgres(PostgresError::Unreachable("the server does not answer".to_owned()))),
        }
    }

    async fn next(&self, from: Position) -> Result<Next, MirrorError> {
        self.read(move |tx| mirror::next(tx, &from)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, MirrorError> {
        let path = self.database.clone();
        let read = move || {
            let read = Store::inspect(&path, work);
            // What a power failure takes from the file must not be in the mirror.
            sync_log(&path).map_err(Error::internal).map(|()| read)
        };
        let read = spawn_blocking(read).await.map_err(|e| MirrorError::Read(Error::internal(e)))?;
        read.map_err(MirrorError::Read)?.map_err(MirrorError::Open)?.map_err(MirrorError::Read)
    }
}

impl MirrorError {
    /// Whether waiting may mend it.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Postgres(e) => e.is_temporary(),
            Self::Open(e) => matches!(e, OpenError::InUse(..)),
            Self::Read(e) => e.is(&problem::OVERLOADED),
            Self::Held => true,
            Self::OtherDatabase | Self::OtherFormat | Self::OtherHistory => false,
        }
    }
}

impl fmt::Display for MirrorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(e) => e.fmt(f),
            Self::Read(e) => match e.cause() {
                Some(cause) => write!(f, "{cause}"),
                None => f.write_str(e.public_detail().unwrap_or(e.problem().title)),
            },
            Self::Postgres(e) => write!(f, "PostgreSQL: {e}"),
            Self::Held => f.write_str("another process is writing this mirror; stop it, or choose another --schema"),
            Self::OtherDatabase => f.write_str(
                "the schema has the mirror of another database; choose another --schema, or fill it anew with --rebuild",
            ),
            Self::OtherFormat => f.write_str(
                "the schema has a mirror made by another version of orderd; use that version, choose another --schema, or \
                 drop the schema so that it is made again",
            ),
            Self::OtherHistory => f.write_str(
                "the mirror has events that the database does not have, which was replaced by an older copy; fill the mirror \
                 anew with --rebuild",
            ),
        }
    }
}

impl std::error::Error for MirrorError {}
