//! The writer as its callers see it: a job that fails or panics affects no other, and a failure after which memory or
//! disk cannot be trusted stops the writer.

use crate::{
    domain::{
        audit::AuditFilter,
        id::Ids,
        time::{Clock, Timestamp},
    },
    error::{Error, Result, problem},
    store::{
        Commits, Options, Store, WriteTx,
        audit::{self, NewEntry},
    },
};
use futures_util::future::join_all;
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::sync::Notify;

fn options(folder: &Path, commits: Commits, clock: Clock) -> Options {
    Options {
        path: folder.join("a.db"),
        commits,
        request_timeout: Duration::from_secs(10),
        query_budget: Duration::from_secs(10),
        threads: 1,
        first_number: 1,
        clock,
        ids: Arc::new(Ids::seeded(1)),
        journal: None,
    }
}

fn append(tx: &WriteTx<'_>, actor: &str) -> Result<()> {
    audit::append(tx, NewEntry::of(actor, "test"))
}

fn trail(store: &Store) -> Vec<(String, Timestamp)> {
    let mut entries = store.read_blocking("test", |tx| audit::page(tx, &AuditFilter::default(), None, 100)).unwrap();
    entries.reverse();
    entries.into_iter().map(|(entry, _)| (entry.what.actor, entry.occurred_at)).collect()
}

#[tokio::test]
async fn a_job_that_panics_or_fails_is_undone_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path(), Commits::Synced, Clock::system())).unwrap();
    // The others queue up while the writer is busy, so they share a transaction.
    let busy = store.write("busy", |_| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    });
    let good = |name: &'static str| store.write("good", move |tx| append(tx, name));
    let panics = store.write("panics", |tx| {
        append(tx, "panics")?;
        panic!("as a test")
    });
    let fails = store.write("fails", |tx| {
        append(tx, "fails")?;
        Err::<(), _>(Error::absent())
    });
    let (_, first, panicked, second, refused, third) =
        tokio::join!(busy, good("first"), panics, good("second"), fails, good("third"));
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    let panicked: Result<()> = panicked;
    assert!(panicked.unwrap_err().is(&problem::INTERNAL) && refused.unwrap_err().is(&problem::NOT_FOUND));
    let kept: Vec<_> = trail(&store).into_iter().map(|(actor, _)| actor).collect();
    assert_eq!(kept, ["first", "second", "third"]);
    assert!(!store.has_failed());
    assert_eq!(store.gauges().queued.load(Relaxed), 0);
}

#[tokio::test]
async fn half_of_many_waiting_jobs_share_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path(), Commits::Written, Clock::system())).unwrap();
    let (gauges, is_busy) = (Arc::clone(&store.0.gauges), Arc::new(Notify::new()));
    let (writer, begun) = (store.clone(), Arc::clone(&is_busy));
    let busy = tokio::spawn(async move {
        let until_all_wait = move |_: &WriteTx<'_>| {
            begun.notify_one();
            while gauges.queued.load(Relaxed) < 160 {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        writer.write("busy", until_all_wait).await
    });
    is_busy.notified().await;
    let waiting = (0..160).map(|_| {
        let gauges = Arc::clone(&store.0.gauges);
        store.write("waits", move |tx| append(tx, "waits").map(|()| gauges.batch_size.read().count))
    });
    let before: Vec<u64> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    busy.await.unwrap().unwrap();
    let sizes: Vec<usize> = before.chunk_by(u64::eq).map(<[u64]>::len).collect();
    assert_eq!(sizes, [80, 40, 32, 8]);
}

#[tokio::test]
async fn a_panic_after_the_commit_stops_the_writer() {
    a_panic_after_the_commit_stops(Commits::Written).await;
    a_panic_after_the_commit_stops(Commits::Synced).await;
}

async fn a_panic_after_the_commit_stops(commits: Commits) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path(), commits, Clock::system())).unwrap();
    let outcome = store.write("panics", |tx| {
        tx.after_commit(|| panic!("as a test"));
        append(tx, "panics")
    });
    assert!(
        outcome.await.unwrap_err().is(&problem::OUTCOME_UNKNOWN),
        "it is on disk, but the writer can no longer be trusted"
    );
    store.failed().await;
    let refused = store.write("late", |_| Ok(())).await;
    assert!(refused.unwrap_err().is(&problem::OUTCOME_UNKNOWN));
    assert!(store.has_failed());
}

#[tokio::test]
async fn time_continues_from_the_last_record_when_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let later = Clock::system().now().plus(Duration::from_hours(24 * 30));
    let store = Store::open(&options(folder.path(), Commits::Written, Clock::from_fn(move || later))).unwrap();
    store.write("ahead", |tx| append(tx, "ahead")).await.unwrap();
    store.close().await;
    drop(store);
    let clock = Clock::system();
    let store = Store::open(&options(folder.path(), Commits::Written, clock.clone())).unwrap();
    assert!(clock.now() >= later);
    store.write("after", |tx| append(tx, "after")).await.unwrap();
    let times: Vec<_> = trail(&store).into_iter().map(|(_, at)| at).collect();
    assert!(times.is_sorted() && times[1] < later.plus(Duration::from_hours(1)), "{times:?}");
}
