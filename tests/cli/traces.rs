//! Traces as a collector receives them: over a real socket, from the real executable.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread::spawn,
    time::Duration,
};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// A certificate for `localhost`.
const CERTIFICATE: (&str, &str) = (include_str!("certificates/first.crt"), include_str!("certificates/first.key"));

/// A server that accepts every request for traces.
struct Collector {
    endpoint: String,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(vec![]));
        let shared = Arc::clone(&received);
        spawn(move || {
            for stream in listener.incoming() {
                shared.lock().unwrap().extend(receive(stream.unwrap()));
            }
        });
        Self { endpoint, received }
    }

    /// A collector that speaks TLS and shows [`CERTIFICATE`].
    fn start_with_tls() -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(CERTIFICATE.1.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://localhost:{}/v1/traces", listener.local_addr().unwrap().port());
        let received = Arc::new(Mutex::new(vec![]));
        let shared = Arc::clone(&received);
        spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                shared.lock().unwrap().extend(receive(StreamOwned::new(connection, stream.unwrap())));
            }
        });
        Self { endpoint, received }
    }

    /// Every span that was received, with the resource's attributes checked.
    fn spans(&self) -> Vec<Value> {
        let received = self.received.lock().unwrap();
        let resources = received.iter().flat_map(|body| body["resourceSpans"].as_array().unwrap());
        let checked = resources.inspect(|of| {
            assert_eq!(
                of["resource"]["attributes"][0],
                json!({"key": "service.name", "value": {"stringValue": "orderd"}})
            );
        });
        checked.flat_map(|of| of["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
    }
}

/// Answers one request with 200 and returns its body; none if the peer sends nothing or does not trust the certificate.
fn receive(stream: impl Read + Write) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let header = line.trim_end().to_lowercase();
        if header.is_empty() {
            break;
        }
        length = header.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
        assert!(!header.starts_with("content-type: ") || header == "content-type: application/json");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = reader.into_inner();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").ok()?;
    stream.flush().ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

fn order() -> Value {
    json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 1000}]})
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name);
    &found.unwrap_or_else(|| panic!("{name}: {span}"))["value"]
}

#[test]
fn a_request_and_its_write_are_spans_of_the_callers_trace() {
    let (dir, collector) = (TestDir::new(), Collector::start());
    let server = Server::start(&dir, &ADMIN, &format!("--set traces.otlp_endpoint={}", collector.endpoint));
    let admin = server.admin();
    let recorded = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("Idempotency-Key", "one"), ("traceparent", recorded.as_str()), ("X-Request-Id", "mine")];
    assert_eq!(admin.send("POST /v1/orders", &headers, &order()).unwrap().status, 201);
    let unrecorded = format!("00-{}-{CALLER}-00", "1".repeat(32));
    let headers = [("Idempotency-Key", "two"), ("traceparent", unrecorded.as_str())];
    assert_eq!(admin.send("POST /v1/orders", &headers, &order()).unwrap().status, 201);
    let key = json!({"name": "till", "permissions": ["orders:read"]});
    assert_eq!(admin.send("POST /v1/api-keys", &headers[1..], &key).unwrap().status, 201);
    let traces = |path: &str| {
        let rows = admin.get(path).body["data"].as_array().unwrap().clone();
        rows.into_iter().map(|row| row["trace_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(traces("/v1/events"), [json!(TRACE), json!("1".repeat(32))]);
    assert_eq!(traces("/v1/audit?limit=1"), [json!("1".repeat(32))]);
    let log = server.log();
    assert_eq!(server.stop().0, Some(0), "the last spans are sent before it ends");

    let spans = collector.spans();
    let ours: Vec<_> = spans.iter().filter(|span| span["traceId"] == TRACE).collect();
    let named =
        |name: &str| ours.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {ours:?}"));
    let (request, write) = (named("request orders.create"), named("write orders.create"));
    assert_eq!((&request["parentSpanId"], &request["kind"]), (&json!(CALLER), &json!(2)));
    assert_eq!((&write["parentSpanId"], &write["kind"]), (&request["spanId"], &json!(1)));
    assert_eq!(attribute(request, "http.response.status_code"), &json!({"intValue": "201"}));
    assert_eq!(attribute(request, "request.id"), &json!({"stringValue": "mine"}));
    let nanos = |span: &Value, end: &str| span[end].as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos(request, "startTimeUnixNano") <= nanos(write, "startTimeUnixNano"));
    assert!(nanos(write, "endTimeUnixNano") <= nanos(request, "endTimeUnixNano") + 1_000_000);
    assert!(spans.iter().all(|span| span["traceId"] != "1".repeat(32)), "the caller does not sample that trace");
    assert!(spans.iter().any(|span| span["name"] == "request auth.login"), "a trace of its own: {spans:?}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["request.id"] == "mine" && line["trace.id"] == TRACE), "{log}");
    assert!(lines.iter().any(|line| line["trace.id"] == "1".repeat(32)), "{log}");
}

/// The log of a server that was stopped after it had something to send to a collector with TLS, and the names of the
/// spans that the collector received.
fn export_with(roots: &[(&str, &str)]) -> (String, Vec<Value>) {
    let (dir, collector) = (TestDir::new(), Collector::start_with_tls());
    dir.write("roots.pem", CERTIFICATE.0);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let arguments = format!("--set traces.otlp_endpoint={}", collector.endpoint);
    let server = Server::start(&dir, &[&ADMIN, roots].concat(), &arguments);
    server.admin();
    assert_eq!(server.stop().0, Some(0));
    let names = collector.spans().into_iter().map(|span| span["name"].clone()).collect();
    (fs::read_to_string(dir.path().join("log")).unwrap(), names)
}

#[test]
fn a_collector_may_speak_tls_if_its_certificate_is_trusted() {
    let (log, names) = export_with(&[("SSL_CERT_FILE", "roots.pem")]);
    assert!(names.contains(&json!("request auth.login")), "{log}");
    // The roots of the machine, and those of Mozilla where it has none.
    for roots in [&[][..], &[("SSL_CERT_DIR", "empty")]] {
        let (log, names) = export_with(roots);
        assert!(names.is_empty() && log.contains("traces cannot be sent") && log.contains("TLS: "), "{log}");
    }
    // No other roots take the place of a file that cannot be read.
    let (log, names) = export_with(&[("SSL_CERT_FILE", "missing.pem")]);
    assert!(names.is_empty() && log.contains("the root certificates cannot be read"), "{log}");
}

#[test]
fn a_collector_that_is_gone_harms_no_request_and_is_logged_once() {
    let dir = TestDir::new();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arguments = format!("--set traces.otlp_endpoint=http://{gone}/v1/traces --set metrics.public=true");
    let server = Server::start(&dir, &ADMIN, &arguments);
    let admin = server.admin();
    for key in ["one", "two", "three"] {
        assert_eq!(admin.send("POST /v1/orders", &[("Idempotency-Key", key)], &order()).unwrap().status, 201);
        std::thread::sleep(Duration::from_millis(1_100));
    }
    let page = admin.text("/metrics");
    let value = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap();
    assert!(value("orderd_trace_spans_dropped_total") >= 2, "{page}");
    assert_eq!(value("orderd_trace_spans_sent_total"), 0);
    let log = server.log();
    assert_eq!(log.matches("traces cannot be sent").count(), 1, "{log}");
    assert_eq!(server.stop().0, Some(0));
}
