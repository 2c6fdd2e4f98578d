//! HTTP and nothing but HTTP: from bytes to a use case and back. It does not know how anything is stored, nor any rule.

pub mod analytics;
pub mod auth;
pub mod events;
mod export;
mod extract;
mod gate;
pub mod idempotency_keys;
pub mod json;
mod list;
mod middleware;
pub mod openapi;
pub mod operation;
pub mod orders;
pub mod pages;
pub mod problem;
pub mod query;
mod reply;
pub mod routes;
mod rows;
pub mod schema;
pub mod server;
pub mod system;
pub mod transactions;
pub mod users;
