//! Tests of the real executable, over sockets, signals and files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod backup;
mod checkpoints;
mod config;
mod connections;
mod crash;
mod crash_points;
mod demo;
mod doctor;
mod documents;
mod erasure;
mod failures;
mod files;
mod framing;
mod journal;
mod kept_connection;
mod locked;
mod logs;
mod mark;
mod mirror;
mod moving_in;
mod oracle;
mod power_cut;
mod readers;
mod restore;
mod serve;
mod server;
mod sockets;
mod stop;
mod storage;
mod strace;
mod supervised;
mod support;
mod tls;
mod traces;
mod unread_bodies;
mod users;
mod verify;
