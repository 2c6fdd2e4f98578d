//! HTTP and nothing but HTTP: from bytes to a use case and back. It does not know how anything is stored, nor any rule.

pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod auth;
mod client_address;
mod context;
mod cors;
pub mod events;
mod gate;
pub mod idempotency;
pub mod input;
mod middleware;
mod observation;
pub mod openapi;
pub mod operation;
pub mod orders;
pub mod output;
pub mod pages;
pub mod roles;
pub mod routes;
pub mod sessions;
pub mod system;
pub mod transactions;
pub mod users;
