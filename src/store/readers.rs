//! Reading: a pool of connections that cannot write, look-ups on the caller's thread, and a lane for long queries.

use super::{
    connection::{Options, PATIENCE, READ_ONLY, prepare_reader},
    gauges::Gauges,
    sql::{Columns, failed},
};
use crate::{
    domain::time::Timestamp,
    error::{Error, Result, problem},
    telemetry::logs::Millis,
};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use scheduled_thread_pool::ScheduledThreadPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Long queries at once.
const LANE_WIDTH: usize = 2;
/// How long a query waits for its place in the lane.
const LANE_WAIT: Duration = Duration::from_secs(2);
/// SQLite steps between two looks at the clock in a long query.
const STEPS_BETWEEN_CHECKS: i32 = 1_000;
/// A query slower than this is logged with its name.
const SLOW_QUERY: Duration = Duration::from_millis(250);

/// A consistent snapshot of the file.
pub struct ReadTx<'c> {
    pub(super) connection: &'c Connection,
}

type Pool = r2d2::Pool<SqliteConnectionManager>;

pub(super) struct Readers {
    pool: Pool,
    lane: Arc<Semaphore>,
    budget: Duration,
    gauges: Arc<Gauges>,
}

impl Readers {
    /// Every thread that may read has a connection of its own, so that checking one out never waits.
    pub(super) fn connections(options: &Options) -> usize {
        options.threads + LANE_WIDTH
    }

    pub(super) fn open(options: &Options, gauges: Arc<Gauges>) -> Result<Self, r2d2::Error> {
        let manager = SqliteConnectionManager::file(&options.path);
        let manager = manager.with_flags(READ_ONLY).with_init(|connection| prepare_reader(connection));
        let size = u32::try_from(Self::connections(options)).unwrap_or(u32::MAX);
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(size))
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(PATIENCE)
            .thread_pool(Arc::new(ScheduledThreadPool::new(1)))
            .build(manager)?;
        Ok(Self { pool, lane: Arc::new(Semaphore::new(LANE_WIDTH)), budget: options.query_budget, gauges })
    }

    pub(super) fn read<T>(&self, name: &'static str, work: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        snapshot(&self.pool, &self.gauges, name, work)
    }

    pub(super) async fn scan<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let begun = Instant::now();
        let place = tokio::time::timeout(LANE_WAIT, Arc::clone(&self.lane).acquire_owned()).await;
        self.gauges.scan_waits.observe_duration(begun.elapsed());
        let Ok(Ok(place)) = place else {
            return Err(Error::new(&problem::OVERLOADED).detail("Too many long queries are running."));
        };
        let (pool, budget, gauges) = (self.pool.clone(), self.budget, Arc::clone(&self.gauges));
        let abandoned = Abandoned::default();
        let stop = Arc::clone(&abandoned.0);
        // What is logged there belongs to the same request.
        let span = tracing::Span::current();
        let scan = tokio::task::spawn_blocking(move || {
            let (_place, _in_span) = (place, span.enter());
            let interrupted = |gauges: &Gauges| gauges.interruptions.load(Ordering::Relaxed);
            let (begun, before, counters) = (Instant::now(), interrupted(&gauges), Arc::clone(&gauges));
            let over =
                move || stop.load(Ordering::Relaxed) || begun.elapsed() > budget || interrupted(&counters) != before;
            snapshot(&pool, &gauges, name, |tx| until(tx, over, work))
        });
        scan.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }
}

/// Tells a long query that nobody waits for it any more.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn snapshot<T>(
    pool: &Pool,
    gauges: &Gauges,
    name: &'static str,
    work: impl FnOnce(&ReadTx<'_>) -> Result<T>,
) -> Result<T> {
    let begun = Instant::now();
    let connection = pool.get().map_err(|e| Error::new(&problem::OVERLOADED).caused_by(e))?;
    let connected = Instant::now();
    gauges.read_waits.observe_duration(connected - begun);
    let _going = gauges.reads.begin(connected);
    let outcome =
        Snapshot::of(&connection).map_err(failed).and_then(|snapshot| work(&ReadTx { connection: snapshot.0 }));
    let taken = begun.elapsed();
    if taken > SLOW_QUERY {
        tracing::warn!(
            query.name = name,
            query.duration_ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
            "slow query {name}: {}",
            Millis(taken)
        );
    }
    outcome
}

/// A transaction that only reads. `BEGIN` and `COMMIT` stay prepared: to prepare them anew costs as much as a look-up.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    fn of(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // There is nothing to keep; if this fails, the next BEGIN on the connection says so.
        let _ = self.0.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    }
}

/// Does `work`, and interrupts it once it is `over`.
fn until<T>(
    tx: &ReadTx<'_>,
    over: impl FnMut() -> bool + Send + 'static,
    work: impl FnOnce(&ReadTx<'_>) -> Result<T>,
) -> Result<T> {
    tx.connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(over)).map_err(failed)?;
    let _watched = Watched(tx.connection);
    work(tx)
}

/// A connection whose query may be interrupted; whoever has it next must not be, even after a panic.
struct Watched<'c>(&'c Connection);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // It fails on connections that are not ours alone, and then it could not have been set either.
        let _ = self.0.progress_handler(0, None::<fn() -> bool>);
    }
}

impl ReadTx<'_> {
    /// The rows of a statement that is kept prepared.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.query_map(params, read).and_then(Iterator::collect).map_err(failed)
    }

    /// Shows `visit` each row of a statement that is kept prepared, and keeps none.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.query_map(params, visit).and_then(Iterator::collect).map_err(failed)
    }

    /// The row of a statement that is kept prepared, if there is one.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        super::sql::optional(statement.query_row(params, read))
    }

    /// The first of the rows numbered 1 to `end` − 1 whose instant is `since` or later; `end` if there is none. `instant`
    /// finds the instant of a row by its number. Instants never decrease from one row to the next, so the row is found by
    /// halving, and no index on them is needed.
    pub(super) fn first_since(&self, instant: &str, since: Timestamp, end: i64) -> Result<i64> {
        let (mut low, mut high) = (1, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.row(instant, [middle], |row| Columns::of(row).instant())?;
            if at.is_some_and(|at| at < since) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}
