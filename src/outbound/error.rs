//! Why an outbound request failed, by the step that failed. It names hosts and addresses, and is for operators.

use super::Response;
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Why there is no response.
#[derive(Debug)]
pub enum OutboundError {
    /// The request cannot be made of what was given, such as a header with a line break in it.
    Request(String),
    /// The host name could not be resolved.
    Resolve(io::Error),
    /// The host has an address that this client may not connect to. Nothing was sent.
    RefusedAddress(IpAddr),
    /// No address of the host could be connected to; this one was tried last.
    Connect(SocketAddr, io::Error),
    /// The Unix socket could not be connected to.
    Socket(PathBuf, io::Error),
    /// The proxy could not be reached, or did not connect to the host.
    Proxy(String),
    /// No root certificate could be read.
    Roots(String),
    /// The TLS handshake failed, for instance because the certificate is for another host.
    Tls(io::Error),
    /// The time was over before the response began. The request may have been received.
    Timeout,
    /// The request was received and answered, but the body of the response did not come whole.
    Incomplete {
        /// The response, with an empty body.
        response: Box<Response>,
        /// Why its body is missing.
        reason: String,
    },
    /// What came was no valid HTTP response, or the connection ended before it was complete.
    Protocol(hyper::Error),
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(e) => write!(f, "the request cannot be built: {e}"),
            Self::Resolve(e) => write!(f, "the host name cannot be resolved: {e}"),
            Self::RefusedAddress(address) => write!(f, "{address} is not a public address"),
            Self::Connect(address, e) => write!(f, "{address}: {e}"),
            Self::Socket(path, e) => write!(f, "{}: {e}", path.display()),
            Self::Proxy(e) => write!(f, "the proxy: {e}"),
            Self::Roots(e) => write!(f, "the root certificates cannot be read: {e}"),
            Self::Tls(e) => write!(f, "TLS: {e}"),
            Self::Timeout => f.write_str("timed out"),
            Self::Incomplete { response, reason } => {
                write!(f, "the response with status {} is incomplete: {reason}", response.status)
            }
            Self::Protocol(e) => write!(f, "no valid HTTP response: {e}"),
        }
    }
}

impl std::error::Error for OutboundError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(e) | Self::Connect(_, e) | Self::Socket(_, e) | Self::Tls(e) => Some(e),
            Self::Protocol(e) => Some(e),
            Self::Request(_)
            | Self::RefusedAddress(_)
            | Self::Proxy(_)
            | Self::Roots(_)
            | Self::Timeout
            | Self::Incomplete { .. } => None,
        }
    }
}
