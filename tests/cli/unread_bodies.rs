//! Requests that are answered before their body was read: the response either says `Connection: close`, or the server
//! reads the body to its end. The next request on the connection is never lost.
//!
//! Head and body are sent in separate packets, so that the server has decided before the body arrives.

use crate::{
    kept_connection::KeptConnection,
    server::{ADMIN, Server},
    support::{TestDir, cycles},
};
use serde_json::json;
use std::{io::Read, thread::sleep, time::Duration};

/// The default of `limits.body_bytes`.
const BODY_LIMIT: usize = 1_048_576;

/// A request that is answered from its head alone.
struct Early {
    status: &'static str,
    /// The request line and headers, without those that describe the body's length.
    head: String,
}

fn early_answers(server: &Server) -> Vec<Early> {
    let key = json!({"name": "till", "permissions": ["orders:read"]});
    let key = server.admin().send("POST /v1/api-keys", &[], &key).unwrap().body;
    let key = key["secret"].as_str().unwrap();
    let early = |status, lines: &str| Early { status, head: lines.replace('^', "\r\n") };
    vec![
        early("401", "POST /v1/orders HTTP/1.1^Host: a^Content-Type: application/json^"),
        early(
            "403",
            &format!("POST /v1/users HTTP/1.1^Host: a^Content-Type: application/json^Authorization: Bearer {key}^"),
        ),
        early("404", "POST /v1/nowhere HTTP/1.1^Host: a^Content-Type: application/json^"),
        early("405", "PUT /livez HTTP/1.1^Host: a^Content-Type: application/json^"),
        early("415", "POST /v1/auth/login HTTP/1.1^Host: a^Content-Type: text/plain^"),
        early("200", "GET /version HTTP/1.1^Host: a^"),
    ]
}

/// How a body is framed.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Sized,
    Chunked,
}

impl Framing {
    fn header(self, length: usize) -> String {
        match self {
            Self::Sized => format!("Content-Length: {length}\r\n"),
            Self::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        }
    }

    /// The body in pieces, each of which is sent by itself.
    fn pieces(self, length: usize) -> Vec<String> {
        let sizes = (0..length).step_by(100_000).map(|begin| (length - begin).min(100_000));
        match self {
            Self::Sized => sizes.map(|size| "x".repeat(size)).collect(),
            Self::Chunked => {
                let chunks = sizes.map(|size| format!("{size:x}\r\n{}\r\n", "x".repeat(size)));
                chunks.chain(["0\r\n\r\n".to_owned()]).collect()
            }
        }
    }
}

fn says_close(head: &str) -> bool {
    head.contains("\r\nconnection: close\r\n")
}

/// Sends the head, then the body after a pause, and returns the head of the response.
fn exchange(
    connection: &mut KeptConnection,
    early: &Early,
    framing: Framing,
    length: usize,
    pause: Duration,
) -> String {
    connection.send(&format!("{}{}\r\n", early.head, framing.header(length)));
    sleep(pause);
    for piece in framing.pieces(length) {
        // The server may have said `Connection: close` and stopped reading.
        if connection.try_send(&piece).is_err() {
            break;
        }
    }
    let case = format!("{} {framing:?} {length}", early.status);
    let (head, _) = connection.response().unwrap_or_else(|| panic!("{case}: no response"));
    assert!(head.starts_with(&format!("HTTP/1.1 {} ", early.status)), "{case}: {head}");
    head
}

#[test]
fn a_body_up_to_the_limit_is_read_and_the_next_request_is_answered() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    for early in early_answers(&server) {
        for framing in [Framing::Sized, Framing::Chunked] {
            for (length, rounds) in [(1, 10), (500, 10), (200_000, 3), (BODY_LIMIT, 1)] {
                let mut connection = KeptConnection::to(&server);
                for round in 0..cycles(rounds) {
                    let pause = Duration::from_millis(u64::try_from(round).unwrap() % 4);
                    let head = exchange(&mut connection, &early, framing, length, pause);
                    let case = format!("{} {framing:?} {length} round {round}", early.status);
                    assert!(!says_close(&head), "{case}: {head}");
                    let next = connection.get("/livez").unwrap_or_else(|| panic!("{case}: the next request is lost"));
                    assert!(next.0.starts_with("HTTP/1.1 200 OK"), "{case}: {}", next.0);
                }
            }
        }
    }
}

#[test]
fn requests_sent_right_behind_an_unread_body_are_answered_too() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    for early in early_answers(&server) {
        let mut connection = KeptConnection::to(&server);
        for round in 0..cycles(10) {
            connection.send(&format!("{}{}\r\n", early.head, Framing::Chunked.header(0)));
            sleep(Duration::from_millis(u64::try_from(round).unwrap() % 4));
            connection.send("3\r\nabc\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
            for status in [early.status, "200"] {
                let (head, _) = connection.response().unwrap_or_else(|| panic!("{}: lost", early.status));
                assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {head}", early.status);
            }
        }
    }
}

#[test]
fn a_body_over_the_limit_closes_the_connection_and_the_response_says_so() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let too_large = Early {
        status: "413",
        head: "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n".into(),
    };
    // A body of that size is refused before its media type is.
    let early_answers = early_answers(&server).into_iter().filter(|early| early.status != "415");
    for early in early_answers.chain([too_large]) {
        for framing in [Framing::Sized, Framing::Chunked] {
            let mut connection = KeptConnection::to(&server);
            let head = exchange(&mut connection, &early, framing, 2 * BODY_LIMIT, Duration::from_millis(2));
            assert!(says_close(&head), "{} {framing:?}: {head}", early.status);
            assert!(connection.is_closed());
        }
    }
}

#[test]
fn a_body_that_does_not_come_closes_the_connection_and_the_response_says_so() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    for framing in [Framing::Sized, Framing::Chunked] {
        let mut connection = KeptConnection::to(&server);
        connection.send(&format!("{}{}\r\n", early_answers(&server)[0].head, framing.header(10)));
        let (head, _) = connection.response().unwrap();
        assert!(head.starts_with("HTTP/1.1 401 ") && says_close(&head), "{framing:?}: {head}");
        assert!(connection.is_closed());
    }
}

#[test]
fn a_client_that_waits_for_100_continue_is_answered_at_once_and_told_that_the_connection_closes() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    for early in early_answers(&server) {
        for body in ["", "x"] {
            let mut connection = KeptConnection::to(&server);
            connection.send(&format!("{}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", early.head));
            sleep(Duration::from_millis(2));
            // Some clients send the body without waiting.
            let _ = connection.try_send(body);
            let (head, _) = connection.response().unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {} ", early.status)), "the body is not asked for: {head}");
            assert!(says_close(&head), "{}: {head}", early.status);
        }
    }
    let body = format!("{{\"email\":\"{}\",\"password\":\"{}\"}}", ADMIN[0].1, ADMIN[1].1);
    let mut connection = KeptConnection::to(&server);
    for _ in 0..2 {
        let head =
            "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
        connection.send(&format!("{head}Content-Length: {}\r\n\r\n", body.len()));
        assert_eq!(connection.response().unwrap().0, "HTTP/1.1 100 Continue\r\n\r\n");
        connection.send(&body);
        let (head, _) = connection.response().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK") && !says_close(&head), "{head}");
    }
}

#[test]
fn an_import_that_ends_early_reads_its_body_and_the_next_request_is_answered() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let key = json!({"name": "shop", "permissions": ["orders:create"]});
    let key = admin.send("POST /v1/api-keys", &[], &key).unwrap().body;
    let line = |reference: &str| {
        let items = [json!({"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 100})];
        format!("{}\n", json!({"external_ref": reference, "currency": "EUR", "items": items}))
    };
    let (first, rest) = (line("first"), line("rest").repeat(3 * BODY_LIMIT / line("rest").len()));
    let mut connection = KeptConnection::to(&server);
    connection.send(&format!(
        "POST /v1/orders/import HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{first}",
        key["secret"].as_str().unwrap(),
        first.len() + rest.len()
    ));
    let mut found = 0;
    while found != 200 {
        found = admin.get("/v1/orders/ref/first").status;
    }
    let revoke = format!("DELETE /v1/api-keys/{}", key["id"].as_str().unwrap());
    admin.open(&revoke, &[], "").unwrap().read_to_string(&mut String::new()).unwrap();
    // The import ends with its next line, before the rest of the body is read.
    connection.send(&rest);
    let (head, body) = connection.response().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && !says_close(&head), "{head}");
    assert_eq!(body.lines().count(), 2, "{body}");
    assert!(connection.get("/livez").unwrap().0.starts_with("HTTP/1.1 200 OK"));
}
