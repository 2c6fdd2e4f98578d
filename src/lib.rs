//! orderd: orders, payments and exact analytics in one static binary and one SQLite file.

pub mod api;
pub mod app;
pub mod auth;
pub mod domain;
pub mod error;
