//! What comes in: bodies, queries and path segments, read and checked before a handler runs.

pub mod extract;
pub(crate) mod fault;
pub mod json;
pub mod lines;
pub(crate) mod permissions;
pub mod query;
pub mod schema;
