//! The page of metrics: the counters of this process, the store and the password hasher, and values that are cheap to
//! read. It queries nothing.

use crate::{
    app::App,
    domain::time::Timestamp,
    telemetry::{
        metrics::{
            page::Page,
            table::{self, Family},
        },
        process::ProcessCounts,
    },
};
use std::{
    fmt::Display,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

/// All metrics in the text format of Prometheus.
pub fn page(app: &App) -> String {
    let mut page = Page::default();
    process(app, &mut page);
    requests(app, &mut page);
    work(app, &mut page);
    reads_and_writes(app, &mut page);
    files(app, &mut page);
    spans(app, &mut page);
    webhooks(app, &mut page);
    worker(app, &mut page);
    page.finish()
}

fn process(app: &App, page: &mut Page) {
    page.family(&table::BUILD_INFO).value(&[env!("CARGO_PKG_VERSION"), App::sqlite_version()], 1);
    page.family(&table::START_TIME).value(&[], seconds(app.metrics.started_at));
    let counts = ProcessCounts::read();
    present(page, &table::CPU_SECONDS, counts.cpu_seconds);
    present(page, &table::RESIDENT_BYTES, counts.resident_bytes);
    present(page, &table::VIRTUAL_BYTES, counts.virtual_bytes);
    present(page, &table::OPEN_FDS, counts.open_descriptors);
    present(page, &table::MAX_FDS, counts.max_descriptors);
    let end = app.metrics.certificate_end.get().map(|end| end.load(Relaxed)).filter(|end| *end > 0);
    present(page, &table::CERTIFICATE_END, end.map(|end| end / 1000));
}

/// A family whose one value may be absent.
fn present(page: &mut Page, family: &'static Family, value: Option<impl Display>) {
    let mut family = page.family(family);
    if let Some(value) = value {
        family.value(&[], value);
    }
}

fn requests(app: &App, page: &mut Page) {
    let metrics = &app.metrics;
    let mut family = page.family(&table::HTTP_REQUESTS);
    metrics.requests.each(|operation, requests| {
        requests.statuses().for_each(|(status, count)| family.value(&[operation, &status.to_string()], count));
    });
    let mut family = page.family(&table::HTTP_DURATION);
    metrics.requests.each(|operation, requests| family.histogram(&[operation], &requests.duration.read()));
    page.family(&table::HTTP_IN_FLIGHT).value(&[], metrics.in_flight.load(Relaxed));
    page.family(&table::HTTP_ABANDONED).value(&[], metrics.abandoned.load(Relaxed));
    page.family(&table::REFUSED_CONNECTIONS).value(&[], metrics.refused_connections.load(Relaxed));
    let mut family = page.family(&table::PROBLEMS);
    metrics.problems.each(|code, count| family.value(&[code], count.load(Relaxed)));
}

fn work(app: &App, page: &mut Page) {
    let mut family = page.family(&table::LOG_INS);
    app.metrics.log_ins.each(|outcome, count| family.value(&[outcome], count.load(Relaxed)));
    let hashing = app.hasher.load();
    page.family(&table::HASHES_RUNNING).value(&[], hashing.running);
    page.family(&table::HASHES_WAITING).value(&[], hashing.waiting);
    let gauges = app.store.gauges();
    let mut family = page.family(&table::EVENTS);
    gauges.events().for_each(|(kind, count)| family.value(&[kind.name()], count));
    page.family(&table::LAST_EVENT).value(&[], gauges.last_event.load(Relaxed));
}

fn reads_and_writes(app: &App, page: &mut Page) {
    let gauges = app.store.gauges();
    page.family(&table::WRITE_QUEUE).value(&[], gauges.queued.load(Relaxed));
    page.family(&table::WRITE_BATCH).histogram(&[], &gauges.batch_size.read());
    page.family(&table::WRITE_COMMIT).histogram(&[], &gauges.commits.read());
    page.family(&table::WRITE_ROLLBACKS).value(&[], gauges.rollbacks.load(Relaxed));
    page.family(&table::CHECKPOINTS).histogram(&[], &gauges.checkpoints.read());
    page.family(&table::JOURNAL_TURN).histogram(&[], &gauges.turns.read());
    page.family(&table::JOURNAL_APPEND).histogram(&[], &gauges.appends.read());
    page.family(&table::JOURNAL_ENTRY).value(&[], app.store.journal_entry());
    page.family(&table::JOURNAL_REACHABLE).value(&[], u8::from(app.store.journal_is_reachable()));
    page.family(&table::JOURNAL_CURRENT).histogram(&[], &gauges.currents.read());
    page.family(&table::JOURNAL_LEASE).value(&[], u8::from(app.store.has_lease()));
    // Who has the lease looks once a minute.
    let of_holder = |bytes: &AtomicI64| if app.store.has_lease() { bytes.load(Relaxed) } else { 0 };
    page.family(&table::JOURNAL_SINCE_SNAPSHOT).value(&[], of_holder(&gauges.since_snapshot));
    page.family(&table::JOURNAL_SNAPSHOT).value(&[], of_holder(&gauges.snapshot));
    let mut family = page.family(&table::READ_WAIT);
    family.histogram(&["lookup"], &gauges.read_waits.read());
    family.histogram(&["scan"], &gauges.scan_waits.read());
    page.family(&table::OLDEST_READ).value(&[], gauges.reads.oldest().as_secs_f64());
}

fn files(app: &App, page: &mut Page) {
    let (database, log) = app.store.file_bytes();
    page.family(&table::DATABASE_BYTES).value(&[], database);
    page.family(&table::WAL_BYTES).value(&[], log);
    let mut family = page.family(&table::DISK_FREE_BYTES);
    if let Some(free) = app.store.free_bytes() {
        family.value(&[], free);
    }
    let mut family = page.family(&table::LAST_BACKUP);
    if let Some(good) = app.backups.latest() {
        family.value(&[], seconds(good.current_at));
    }
}

fn spans(app: &App, page: &mut Page) {
    let counts = app.metrics.spans.get();
    let (sent, dropped) = counts.map_or((0, 0), |counts| (counts.sent.load(Relaxed), counts.dropped.load(Relaxed)));
    page.family(&table::SPANS_SENT).value(&[], sent);
    page.family(&table::SPANS_DROPPED).value(&[], dropped);
}

fn webhooks(app: &App, page: &mut Page) {
    let mut family = page.family(&table::WEBHOOK_ATTEMPTS);
    app.metrics.webhook_attempts.each(|outcome, count| family.value(&[outcome], count.load(Relaxed)));
    let gauges = &app.metrics.webhooks;
    let mut family = page.family(&table::WEBHOOK_ENDPOINTS);
    gauges.endpoints.each(|status, count| family.value(&[status], count.load(Relaxed)));
    page.family(&table::WEBHOOK_PENDING).value(&[], gauges.pending.load(Relaxed));
    let age = match gauges.oldest_pending.load(Relaxed) {
        0 => 0,
        began => (app.clock.now().millis() - began).max(0) / 1000,
    };
    page.family(&table::WEBHOOK_PENDING_AGE).value(&[], age);
    let (slowest, last) = (gauges.slowest.load(Relaxed), app.store.gauges().last_event.load(Relaxed));
    page.family(&table::WEBHOOK_BEHIND).value(&[], if slowest < 0 { 0 } else { (last - slowest).max(0) });
    page.family(&table::EVENT_STREAMS).value(&[], app.open_event_streams());
}

fn worker(app: &App, page: &mut Page) {
    let mut family = page.family(&table::WORKER_PANICS);
    app.metrics.worker_panics.each(|task, count| family.value(&[task], count.load(Relaxed)));
}

/// Seconds since 1970, with milliseconds as decimals.
fn seconds(at: Timestamp) -> String {
    format!("{}.{:03}", at.seconds(), at.millis().rem_euclid(1000))
}
