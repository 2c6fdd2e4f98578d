//! How the service is seen from outside: logs.

pub mod logs;
