//! How the service is observed from outside: logs, metrics and traces. What is worth observing is decided where it
//! happens.

pub mod histogram;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod traces;
