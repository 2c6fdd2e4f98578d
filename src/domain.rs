//! The rules: pure, synchronous, without I/O. Knows no HTTP, no SQL, no async, no serde.

pub mod audit;
pub mod calendar;
pub mod digest;
pub mod event;
pub mod figures;
pub mod id;
pub mod listing;
pub mod money;
mod names;
pub mod order;
pub mod permission;
pub mod pricing;
pub mod rotation;
pub mod tally;
pub mod time;
pub mod trace;
pub mod transaction;
pub mod user;
