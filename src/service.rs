//! The use cases. Each checks permissions, runs one named transaction that applies the rules of [`crate::domain`], and
//! returns what happened. They contain no SQL, and no statuses, headers or paths: `api` chooses those.

pub mod access;
pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod backups;
pub mod demo;
pub mod erasure;
pub mod events;
pub mod guesses;
mod history;
pub mod idempotency;
pub mod items;
pub mod metrics;
pub mod mirror;
pub mod oidc;
pub mod orders;
pub mod page;
pub mod password_resets;
pub mod passwords;
pub mod pruning;
pub mod readiness;
pub mod roles;
pub mod second_factor;
pub mod sessions;
pub mod signing_keys;
pub mod transactions;
pub mod users;
pub mod views;
pub mod webhooks;
