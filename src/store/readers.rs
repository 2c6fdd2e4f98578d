//! Readers: a pool of connections that cannot write. Short reads run on the caller's thread; scans run on threads of
//! their own, few at a time and each with a time limit.

use super::{
    connection::{BUSY_TIMEOUT, READ_ONLY, prepare_reader},
    gauges::Gauges,
    options::Options,
    sql::{Columns, store_error},
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

/// The most scans that run at the same time.
const MAX_SCANS: usize = 2;
/// How long a scan waits for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Steps of SQLite's virtual machine between two checks whether a scan has to stop.
const STEPS_BETWEEN_CHECKS: i32 = 1_000;
/// A read that takes longer than this is logged.
const SLOW_QUERY: Duration = Duration::from_millis(250);

/// A consistent snapshot of the file.
pub struct ReadTx<'c> {
    pub(super) connection: &'c Connection,
}

type Pool = r2d2::Pool<SqliteConnectionManager>;

pub(super) struct Readers {
    pool: Pool,
    permits: Arc<Semaphore>,
    scan_limit: Duration,
    gauges: Arc<Gauges>,
}

impl Readers {
    /// The size of the pool: one connection for each thread that may read, so that getting one never waits.
    pub(super) fn connections(options: &Options) -> usize {
        options.threads + MAX_SCANS
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
            .connection_timeout(BUSY_TIMEOUT)
            .thread_pool(Arc::new(ScheduledThreadPool::new(1)))
            .build(manager)?;
        Ok(Self { pool, permits: Arc::new(Semaphore::new(MAX_SCANS)), scan_limit: options.query_budget, gauges })
    }

    pub(super) fn read<T>(&self, name: &'static str, work: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        snapshot(&self.pool, &self.gauges, name, work)
    }

    pub(super) async fn scan<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let started = Instant::now();
        let permit = tokio::time::timeout(PERMIT_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await;
        self.gauges.scan_waits.observe_duration(started.elapsed());
        let Ok(Ok(permit)) = permit else {
            return Err(Error::new(&problem::OVERLOADED).detail("Too many long queries are running."));
        };
        let (pool, limit, gauges) = (self.pool.clone(), self.scan_limit, Arc::clone(&self.gauges));
        let cancel = CancelOnDrop::default();
        let cancelled = Arc::clone(&cancel.0);
        // Log lines of the scan belong to the caller's request.
        let span = tracing::Span::current();
        let scan = tokio::task::spawn_blocking(move || {
            let (_permit, _in_span) = (permit, span.enter());
            let interruptions = |gauges: &Gauges| gauges.interruptions.load(Ordering::Relaxed);
            let (started, before, counters) = (Instant::now(), interruptions(&gauges), Arc::clone(&gauges));
            let must_stop = move || {
                cancelled.load(Ordering::Relaxed) || started.elapsed() > limit || interruptions(&counters) != before
            };
            snapshot(&pool, &gauges, name, |tx| with_interrupt(tx, must_stop, work))
        });
        scan.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }
}

/// Stops a scan when its caller's future is dropped.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
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
    let started = Instant::now();
    let connection = pool.get().map_err(|e| Error::new(&problem::OVERLOADED).caused_by(e))?;
    let connected = Instant::now();
    gauges.read_waits.observe_duration(connected - started);
    let _in_flight = gauges.reads.start(connected);
    let outcome =
        Snapshot::of(&connection).map_err(store_error).and_then(|snapshot| work(&ReadTx { connection: snapshot.0 }));
    let taken = started.elapsed();
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

/// A read transaction. `BEGIN` and `COMMIT` are cached statements: preparing them each time would cost as much as a
/// look-up.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    fn of(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written. If this fails, the next BEGIN on the connection fails too.
        let _ = self.0.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    }
}

/// Runs `work`, and interrupts its statements once `must_stop` returns true.
fn with_interrupt<T>(
    tx: &ReadTx<'_>,
    must_stop: impl FnMut() -> bool + Send + 'static,
    work: impl FnOnce(&ReadTx<'_>) -> Result<T>,
) -> Result<T> {
    tx.connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(must_stop)).map_err(store_error)?;
    let _remove_when_dropped = ProgressHandler(tx.connection);
    work(tx)
}

/// Removes the progress handler of a pooled connection when dropped, also after a panic.
struct ProgressHandler<'c>(&'c Connection);

impl Drop for ProgressHandler<'_> {
    fn drop(&mut self) {
        // This fails only on connections on which the handler could not be set either.
        let _ = self.0.progress_handler(0, None::<fn() -> bool>);
    }
}

impl ReadTx<'_> {
    /// The rows of a cached statement.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        statement.query_map(params, read).and_then(Iterator::collect).map_err(store_error)
    }

    /// Calls `visit` with each row of a cached statement.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        statement.query_map(params, visit).and_then(Iterator::collect).map_err(store_error)
    }

    /// The first row of a cached statement, if there is one.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        super::sql::optional(statement.query_row(params, read))
    }

    /// The first of the rows numbered 1 to `end` − 1 whose time is `since` or later; `end` if there is none. The
    /// statement `time_of_row` selects the time of a row by its number. Times never decrease from row to row, so this
    /// is a binary search that needs no index on times.
    pub(super) fn first_since(&self, time_of_row: &str, since: Timestamp, end: i64) -> Result<i64> {
        let (mut low, mut high) = (1, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.row(time_of_row, [middle], |row| Columns::of(row).instant())?;
            if at.is_some_and(|at| at < since) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}
