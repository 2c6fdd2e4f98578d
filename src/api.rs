//! HTTP and nothing else: it turns a request into one call of a use case, and the result into a response. It contains
//! no business rules and does not know how anything is stored.

pub mod analytics;
pub mod api_keys;
mod around;
pub mod audit;
pub mod auth;
mod browser;
mod client_address;
mod context;
mod cors;
pub mod events;
mod gate;
pub mod idempotency;
pub mod input;
mod items;
mod middleware;
mod observation;
mod oidc;
pub mod openapi;
pub mod operation;
pub mod orders;
pub mod output;
pub mod pages;
mod public_address;
pub mod roles;
mod router;
pub mod routes;
mod scheme;
mod second_factor;
pub mod sessions;
pub mod system;
pub mod transactions;
pub mod users;
pub mod webhooks;

pub use router::router;
