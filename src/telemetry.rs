//! How the service is seen from outside: logs, metrics, traces. What is worth seeing is said where it happens.

pub mod histogram;
pub mod logs;
pub mod metrics;
pub mod traces;
