//! The real executable, from the outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod config;
mod documents;
mod failures;
mod files;
mod serve;
mod server;
mod supervised;
mod support;
mod users;
mod verify;
