//! The real executable, from the outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod config;
mod documents;
mod failures;
mod files;
mod logs;
mod serve;
mod server;
mod supervised;
mod support;
mod traces;
mod users;
mod verify;
