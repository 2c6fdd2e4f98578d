//! Traces as a collector receives them from the real executable.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::spawn,
    time::Duration,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// An OTLP collector that keeps everything it receives.
struct Collector {
    endpoint: String,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(vec![]));
        let shared = Arc::clone(&taken);
        spawn(move || {
            for stream in listener.incoming() {
                shared.lock().unwrap().extend(take(stream.unwrap()));
            }
        });
        Self { endpoint, taken }
    }

    /// Every received span. Also checks the attributes of the resource.
    fn spans(&self) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let resources = taken.iter().flat_map(|body| body["resourceSpans"].as_array().unwrap());
        let checked = resources.inspect(|of| {
            assert_eq!(
                of["resource"]["attributes"][0],
                json!({"key": "service.name", "value": {"stringValue": "orderd"}})
            );
        });
        checked.flat_map(|of| of["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
    }
}

/// Reads one request, answers 200 and returns the body; `None` if the peer sends nothing.
fn take(stream: TcpStream) -> Option<Value> {
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
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").ok()?;
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
    assert_eq!(server.stop().0, Some(0), "the remaining spans are sent before the process exits");

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

#[test]
fn a_missing_collector_does_no_harm_and_is_logged_once() {
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
