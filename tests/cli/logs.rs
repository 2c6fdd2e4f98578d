//! Log lines under hostile input: whatever clients send, each entry is one line of plain text, or of JSON if
//! configured, and contains no secret. `ORDERD_SOAK=N` sends N times as many requests.

use crate::{
    server::{ADMIN, Client, Server},
    support::TestDir,
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Garbage requests of one run.
const REQUESTS: usize = 1_500;
/// Sequences that would end a line, colour it, reverse it or close a string.
const EVIL: [&str; 12] = [
    "\r\n",
    "\n{\"level\":\"error\"}",
    "%0d%0a",
    "%1b[31m",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{2028}",
    "\"}",
    "\\",
    "\0",
    "\u{9b}",
    "%e2%80%ae",
];
/// Must never appear in a log.
const CANARY: &str = "canary-of-a-secret";

fn times() -> usize {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let soak = std::env::var("ORDERD_SOAK").ok().and_then(|times| times.parse().ok());
    soak.unwrap_or(1)
}

fn garbage(random: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(1..6) {
        match random.u8(..3) {
            0 => text.push_str(EVIL[random.usize(..EVIL.len())]),
            1 => text.push(random.char(..)),
            _ => (0..random.usize(..12)).for_each(|_| text.push(random.alphanumeric())),
        }
    }
    text
}

/// A request with garbage in one part, and a secret in every part that may hold secrets.
fn request(random: &mut fastrand::Rng, token: &str) -> Vec<u8> {
    let evil = garbage(random);
    let paths = ["/v1/orders", "/v1/auth/login", "/v1/users", "/livez", "/v1/setup", "/v1/auth/refresh", "/nowhere"];
    let mut path = paths[random.usize(..paths.len())].to_owned();
    let mut method = if random.bool() { "POST" } else { "GET" }.to_owned();
    let (mut name, mut value, mut body) =
        ("X-Any".to_owned(), "any".to_owned(), json!({"password": CANARY}).to_string());
    match random.u8(..8) {
        0 => path.push_str(&evil),
        1 => path = format!("{path}?access_token={CANARY}&{evil}"),
        2 => method = evil,
        3 => name = evil,
        4 => (name, value) = ("X-Request-Id".to_owned(), evil),
        5 => (name, value) = ("traceparent".to_owned(), evil),
        6 => {
            body = json!({"email": evil, "password": CANARY, "token": CANARY, "refresh_token": CANARY, "name": evil})
                .to_string();
        }
        _ => body = evil,
    }
    let credentials = if random.bool() { token.to_owned() } else { CANARY.to_owned() };
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Idempotency-Key: {CANARY}\r\nAuthorization: Bearer {credentials}\r\nUser-Agent: {CANARY}\r\n\
         {name}: {value}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn send(address: &str, request: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // The server may refuse the request before it has read all of it, or may wait for more.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut vec![]);
}

/// Sends garbage requests to a server with these arguments. Returns its log and the administrator's token.
fn log_under_garbage(requests: usize, arguments: &str) -> (String, String) {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, arguments);
    let admin = server.admin();
    let token = admin.token.clone().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..requests {
        send(&server.address, &request(&mut random, &token));
    }
    assert_eq!(server.client().get("/livez").status, 200);
    let log = server.log();
    assert_eq!(server.stop().0, Some(0));
    (log, token)
}

fn assert_harmless(log: &str, token: &str) {
    let hostile =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
    assert!(!log.contains(hostile), "{:?}", log.lines().find(|line| line.contains(hostile)));
    let signature = token.split('.').next_back().unwrap();
    for secret in [CANARY, ADMIN[1].1, token, signature] {
        assert!(!log.contains(secret), "{:?}", log.lines().find(|line| line.contains(secret)));
    }
}

#[test]
fn every_log_line_is_json_whatever_clients_send() {
    let (log, token) = log_under_garbage(REQUESTS * times(), "");
    assert_harmless(&log, &token);
    assert!(!log.contains("GET /livez → 200") && log.contains("POST /v1/auth/login → 200"), "probes fill no log");
    let mut requests = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let fields = line.as_object().unwrap();
        assert!(fields.values().all(|value| !value.is_object() && !value.is_array()), "flat: {line}");
        assert!(fields["time"].is_string() && fields["level"].is_string() && fields["message"].is_string(), "{line}");
        if fields.contains_key("http.status") {
            requests += 1;
            let answered = format!("→ {} in ", fields["http.status"]);
            assert!(fields["message"].as_str().unwrap().contains(&answered), "{line}");
            assert!(fields["request.id"].is_string() && fields["duration_us"].is_u64(), "{line}");
            assert_eq!(fields["trace.id"].as_str().unwrap().len(), 32, "{line}");
            assert_eq!(fields["http.status"].as_u64().unwrap() >= 400, fields.contains_key("error.code"), "{line}");
        }
    }
    assert!(requests > REQUESTS / 3, "too few requests were logged: {requests}");
}

#[test]
fn the_trace_level_is_as_harmless() {
    let (log, token) = log_under_garbage(REQUESTS / 10 * times(), "--log-level trace");
    assert_harmless(&log, &token);
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
}

#[test]
fn pretty_lines_are_plain_text() {
    let (log, token) = log_under_garbage(REQUESTS / 10 * times(), "--log-format pretty");
    assert_harmless(&log, &token);
    assert!(log.lines().all(|line| line.starts_with("20")), "each line begins with its time: {log}");
}

/// The log lines that have this field.
fn lines_with(log: &str, field: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get(field).is_some()).collect()
}

fn log_in(client: &Client, password: &str) -> u16 {
    let body = json!({"email": ADMIN[0].1, "password": password});
    client.send("POST /v1/auth/login", &[], &body).unwrap().status
}

#[test]
fn log_ins_and_refusals_are_logged() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    assert_eq!(log_in(&server.client(), "wrong"), 401);
    let body = json!({"name": "till", "permissions": ["orders:read"]});
    let made = admin.send("POST /v1/api-keys", &[], &body).unwrap().body;
    let mut key = server.client();
    key.token = Some(made["secret"].as_str().unwrap().to_owned());
    assert_eq!(key.get("/v1/users").status, 403);
    let log = server.log();
    let outcomes = lines_with(&log, "auth.outcome");
    let outcomes: Vec<_> = outcomes.iter().map(|line| (&line["auth.outcome"], line.get("user.id").is_some())).collect();
    assert_eq!(outcomes, [(&json!("succeeded"), true), (&json!("invalid_credentials"), false)]);
    let refused = lines_with(&log, "error.code");
    let codes: Vec<_> = refused.iter().map(|line| (&line["operation"], &line["error.code"])).collect();
    assert_eq!(
        codes,
        [(&json!("auth.login"), &json!("invalid_credentials")), (&json!("users.list"), &json!("forbidden"))]
    );
    assert_eq!(refused[1]["actor"], made["id"]);
    assert!(!log.contains(made["secret"].as_str().unwrap()));
}

#[test]
fn warnings_name_their_request_when_lower_levels_are_off() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "--log-level warn");
    assert_eq!(log_in(&server.client(), "wrong"), 401);
    let lines = lines_with(&server.log(), "auth.outcome");
    assert!(lines[0]["request.id"].is_string() && lines[0]["trace.id"].is_string(), "{lines:?}");
}
