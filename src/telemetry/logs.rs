//! Logs: one line an event on standard error, a JSON object or for the eyes of a person. A panic is logged like any other
//! event. Secrets have types that print `***`, so that none can get here.

mod json;

use crate::{
    config::{LogFormat, LogLevel},
    domain::time::Clock,
};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};

/// Begins to log.
pub fn start(format: LogFormat, level: LogLevel, clock: Clock) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let registry = tracing_subscriber::registry().with(level);
    // A second call has no effect: the first logger stays.
    let _ = match format {
        LogFormat::Json => {
            tracing::subscriber::set_global_default(registry.with(json::Lines::new(clock, std::io::stderr)))
        }
        LogFormat::Pretty => {
            let lines = tracing_subscriber::fmt::layer().compact().with_writer(std::io::stderr).with_target(false);
            tracing::subscriber::set_global_default(registry.with(lines))
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(panic.location = location, panic.message = message, "panic");
    }));
}
