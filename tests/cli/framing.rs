//! Requests whose end is ambiguous, so that two readers could find it at different positions. Each is refused once,
//! with a problem, and the connection closes, so that nothing behind it is ever taken for a request.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// Follows every request. A response to it would mean that a request was smuggled in.
const SMUGGLED: &str = "GET /version HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// Sends these bytes and returns everything the server sends until it closes the connection.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(bytes)));
    String::from_utf8(answer).unwrap()
}

/// Asserts that `answer` is exactly one complete refusal.
fn assert_refused(answer: &str, status: u16, codes: &[&str], case: &str) {
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{case}: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{case}: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{case}: {answer}");
    for line in
        ["content-type: application/problem+json", "connection: close", "x-request-id: ", "x-content-type-options"]
    {
        assert!(head.contains(line), "{line}: {case}: {answer}");
    }
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{case}: {e}: {answer}"));
    assert_eq!(problem["status"], status, "{case}: {answer}");
    assert!(codes.contains(&problem["code"].as_str().unwrap()), "{case}: {answer}");
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert_eq!(problem["request_id"], id, "{case}");
}

/// Heads that must be refused. `^` stands for CR LF.
const REFUSED: &[&str] = &[
    // Content-Length and Transfer-Encoding.
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 4^Transfer-Encoding: chunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked^Content-Length: 4^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^content-length: 0^transfer-encoding: identity^^",
    // Transfer codings other than a single `chunked`.
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked, chunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked^Transfer-Encoding: chunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked^Transfer-Encoding: identity^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: gzip^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: gzip, chunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked, identity^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: identity^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: xchunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: chunked;q=1^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: \"chunked\"^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding: \x0bchunked^^0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding:^^",
    "POST /v1/auth/login HTTP/1.0^Host: a^Transfer-Encoding: chunked^^0^^",
    // Lengths.
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 0^Content-Length: 5^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 0, 5^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 0, 0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: +0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: -1^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 0x0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 1 2^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: 1.0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length:^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length: \"0\"^^",
    // White space and line ends.
    "POST /v1/auth/login HTTP/1.1^Host: a^Content-Length : 0^^",
    "POST /v1/auth/login HTTP/1.1^Host: a^Transfer-Encoding\t: chunked^^0^^",
    "GET /version HTTP/1.1^Host: a^X: a^ b: c^^",
    "GET /version HTTP/1.1^Host: a^X: a^\tb^^",
    "GET /version HTTP/1.1^ Host: a^^",
    "GET /version HTTP/1.1^Host: a^X: a\rb^^",
    "GET /version HTTP/1.1^Host: a^X: a\r\r\n^",
    "GET /version HTTP/1.1\rHost: a^^",
    "GET /version HTTP/1.1\nHost: a\n\n",
    "GET /version HTTP/1.1^Host: a\nX: a^^",
    "GET /version HTTP/1.1^Host: a^X: a\n^",
    "GET /version HTTP/1.1^Host: a^X: a\0b^^",
    "^^GET /version HTTP/1.1^Host: a^^",
    // Names and first lines.
    "GET /version HTTP/1.1^Host: a^: a^^",
    "GET /version HTTP/1.1^Host: a^X^^",
    "GET /version HTTP/1.1^Host: a^X(: a^^",
    "GET /version HTTP/1.1^Host: a^X\u{e4}: a^^",
    "GET  /version HTTP/1.1^Host: a^^",
    "GET /version  HTTP/1.1^Host: a^^",
    "GET /ver sion HTTP/1.1^Host: a^^",
    "GET /version^Host: a^^",
    "GET /version HTTP/1.2^Host: a^^",
    "GET /version HTTP/2.0^Host: a^^",
    "GET /version http/1.1^Host: a^^",
    "GET version HTTP/1.1^Host: a^^",
    "G(ET /version HTTP/1.1^Host: a^^",
    " GET /version HTTP/1.1^Host: a^^",
    "PRI * HTTP/2.0^^SM^^",
    "\x16\x03\x01\x02\n",
    // Hosts.
    "GET /version HTTP/1.1^^",
    "GET /version HTTP/1.1^Host: a^Host: b^^",
    "GET /version HTTP/1.1^Host: a^host: a^^",
    "GET /version HTTP/1.1^Host:^^",
    "GET /version HTTP/1.1^Host: a b^^",
    "GET /version HTTP/1.1^Host: a, b^^",
    "GET /version HTTP/1.1^Host: a/b^^",
    "GET /version HTTP/1.1^Host: b@a^^",
    "GET /version HTTP/1.0^Host: a^Host: b^^",
];

#[test]
fn heads_with_an_ambiguous_end_are_refused_once() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    for case in REFUSED {
        let text = case.replace('^', "\r\n");
        for followed in [text.clone(), text.clone() + SMUGGLED, format!("{SMUGGLED}{text}{SMUGGLED}")] {
            let answer = exchange(&server, followed.as_bytes());
            let refusal = match followed.strip_prefix(SMUGGLED) {
                // The valid request before it is answered first.
                Some(_) => &answer[answer.find("HTTP/1.1 400").unwrap_or_else(|| panic!("{case:?}: {answer}"))..],
                None => &answer,
            };
            assert_refused(refusal, 400, &["malformed_request", "invalid_header"], &format!("{case:?}"));
        }
    }
}

/// Chunked bodies that must be refused, behind a valid head.
const BROKEN: &[&str] = &[
    "x^{}^0^^",
    "-2^{}^0^^",
    "+2^{}^0^^",
    "0x2^{}^0^^",
    " 2^{}^0^^",
    "2 ^{}^0^^",
    "^{}^0^^",
    "2\n{}^0^^",
    "2^{}0^^",
    "2^{}\n0^^",
    "3^{}^0^^",
    "1^{}^0^^",
    "2;a\nb^{}^0^^",
    "2;\0^{}^0^^",
    "2^{}^0^\n",
    "2^{}^0^a\n^",
    "fffffffffffffffff^{}^0^^",
    "10000000000000002^{}^0^^",
    "ffffffffffffffff^{}^0^^",
];

#[test]
fn chunks_with_an_ambiguous_end_are_refused_once() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for case in BROKEN {
        let text = format!("{head}{}{SMUGGLED}", case.replace('^', "\r\n"));
        let answer = exchange(&server, text.as_bytes());
        assert_refused(&answer, 400, &["invalid_json"], &format!("{case:?}"));
    }
}

#[test]
fn valid_requests_pass_whatever_their_spelling() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    for case in [
        "GET /version HTTP/1.1^Host: a^^",
        "^GET /version HTTP/1.1^HOST:a^^",
        "GET /version HTTP/1.1^Host:\ta:80 ^^",
        "GET /version HTTP/1.1^Host: [::1]:80^X:^Y: \u{e4}^^",
        "GET http://a/version HTTP/1.1^Host: b^^",
        "GET /version HTTP/1.1^Host: a^Content-Length: 4^^body",
        "GET /version HTTP/1.1^Host: a^Content-Length: 004^^body",
        "GET /version HTTP/1.1^Host: a^Transfer-Encoding: CHUNKED^^1;a=\"b\"^x^00^A: b^^",
    ] {
        let text = case.replace('^', "\r\n");
        let last = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = exchange(&server, format!("{text}{text}{last}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{case:?}: {answer}");
    }
    for case in ["GET /version HTTP/1.0^^", "GET /version HTTP/1.0^Host: a^^"] {
        let answer = exchange(&server, case.replace('^', "\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.0 200 OK"), "{case:?}: {answer}");
    }
}

#[test]
fn the_size_of_a_head_is_limited() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let long = format!("GET /version HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert_refused(&exchange(&server, long.as_bytes()), 400, &["malformed_request"], "a long line");
    let many = format!("GET /version HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200));
    assert_refused(&exchange(&server, many.as_bytes()), 400, &["malformed_request"], "many lines");
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_arrives() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    for length in ["1048577", "999999999999", "18446744073709551614", "99999999999999999999999999"] {
        let answer = exchange(&server, format!("{head}Content-Length: {length}\r\n\r\n").as_bytes());
        assert_refused(&answer, 413, &["body_too_large"], length);
    }
    // The length of a chunked body is not known before. The response is sent as soon as the limit is exceeded, and
    // reaches a client that is still sending.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..40 {
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_refused(&answer, 413, &["body_too_large"], "an endless body");
}

#[test]
fn an_unfinished_head_is_refused_after_its_deadline() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let answer = exchange(&server, b"GET /version HTTP/1.1\r\nHost: a\r\n");
    assert_refused(&answer, 408, &["slow_head"], "half a head");
}

#[test]
fn compressed_deep_and_truncated_bodies_are_refused() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let request = |headers: &str, body: &str| {
        let head = "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n";
        format!("{head}Content-Length: {}\r\n{headers}\r\n{body}", body.len())
    };
    let encoded = exchange(&server, request("Content-Encoding: gzip\r\n", "\u{1f}").as_bytes());
    assert_refused(&encoded, 415, &["unsupported_media_type"], "compressed");
    let deep = "[".repeat(500_000);
    assert_refused(&exchange(&server, request("", &deep).as_bytes()), 400, &["invalid_json"], "deep");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(request("", "{\"email\": \"a").replace("Length: 12", "Length: 50").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 0, "{answer}");
}
