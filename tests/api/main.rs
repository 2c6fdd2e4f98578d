//! The service from the outside: its real router over a real database file, without sockets. A file a capability.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod analytics;
mod authz;
mod ground_rules;
mod idempotency;
mod identity;
mod openapi;
mod orders;
mod payments;
mod plans;
mod support;
mod tidy;
