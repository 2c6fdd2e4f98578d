//! The service from the outside: its real router over a real database file, without sockets. A file a capability.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod analytics;
mod api_keys;
mod audit;
mod client_address;
mod ground_rules;
mod idempotency;
mod identity;
mod model;
mod orders;
mod payments;
mod roles;
mod sessions;
mod support;
mod users;
