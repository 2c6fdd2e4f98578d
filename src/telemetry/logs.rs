//! Logs: one line an event on standard error, a JSON object or for the eyes of a person. A panic is logged like any other
//! event. Secrets have types that print `***`, so that none can get here.

mod lines;

use super::traces::Spans;
use crate::{
    config::{LogFormat, LogLevel},
    domain::{time::Clock, trace::TARGET},
};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::PanicHookInfo,
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
};

/// Begins to log and, with somewhere to put them, to record the spans of traces.
pub fn start(format: LogFormat, level: LogLevel, clock: Clock, spans: Option<Spans>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Spans of traces are no matter of logs, which have the trace's identifier as a field.
    let logged = filter_fn(move |metadata| *metadata.level() <= level && metadata.target() != TARGET);
    let lines = lines::Lines::new(format, clock, std::io::stderr).with_filter(logged.with_max_level_hint(level));
    let spans = spans.map(|spans| spans.with_filter(filter_fn(|metadata| metadata.target() == TARGET)));
    // A second call has no effect: the first logger stays.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines).with(spans));
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("a panic without words");
    let thread = std::thread::current();
    // Taken where RUST_BACKTRACE asks for it; it says little without symbols.
    let backtrace = Some(Backtrace::capture()).filter(|taken| taken.status() == BacktraceStatus::Captured);
    tracing::error!(
        panic.location = location,
        panic.message = message,
        panic.thread = thread.name(),
        panic.backtrace = backtrace.map(tracing::field::display),
        "panic"
    );
}
