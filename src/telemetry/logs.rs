//! Logs: one line per event on standard error, as JSON or as plain text for people. A panic is logged like any other
//! event. Secrets have types that print `***`, so none can get here.

mod lines;

use super::traces::Recorder;
use crate::{
    config::{LogFormat, LogLevel},
    domain::{time::Clock, trace::TARGET},
};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt,
    panic::PanicHookInfo,
    time::Duration,
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

/// A duration in a log message, such as `2.1 ms` or `412 ms`.
pub struct Millis(pub Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.0 < Duration::from_millis(100));
        write!(f, "{:.digits$} ms", self.0.as_secs_f64() * 1e3)
    }
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
        "panic at {}: {message}",
        location.as_deref().unwrap_or("an unknown place")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_durations_have_a_decimal_and_long_ones_none() {
        let of = |micros| Millis(Duration::from_micros(micros)).to_string();
        assert_eq!([of(40), of(2_140), of(99_940), of(412_300)], ["0.0 ms", "2.1 ms", "99.9 ms", "412 ms"]);
    }
}
