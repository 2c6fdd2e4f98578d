//! The rules: pure, synchronous, without I/O. Knows no HTTP, no SQL, no async, no serde.

pub mod id;
pub mod permission;
pub mod time;
