//! Why an outbound request failed, by the step that failed. It names hosts and addresses, and is for operators.

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
    /// No root certificate could be read.
    Roots(String),
    /// The TLS handshake failed, for instance because the certificate is for another host.
    Tls(io::Error),
    /// The time for the whole exchange was over. The request may have been received.
    Timeout,
    /// The response has more bytes than it may. The request was received and answered with this status.
    TooLarge {
        /// The status of the response.
        status: u16,
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
            Self::Roots(e) => write!(f, "the root certificates cannot be read: {e}"),
            Self::Tls(e) => write!(f, "TLS: {e}"),
            Self::Timeout => f.write_str("timed out"),
            Self::TooLarge { status } => write!(f, "the response with status {status} is too large"),
            Self::Protocol(e) => write!(f, "no valid HTTP response: {e}"),
        }
    }
}

impl std::error::Error for OutboundError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(e) | Self::Connect(_, e) | Self::Socket(_, e) | Self::Tls(e) => Some(e),
            Self::Protocol(e) => Some(e),
            Self::Request(_) | Self::RefusedAddress(_) | Self::Roots(_) | Self::Timeout | Self::TooLarge { .. } => None,
        }
    }
}
