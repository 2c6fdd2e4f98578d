//! `orderd healthcheck`: asks a server whether it can serve, for containers and scripts without a client of their own.

mod link;

use super::{Failure, flags::ServerFlags, print};
use crate::config::Server;
use link::Link;
use serde_json::Value;
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    time::{Duration, Instant},
};

/// How long all of it may take. The server gives its writer two seconds.
const TIME: Duration = Duration::from_secs(4);
/// Bytes of an answer that are read.
const ANSWER_BYTES: u64 = 64 * 1024;

/// The arguments of `orderd healthcheck`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ServerFlags,
    /// The server to ask, by plain HTTP [default: the configured address, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (scheme, authority) = match &self.url {
            Some(url) => ("http", authority(url).map_err(|why| Failure::usage(format!("--url {url}: {why}")))?),
            None => configured(&self.flags.load()?.config.server)?,
        };
        let url = format!("{scheme}://{authority}/readyz");
        let answer = ask(scheme, &authority).map_err(|e| Failure::failed(format!("{url}: {e}")))?;
        match faults(&answer) {
            None => print(format_args!("{url}: ready\n")),
            Some(faults) => Err(Failure::failed(format!("{url}: {faults}"))),
        }
    }
}

/// Host and port of a URL. What follows them is not used.
fn authority(url: &str) -> Result<String, &'static str> {
    let rest = url.strip_prefix("http://").ok_or("must begin with http://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(authority, |(host, _)| host);
    if host.is_empty() || authority.contains('@') {
        return Err("must be http://HOST:PORT");
    }
    Ok(if host == authority { format!("{authority}:80") } else { authority.to_owned() })
}

/// How and where the configured server is reached.
fn configured(server: &Server) -> Result<(&'static str, String), Failure> {
    let scheme = if server.tls_cert.is_some() { "https" } else { "http" };
    Ok((scheme, here(server.listen)?.to_string()))
}

/// Where a server that listens on `listen` is reached from its own machine.
fn here(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if listen.port() == 0 {
        return Err(Failure::usage("`server.listen` takes any free port: say with --url which it is"));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// The whole answer of `/readyz`.
fn ask(scheme: &str, authority: &str) -> io::Result<String> {
    let address = authority.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))?;
    let link = Link::to(address, Instant::now() + TIME)?;
    if scheme == "https" { converse(link::secure(link, address.ip())?, authority) } else { converse(link, authority) }
}

fn converse(mut server: impl Read + Write, authority: &str) -> io::Result<String> {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    server.flush()?;
    let mut answer = vec![];
    server.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Why the server is not ready, if it is not.
fn faults(answer: &str) -> Option<String> {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    if status == Some("200") {
        return None;
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let failing = body["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] == false);
    let said = |check: &Value| Some(format!("{}: {}", check["name"].as_str()?, check["detail"].as_str()?));
    let reasons: Vec<_> = failing.filter_map(said).collect();
    Some(match (status, reasons.as_slice()) {
        (None, _) => "no answer in HTTP".to_owned(),
        (Some(status), []) => format!("answered {status}"),
        (Some(_), _) => reasons.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_on_its_own_machine() {
        let of = |listen: &str| here(listen.parse().unwrap()).map(|address| address.to_string()).ok();
        assert_eq!(of("0.0.0.0:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(of("[::]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(of("10.0.0.7:80").as_deref(), Some("10.0.0.7:80"));
        assert_eq!(of("127.0.0.1:0"), None);
    }

    #[test]
    fn urls_are_read_as_far_as_they_matter() {
        assert_eq!(authority("http://localhost:8080/readyz?x"), Ok("localhost:8080".to_owned()));
        assert_eq!(authority("http://[::1]"), Ok("[::1]:80".to_owned()));
        assert_eq!(authority("http://[::1]:81"), Ok("[::1]:81".to_owned()));
        for bad in ["localhost:8080", "http://", "http://:80", "http://a@b", "ftp://a"] {
            assert!(authority(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn failing_checks_are_named() {
        assert_eq!(faults("HTTP/1.1 200 OK\r\n\r\n{}"), None);
        let body = r#"{"checks":[{"name":"writer","ok":true},{"name":"disk","ok":false,"detail":"is full"}]}"#;
        let answer = format!("HTTP/1.1 503 Service Unavailable\r\n\r\n{body}");
        assert_eq!(faults(&answer).as_deref(), Some("disk: is full"));
        assert_eq!(faults("HTTP/1.1 404 Not Found\r\n\r\n").as_deref(), Some("answered 404"));
        assert_eq!(faults("SSH-2.0-x").as_deref(), Some("no answer in HTTP"));
    }
}
