//! The supervisor of the worker's tasks: it starts each in a tokio task of its own, starts one again that has panicked,
//! and ends all of them when the server stops. It does not know what they do.

use crate::telemetry::metrics::ByName;
use futures_util::FutureExt;
use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The time between a panic of a task and its restart, so that one that panics at once takes little time and few log
/// lines.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long the tasks may take to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Runs tasks until it is stopped. Dropping it aborts them.
pub struct Supervisor {
    stop: watch::Sender<bool>,
    /// Each gives its name when it ends.
    tasks: JoinSet<&'static str>,
    names: BTreeSet<&'static str>,
    panics: Arc<ByName<AtomicU64>>,
}

/// Tells a task that the server stops.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Resolves when the task should end.
    pub(super) async fn requested(&mut self) {
        // An error means that the supervisor is gone, which is a reason to end too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

impl Supervisor {
    /// A supervisor without tasks. It counts their panics by their names.
    pub(super) fn new(panics: Arc<ByName<AtomicU64>>) -> Self {
        Self { stop: watch::Sender::new(false), tasks: JoinSet::new(), names: BTreeSet::new(), panics }
    }

    /// A supervisor without tasks.
    pub fn idle() -> Self {
        Self::new(Arc::default())
    }

    /// Starts a task. `run` is called again after each panic; a task that returns has ended.
    pub(super) fn start<F>(&mut self, name: &'static str, run: impl Fn(Stop) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        // The count is on the page of metrics from the start.
        self.panics.with(name, |_| {});
        self.names.insert(name);
        let (stop, panics) = (Stop(self.stop.subscribe()), Arc::clone(&self.panics));
        self.tasks.spawn(async move {
            supervise(name, run, stop, &panics).await;
            name
        });
    }

    /// Asks all tasks to end and waits until they have. A task that takes longer than ten seconds is aborted.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all_ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                self.names.remove(ended.unwrap_or_default());
            }
        };
        if timeout(STOP_TIME, all_ended).await.is_err() {
            let left: Vec<_> = self.names.iter().copied().collect();
            let left = left.join(", ");
            tracing::warn!(worker.tasks = left, "aborted tasks that took too long to stop: {left}");
        }
    }
}

/// Runs a task until it returns, and again after each panic. The panic itself is logged where it happens.
async fn supervise<F>(name: &'static str, run: impl Fn(Stop) -> F, mut stop: Stop, panics: &ByName<AtomicU64>)
where
    F: Future<Output = ()>,
{
    loop {
        let was_stopping = stop.is_requested();
        // After a panic nothing of the task is used again, except what its own locks protect.
        if AssertUnwindSafe(run(stop.clone())).catch_unwind().await.is_ok() {
            return;
        }
        panics.count(name);
        if was_stopping {
            tracing::error!(worker.task = name, "{name} panicked while the server stops");
            return;
        }
        tracing::error!(worker.task = name, "{name} panicked and starts again in {} s", RESTART_PAUSE.as_secs());
        tokio::select! {
            // It starts once more and does what it has to do before the end.
            () = stop.requested() => {}
            () = sleep(RESTART_PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ticks::Ticks, *};
    use std::sync::atomic::Ordering::Relaxed;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    fn supervisor() -> Supervisor {
        Supervisor::new(Arc::default())
    }

    fn panics_of(supervisor: &Supervisor, name: &str) -> u64 {
        let mut count = 0;
        supervisor.panics.each(|task, panics| count += if task == name { panics.load(Relaxed) } else { 0 });
        count
    }

    /// A task that counts its ticks, one a second.
    fn counting(count: &Arc<AtomicU64>) -> impl Fn(Stop) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
        let count = Arc::clone(count);
        move |stop| {
            let count = Arc::clone(&count);
            Box::pin(async move {
                let mut ticks = Ticks::every(SECOND, stop);
                while ticks.next().await {
                    count.fetch_add(1, Relaxed);
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_counted_and_started_again_after_a_pause() {
        let starts: Arc<AtomicU64> = Arc::default();
        let mut supervisor = supervisor();
        let counted = Arc::clone(&starts);
        supervisor.start("unlucky", move |mut stop| {
            let start = counted.fetch_add(1, Relaxed);
            async move {
                assert!(start >= 2, "a panic on purpose");
                stop.requested().await;
            }
        });
        assert_eq!(panics_of(&supervisor, "unlucky"), 0);
        sleep(RESTART_PAUSE / 2).await;
        assert_eq!((starts.load(Relaxed), panics_of(&supervisor, "unlucky")), (1, 1));
        sleep(RESTART_PAUSE).await;
        assert_eq!((starts.load(Relaxed), panics_of(&supervisor, "unlucky")), (2, 2));
        sleep(10 * RESTART_PAUSE).await;
        assert_eq!((starts.load(Relaxed), panics_of(&supervisor, "unlucky")), (3, 2));
        supervisor.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_or_panicking_task_delays_no_other() {
        let count: Arc<AtomicU64> = Arc::default();
        let mut supervisor = supervisor();
        supervisor.start("slow", |_| sleep(1_000 * SECOND));
        supervisor.start("unlucky", |_| async { panic!("a panic on purpose") });
        supervisor.start("regular", counting(&count));
        sleep(100 * SECOND + SECOND / 2).await;
        assert_eq!(count.load(Relaxed), 101);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_what_tasks_do_last() {
        let last: Arc<AtomicU64> = Arc::default();
        let mut supervisor = supervisor();
        let done = Arc::clone(&last);
        supervisor.start("flush", move |mut stop| {
            let done = Arc::clone(&done);
            async move {
                stop.requested().await;
                sleep(SECOND).await;
                done.store(1, Relaxed);
            }
        });
        let begun = Instant::now();
        supervisor.stop().await;
        assert_eq!((last.load(Relaxed), begun.elapsed()), (1, SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_aborted_in_time() {
        let mut supervisor = supervisor();
        supervisor.start("deaf", |_| std::future::pending());
        let begun = Instant::now();
        supervisor.stop().await;
        assert_eq!(begun.elapsed(), STOP_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_waits_for_its_restart_does_its_last_work_when_the_server_stops() {
        let starts: Arc<AtomicU64> = Arc::default();
        let mut supervisor = supervisor();
        let counted = Arc::clone(&starts);
        supervisor.start("unlucky", move |_| {
            counted.fetch_add(1, Relaxed);
            async { panic!("a panic on purpose") }
        });
        sleep(SECOND).await;
        assert_eq!(starts.load(Relaxed), 1);
        let begun = Instant::now();
        supervisor.stop().await;
        assert_eq!((starts.load(Relaxed), begun.elapsed()), (2, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_longer_than_a_period_delays_the_next_tick() {
        let stop = watch::Sender::new(false);
        let mut ticks = Ticks::every(SECOND, Stop(stop.subscribe()));
        let begun = Instant::now();
        assert!(ticks.next().await);
        sleep(3 * SECOND).await;
        assert!(ticks.next().await);
        assert_eq!(begun.elapsed(), 3 * SECOND);
        assert!(ticks.next().await);
        assert_eq!(begun.elapsed(), 4 * SECOND);
        stop.send_replace(true);
        assert!(!ticks.next().await);
    }
}
