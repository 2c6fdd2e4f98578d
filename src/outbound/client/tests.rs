//! The client against real servers on this machine, plain and with TLS.

mod names;
mod through_proxies;

use super::*;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

const LIMITS: Limits = Limits { time: Duration::from_secs(10), body_bytes: 1_000 };
const FIRST: (&str, &str) = (
    include_str!("../../../tests/cli/certificates/first.crt"),
    include_str!("../../../tests/cli/certificates/first.key"),
);
const SECOND: &str = include_str!("../../../tests/cli/certificates/second.crt");

/// A server that gives every connection the same answer, whatever it asks.
struct Server {
    port: u16,
    /// The requests, as they were read.
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(answer.into(), None).await
    }

    /// A server whose certificate is for `first.example` and `localhost`.
    async fn with_tls(answer: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(FIRST.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(FIRST.1.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key).unwrap();
        Self::start(answer.into(), Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(answer: Vec<u8>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&requests);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Some(tls) = &tls else {
                    respond(stream, &answer, &seen).await;
                    continue;
                };
                if let Ok(stream) = tls.accept(stream).await {
                    let name = stream.get_ref().1.server_name().unwrap_or("-").to_owned();
                    seen.lock().unwrap().push(name);
                    respond(stream, &answer, &seen).await;
                }
            }
        });
        Self { port, requests, _tasks: tasks }
    }

    fn url(&self, scheme: &str, host: &str) -> Url {
        Url::parse(&format!("{scheme}://{host}:{}/path?query", self.port)).unwrap()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads a head and the bytes that come with it, answers, and waits until the client goes away.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8], seen: &Mutex<Vec<String>>) {
    let mut request = vec![];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
    }
    seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    // The client may have closed the connection before it has read all.
    let _ = stream.write_all(answer).await;
    let _ = stream.flush().await;
    let _ = stream.read_to_end(&mut vec![]).await;
}

fn any() -> Client {
    Client::new(Addresses::Any)
}

fn trusting(certificate: &str) -> Client {
    let roots = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    Client::trusting(Tls::trusting(roots), Addresses::Any)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: plain\r\n\r\nok";

/// A head with half of its body.
const HALF: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nhalf";

#[tokio::test]
async fn a_request_has_its_headers_and_a_response_its_parts() {
    let server = Server::answering(OK).await;
    let url = server.url("http", "127.0.0.1");
    let response = any().post(&url, &[("content-type", "text/plain")], b"hello".to_vec(), LIMITS).await.unwrap();
    assert_eq!((response.status, response.is_success(), response.body.as_slice()), (200, true, b"ok".as_slice()));
    assert_eq!((response.header("x-kind"), response.header("x-other")), (Some("plain"), None));
    let [request] = server.requests().try_into().unwrap();
    assert!(request.starts_with("POST /path?query HTTP/1.1\r\n"), "{request}");
    for line in [
        format!("host: 127.0.0.1:{}", server.port),
        format!("user-agent: {AGENT}"),
        "content-type: text/plain".to_owned(),
        "content-length: 5".to_owned(),
        "connection: close".to_owned(),
    ] {
        assert!(request.contains(&format!("{line}\r\n")), "{line}: {request}");
    }
    let response = any().get(&url, &[], LIMITS).await.unwrap();
    assert_eq!(response.status, 200);
    assert!(server.requests()[1].starts_with("GET /path?query HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_header_with_a_line_break_is_refused_before_anything_is_sent() {
    let server = Server::answering(OK).await;
    let refused = any().get(&server.url("http", "127.0.0.1"), &[("x-a", "b\r\nx-c: d")], LIMITS).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Request(_)), "{refused}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let target = Server::answering(OK).await;
    let answer =
        format!("HTTP/1.1 307 Go\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", target.url("http", "127.0.0.1"));
    let server = Server::answering(answer).await;
    let response = any().post(&server.url("http", "127.0.0.1"), &[], vec![], LIMITS).await.unwrap();
    assert_eq!((response.status, response.is_success()), (307, false));
    assert!(response.header("location").unwrap().ends_with("/path?query"));
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn a_response_that_is_too_large_is_cut_off() {
    let big = "x".repeat(1_001);
    for answer in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{big}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{big}\r\n0\r\n\r\n"),
        // It announces more than memory could hold, or never ends.
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{big}"),
    ] {
        let server = Server::answering(answer).await;
        let failed = any().get(&server.url("http", "127.0.0.1"), &[], LIMITS).await.unwrap_err();
        assert_eq!(failed.to_string(), "the response with status 200 is incomplete: it is larger than 1000 bytes");
    }
    let server = Server::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", &big[1..])).await;
    assert_eq!(any().get(&server.url("http", "127.0.0.1"), &[], LIMITS).await.unwrap().body.len(), 1_000);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let server = Server::answering(format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(2 * HEAD_BYTES))).await;
    let failed = any().get(&server.url("http", "127.0.0.1"), &[], LIMITS).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Protocol(_)), "{failed}");
}

#[tokio::test]
async fn the_whole_exchange_is_over_at_its_deadline() {
    // No head, half a head, and half a body.
    for (answer, reason) in [
        ("", "timed out"),
        ("HTTP/1.1 200 OK\r\n", "timed out"),
        (HALF, "the response with status 503 is incomplete: it was not there in time"),
    ] {
        let server = Server::answering(answer).await;
        let (limits, begun) = (Limits { time: Duration::from_millis(100), ..LIMITS }, Instant::now());
        let failed = any().get(&server.url("http", "127.0.0.1"), &[], limits).await.unwrap_err();
        assert_eq!(failed.to_string(), reason);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    // A server that accepts and never starts TLS.
    let server = Server::answering("").await;
    let limits = Limits { time: Duration::from_millis(100), ..LIMITS };
    let failed = trusting(FIRST.0).get(&server.url("https", "localhost"), &[], limits).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Timeout), "{failed}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_its_head() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let answer = async {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(HALF.as_bytes()).await.unwrap();
        // Reads all, so that the connection is closed and not reset.
        let mut request = vec![];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
    };
    let client = any();
    let (failed, ()) = tokio::join!(client.get(&url, &[], LIMITS), answer);
    let OutboundError::Incomplete { response, .. } = failed.unwrap_err() else { panic!() };
    assert_eq!((response.status, response.header("retry-after")), (503, Some("7")));
}

#[tokio::test]
async fn a_connection_is_closed_when_its_exchange_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    let client = any();
    let (failed, accepted) = tokio::join!(client.get(&url, &[], limits), listener.accept());
    assert!(matches!(failed, Err(OutboundError::Timeout)));
    let mut stream = accepted.unwrap().0;
    let mut received = vec![];
    timeout(Duration::from_secs(5), stream.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received.starts_with(b"GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_is_not_http_is_an_error_of_the_protocol() {
    for answer in ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] {
        let server = Server::answering(answer).await;
        let failed = any().get(&server.url("http", "127.0.0.1"), &[], LIMITS).await.unwrap_err();
        assert!(matches!(failed, OutboundError::Protocol(_)), "{answer:?}: {failed}");
    }
}

#[tokio::test]
async fn a_port_without_a_listener_cannot_be_connected_to() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{closed}/")).unwrap();
    let failed = any().get(&url, &[], LIMITS).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Connect(address, _) if address == closed), "{failed}");
}

#[tokio::test]
async fn the_certificate_has_to_be_trusted_and_to_name_the_host() {
    let server = Server::with_tls(OK).await;
    let response = trusting(FIRST.0).get(&server.url("https", "localhost"), &[], LIMITS).await.unwrap();
    assert_eq!(response.body, b"ok");
    let requests = server.requests();
    assert_eq!(requests[0], "localhost", "the name that the client asks for");
    assert!(requests[1].contains(&format!("host: localhost:{}\r\n", server.port)), "{}", requests[1]);
    for (client, host) in [(trusting(FIRST.0), "127.0.0.1"), (trusting(SECOND), "localhost"), (any(), "localhost")] {
        let failed = client.get(&server.url("https", host), &[], LIMITS).await.unwrap_err();
        assert!(matches!(failed, OutboundError::Tls(_)), "{host}: {failed}");
    }
    assert_eq!(server.requests().len(), 2, "nothing was sent");
}

#[tokio::test]
async fn a_client_for_this_machine_may_accept_any_certificate() {
    let server = Server::with_tls(OK).await;
    let client = Client::trusting_any_certificate(Addresses::Any);
    assert_eq!(client.get(&server.url("https", "127.0.0.1"), &[], LIMITS).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_plain_server_does_not_pass_for_one_with_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
    let answer = async {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let client = trusting(FIRST.0);
    let (failed, _stream) = tokio::join!(client.get(&url, &[], LIMITS), answer);
    assert!(matches!(failed, Err(OutboundError::Tls(_))), "{failed:?}");
}
