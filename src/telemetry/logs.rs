//! Logs: one line per event on standard error, as JSON or as plain text for people. A panic is logged like any other event.
//! Secrets have types that print `***`, so none can get here.

mod lines;

use super::traces::Recorder;
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

/// Starts the log and, with a recorder, the recording of traces. A second call in the same process changes nothing.
pub fn start(format: LogFormat, level: LogLevel, clock: Clock, recorder: Option<Recorder>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Log lines have the identifier of the trace as a field and need no spans of traces.
    let logged = filter_fn(move |metadata| *metadata.level() <= level && metadata.target() != TARGET);
    let lines = lines::Lines::new(format, clock, std::io::stderr).with_filter(logged.with_max_level_hint(level));
    let recorder = recorder.map(|recorder| recorder.with_filter(filter_fn(|metadata| metadata.target() == TARGET)));
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines).with(recorder));
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("a panic without a message");
    let thread = std::thread::current();
    // Captured only if RUST_BACKTRACE asks for it, since it says little without symbols.
    let backtrace = Some(Backtrace::capture()).filter(|backtrace| backtrace.status() == BacktraceStatus::Captured);
    tracing::error!(
        panic.location = location,
        panic.message = message,
        panic.thread = thread.name(),
        panic.backtrace = backtrace.map(tracing::field::display),
        "panic"
    );
}
