//! Logs: one line an event on standard error, a JSON object or for the eyes of a person. A panic is logged like any other
//! event. Secrets have types that print `***`, so that none can get here.

use crate::config::{LogFormat, LogLevel};
use tracing_subscriber::filter::LevelFilter;

/// Begins to log.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    // A second call has no effect: the first logger stays.
    let _ = match format {
        LogFormat::Json => {
            tracing::subscriber::set_global_default(lines.json().flatten_event(true).with_span_list(false).finish())
        }
        LogFormat::Pretty => tracing::subscriber::set_global_default(lines.compact().finish()),
    };
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(panic.location = location, panic.message = message, "panic");
    }));
}
