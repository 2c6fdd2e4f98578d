//! HTTP and nothing but HTTP.

pub mod json;
pub mod openapi;
pub mod operation;
pub mod pages;
pub mod problem;
pub mod query;
pub mod schema;
