//! HTTP and nothing but HTTP: from bytes to a use case and back. It does not know how anything is stored, nor any rule.

pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod auth;
mod client;
pub mod events;
mod extract;
mod gate;
pub mod json;
mod list;
mod middleware;
pub mod openapi;
pub mod operation;
pub mod orders;
pub mod pages;
mod permissions;
pub mod problem;
pub mod query;
mod reply;
pub mod roles;
pub mod routes;
pub mod schema;
pub mod server;
pub mod sessions;
pub mod system;
pub mod transactions;
pub mod users;
