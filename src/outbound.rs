//! Outbound requests: the one HTTP and HTTPS client, and connections to PostgreSQL. The client bounds the time and the
//! size of each exchange, connects to no private address unless it may, follows no redirect, and uses a proxy only if
//! it is given one. What is sent, and whether it is tried again, is decided by callers.

mod address;
mod client;
mod connect;
mod error;
pub mod postgres;
mod proxy;
mod resolver;
mod tls;

pub use address::is_public;
pub use client::{Client, Limits, Response};
pub use error::OutboundError;
pub use resolver::Resolver;

/// The addresses that a client may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Those that anybody on the internet can reach: for URLs that users of the API name.
    Public,
    /// All of them: for URLs that the operator configures.
    Any,
}
