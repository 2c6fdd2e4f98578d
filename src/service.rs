//! The use cases: check, then one named transaction, then the value of the reply. They know who is calling and what the
//! rules are, and nothing of SQL; of HTTP nothing but what an answer that is kept has to say (`exactly_once.rs`).

pub mod access;
pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod backups;
pub mod demo;
pub mod events;
mod history;
pub mod idempotency;
pub mod metrics;
pub mod orders;
pub mod page;
pub mod passwords;
pub mod pruning;
pub mod readiness;
pub mod roles;
pub mod sessions;
pub mod signing_keys;
pub mod transactions;
pub mod users;
pub mod views;
pub mod webhooks;
