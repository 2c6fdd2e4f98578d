//! The syncer without a writer: who syncs, in which order transactions are released, and what follows a failure.

use super::*;
use crate::{
    error::problem,
    store::{gauges::Gauges, schema::SCHEMA},
};
use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::{Context, Poll, Waker},
};
use tokio::sync::watch;

/// A writer without jobs.
struct Writer {
    connection: Connection,
    syncer: Syncer,
    synced: Arc<Synced>,
    after: Counters,
    done: Arc<Mutex<Vec<u32>>>,
    has_failed: Arc<AtomicBool>,
}

impl Writer {
    /// Its log is at `log`.
    fn new(log: &Path) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let publisher = Publisher { gauges: Arc::new(Gauges::new(1)), newest_event: watch::Sender::new(0) };
        let (synced, has_failed) = (Arc::<Synced>::default(), Arc::<AtomicBool>::default());
        let failing = Arc::clone(&has_failed);
        let fail = move || failing.store(true, SeqCst);
        let syncer = Syncer::start(log, Arc::clone(&synced), publisher, Weak::new(), fail).unwrap();
        let after = Counters::load(&connection).unwrap();
        Self { connection, syncer, synced, after, done: Arc::default(), has_failed }
    }

    /// Has measured that syncs take this long.
    fn measure(&self, taken: Duration) {
        self.syncer.shared.waiting().average = taken;
        self.syncer.choose(&self.connection).unwrap();
    }

    /// Ends a transaction, with an effect that is numbered.
    fn end(&self, number: u32) -> Result<()> {
        let done = Arc::clone(&self.done);
        self.syncer.hand_over(vec![], vec![Box::new(move || done.lock().unwrap().push(number))], &self.after)
    }

    fn commit(&self, number: u32) -> Result<()> {
        self.syncer.wait_for_thread()?;
        self.syncer.begin_commit();
        self.end(number)
    }

    fn synchronous(&self) -> i64 {
        self.connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()
    }

    fn may_be_shown(&self) -> Poll<Result<()>> {
        pin!(self.synced.wait()).poll(&mut Context::from_waker(Waker::noop()))
    }
}

fn log(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let log = folder.path().join("log");
    std::fs::write(&log, "a log").unwrap();
    log
}

#[test]
fn slow_syncs_are_beside_the_writer_until_they_are_fast() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new(&log(&folder));
    let (full, normal) = (2, 1);
    for (taken, synchronous) in [(900, full), (2_000, normal), (900, normal), (300, full), (900, full)] {
        writer.measure(Duration::from_micros(taken));
        assert_eq!(writer.synchronous(), synchronous, "{taken}");
    }
}

#[test]
fn transactions_are_released_in_their_order_whoever_syncs_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(&log(&folder));
    for number in 0..600 {
        writer.measure(if number / 20 % 2 == 0 { SLOW_SYNC * 2 } else { FAST_SYNC / 2 });
        // Every third one has changed nothing.
        if number % 3 == 0 { writer.end(number).unwrap() } else { writer.commit(number).unwrap() }
    }
    writer.syncer.finish(&writer.connection).unwrap();
    assert_eq!(*writer.done.lock().unwrap(), (0..600).collect::<Vec<_>>());
    assert_eq!(writer.synchronous(), 2, "what follows is synced by SQLite");
    assert!(matches!(writer.may_be_shown(), Poll::Ready(Ok(()))));
}

#[test]
fn a_commit_that_was_rolled_back_holds_no_reader_back() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new(&log(&folder));
    writer.measure(SLOW_SYNC * 2);
    writer.syncer.begin_commit();
    assert!(writer.may_be_shown().is_pending());
    writer.syncer.rolled_back().unwrap();
    assert!(matches!(writer.may_be_shown(), Poll::Ready(Ok(()))));
}

#[test]
fn nothing_that_could_not_be_synced_is_done_or_shown() {
    // The system refuses to sync it.
    let writer = Writer::new(Path::new("/dev/null"));
    writer.measure(SLOW_SYNC * 2);
    writer.end(0).unwrap();
    while writer.done.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    writer.syncer.begin_commit();
    assert!(writer.may_be_shown().is_pending());
    writer.end(1).unwrap();
    assert!(writer.syncer.settle().unwrap_err().is(&problem::OUTCOME_UNKNOWN));
    assert!(writer.end(2).unwrap_err().is(&problem::OUTCOME_UNKNOWN));
    assert!(matches!(writer.may_be_shown(), Poll::Ready(Err(e)) if e.is(&problem::DRAINING)));
    assert_eq!(*writer.done.lock().unwrap(), [0], "the first has changed nothing");
    while !writer.has_failed.load(SeqCst) {
        std::thread::yield_now();
    }
}
