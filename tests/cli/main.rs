//! The real executable, from the outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod config;
mod connections;
mod framing;
mod serve;
mod server;
mod support;
mod tls;
mod users;
mod verify;
