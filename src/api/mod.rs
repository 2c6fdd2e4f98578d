//! HTTP and nothing but HTTP.

pub mod json;
pub mod operation;
pub mod problem;
