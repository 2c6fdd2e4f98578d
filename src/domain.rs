//! The rules of orders, money and days: pure and synchronous, without I/O. They know no HTTP, SQL, async or serde, and
//! report faults by field ([`crate::error::Field`]).

pub mod access;
pub mod audit;
pub mod base32;
pub mod calendar;
pub mod credit;
pub mod digest;
pub mod event;
pub mod history;
pub mod id;
pub mod listing;
pub mod money;
pub mod order;
pub mod outcome;
pub mod permission;
pub mod personal;
pub mod pricing;
pub mod rollup;
pub mod rotation;
mod string_enum;
pub mod text;
pub mod time;
pub mod trace;
pub mod transaction;
pub mod url;
pub mod user;
pub mod webhook;
