//! `orderd healthcheck`: asks a server whether it is ready, for containers and scripts that have no HTTP client.

use super::{Failure, flags::ServerFlags, print, runtime};
use crate::{
    config::{Listen, Server},
    domain::url::Url,
    outbound::{Addresses, Client, Limits, OutboundError, Response},
};
use serde_json::Value;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use tokio::runtime::Builder;

/// The server gives its writer two seconds to answer.
const LIMITS: Limits = Limits { time: Duration::from_secs(4), body_bytes: 64 * 1024 };

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ServerFlags,
    /// URL of the server, with http:// [default: the configured address, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let server = match &self.url {
            Some(url) => Target::Url(readiness_of(url).map_err(|why| Failure::usage(format!("--url {url}: {why}")))?),
            None => configured(&self.flags.load()?.config.server)?,
        };
        // The certificate names what clients call the server, not the address that is asked, and it need not be the one
        // in the configured file, which may have been renewed since. The request carries no secret.
        let client = Client::trusting_any_certificate(Addresses::Any);
        let runtime = runtime(Builder::new_current_thread())?;
        let outcome = match &server {
            Target::Url(url) => runtime.block_on(client.get(url, &[], LIMITS)),
            Target::Socket(path) => {
                let url = Url::parse("http://localhost/readyz").map_err(|e| Failure::failed(e.to_string()))?;
                runtime.block_on(Client::get_over_socket(path, &url, LIMITS))
            }
        };
        // Resolving a name may outlast the deadline on a thread of its own.
        runtime.shutdown_background();
        match outcome.map(|response| faults(&response)) {
            Ok(None) => print(format_args!("{server}: ready\n")),
            Ok(Some(faults)) => Err(Failure::failed(format!("{server}: {faults}"))),
            Err(OutboundError::Protocol(_)) => Err(Failure::failed(format!("{server}: no answer in HTTP"))),
            Err(e @ OutboundError::Socket(..)) => Err(Failure::failed(e.to_string())),
            Err(e) => Err(Failure::failed(format!("{server}: {e}"))),
        }
    }
}

/// What is asked.
enum Target {
    Url(Url),
    /// The path of its Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// `/readyz` of the server that a URL names. Path and query of the URL are not used.
fn readiness_of(text: &str) -> Result<Url, String> {
    if !text.starts_with("http://") {
        return Err("must begin with http://".to_owned());
    }
    Url::parse(text).and_then(|url| url.with_target("/readyz")).map_err(|e| e.to_string())
}

/// `/readyz` of the configured server, on its own machine.
fn configured(server: &Server) -> Result<Target, Failure> {
    let address = match &server.listen {
        Listen::Address(address) => *address,
        Listen::Socket(path) => return Ok(Target::Socket(path.clone())),
    };
    let scheme = if server.tls_cert.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/readyz", local(address)?);
    Url::parse(&url).map(Target::Url).map_err(|e| Failure::failed(format!("{url}: {e}")))
}

/// The address at which a server that listens on `listen` is reached from its own machine.
fn local(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if listen.port() == 0 {
        return Err(Failure::usage("`server.listen` uses any free port: name the server with --url"));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// Why the server is not ready; none if it is.
fn faults(response: &Response) -> Option<String> {
    if response.status == 200 { None } else { Some(failing_checks(response.status, &response.body)) }
}

/// The checks that the body names as failing, or the status if it names none.
fn failing_checks(status: u16, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let failing = body["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] == false);
    let reason = |check: &Value| Some(format!("{}: {}", check["name"].as_str()?, check["detail"].as_str()?));
    let reasons: Vec<_> = failing.filter_map(reason).collect();
    if reasons.is_empty() { format!("answered {status}") } else { reasons.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_on_its_own_machine() {
        let of = |listen: &str| local(listen.parse().unwrap()).map(|address| address.to_string()).ok();
        assert_eq!(of("0.0.0.0:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(of("[::]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(of("10.0.0.7:80").as_deref(), Some("10.0.0.7:80"));
        assert_eq!(of("127.0.0.1:0"), None);
    }

    #[test]
    fn a_url_names_the_server_and_not_the_path() {
        let of = |url: &str| readiness_of(url).map(|url| url.to_string());
        assert_eq!(of("http://localhost:8080/livez?x").as_deref(), Ok("http://localhost:8080/readyz"));
        assert_eq!(of("http://[::1]").as_deref(), Ok("http://[::1]/readyz"));
        for bad in ["localhost:8080", "http://", "http://:80", "http://a@b", "ftp://a", "https://localhost"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn failing_checks_are_named() {
        let body = br#"{"checks":[{"name":"writer","ok":true},{"name":"disk","ok":false,"detail":"is full"}]}"#;
        assert_eq!(failing_checks(503, body), "disk: is full");
        assert_eq!(failing_checks(404, b""), "answered 404");
    }
}
