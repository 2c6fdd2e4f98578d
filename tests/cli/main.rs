//! The real executable, from the outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod config;
mod framing;
mod serve;
mod server;
mod support;
mod users;
mod verify;
