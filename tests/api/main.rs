//! Tests of the service through its real router, on a real database file, without sockets: one file for each capability.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod admission;
mod analytics;
mod api_keys;
mod audit;
mod authz;
mod backups;
mod browser_sessions;
mod client_address;
mod console;
mod cors;
mod damage;
mod erasure;
mod files;
mod finding;
mod ground_rules;
mod guide;
mod idempotency;
mod identity;
mod metrics;
mod model;
mod oidc;
mod openapi;
mod orders;
mod password_resets;
mod payments;
mod plans;
mod public_address;
mod rate_limits;
mod reached;
mod reconcile;
mod roles;
mod schema;
mod second_factor;
mod sessions;
mod streams;
mod support;
mod system;
mod tidy;
mod trace;
mod troubles;
mod upgrade;
mod users;
mod views;
mod webhooks;
