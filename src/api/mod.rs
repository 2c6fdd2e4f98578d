//! HTTP and nothing but HTTP.

pub mod operation;
