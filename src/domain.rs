//! The rules: pure, synchronous, without I/O. Knows no HTTP, no SQL, no async, no serde.

pub mod audit;
pub mod base32;
pub mod calendar;
pub mod digest;
pub mod event;
pub mod id;
pub mod listing;
pub mod money;
pub mod order;
pub mod outcome;
pub mod permission;
pub mod pricing;
pub mod rollup;
pub mod rotation;
mod string_enum;
pub mod time;
pub mod trace;
pub mod transaction;
pub mod url;
pub mod user;
pub mod webhook;
