//! orderd: orders, payments and exact analytics in one static binary and one SQLite file.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod service;
pub mod store;
pub mod telemetry;
