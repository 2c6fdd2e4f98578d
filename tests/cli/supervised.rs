//! `orderd serve` under a supervisor such as systemd, and `orderd healthcheck`.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixDatagram,
    time::Duration,
};

/// The socket of a supervisor, and its path.
fn supervisor(dir: &TestDir) -> (UnixDatagram, String) {
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (socket, path.display().to_string())
}

fn next_message(socket: &UnixDatagram) -> String {
    let mut message = [0; 1024];
    let length = socket.recv(&mut message).unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap()
}

#[test]
fn the_supervisor_is_notified_when_the_server_is_ready_and_when_it_stops() {
    let dir = TestDir::new();
    let (socket, path) = supervisor(&dir);
    let server = Server::start(&dir, &[ADMIN[0], ADMIN[1], ("NOTIFY_SOCKET", &path)], "");
    assert_eq!(next_message(&socket), format!("READY=1\nSTATUS=Serving on http://{}\n", server.address));
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(next_message(&socket), "STOPPING=1\nSTATUS=Stopping\n");
}

#[test]
fn the_watchdog_is_notified_while_the_server_runs() {
    let dir = TestDir::new();
    let (socket, path) = supervisor(&dir);
    let variables = [ADMIN[0], ADMIN[1], ("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "20000")];
    let server = Server::start(&dir, &variables, "");
    assert!(next_message(&socket).starts_with("READY=1\n"));
    assert_eq!([next_message(&socket), next_message(&socket)], ["WATCHDOG=1\n"; 2]);
    server.kill();
}

#[test]
fn a_supervisor_that_is_gone_or_misconfigured_does_no_harm() {
    let dir = TestDir::new();
    let variables = [ADMIN[0], ADMIN[1], ("NOTIFY_SOCKET", "/no/such/socket"), ("WATCHDOG_USEC", "0")];
    let server = Server::start(&dir, &variables, "");
    assert_eq!(server.client().get("/readyz").status, 200);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_health_check_of_a_healthy_server_prints_ready() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let url = format!("http://{}/readyz", server.address);
    let address = server.address.clone();
    for arguments in [format!("--listen {address}"), format!("--url http://{address}")] {
        let asked = dir.run(&format!("healthcheck {arguments}"));
        assert_eq!((asked.code, asked.out, asked.err.as_str()), (0, format!("{url}: ready\n"), ""));
    }
    let asked = dir.run_with(&[("ORDERD_SERVER__LISTEN", &address)], "healthcheck");
    assert_eq!(asked.code, 0, "{}", asked.err);
    server.kill();
    let asked = dir.run(&format!("healthcheck --url http://{address}"));
    assert_eq!((asked.code, asked.out.as_str()), (1, ""));
    assert!(asked.err.starts_with(&format!("orderd: {url}: ")) && asked.err.lines().count() == 1, "{}", asked.err);
}

/// Runs `healthcheck` against a server that answers a request with this text, or never answers.
fn check(answer: Option<&'static str>) -> (i32, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = vec![];
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        if let Some(answer) = answer {
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        // Waits until the other side closes, since a reset would lose the answer.
        let _ = stream.read_to_end(&mut vec![]);
    });
    let outcome = TestDir::new().run(&format!("healthcheck --url http://{address}"));
    server.join().unwrap();
    assert_eq!((outcome.out.as_str(), outcome.err.lines().count()), ("", 1));
    (outcome.code, outcome.err.replace(&address.to_string(), "ADDRESS"))
}

#[test]
fn a_failing_health_check_names_its_reason_in_one_line() {
    let body = r#"{"checks":[{"name":"disk","ok":false,"detail":"the disk is almost full"}]}"#;
    let answer: &'static str = format!("HTTP/1.1 503 Service Unavailable\r\n\r\n{body}").leak();
    let failure = |text: &str| (1, format!("orderd: http://ADDRESS/readyz: {text}\n"));
    assert_eq!(check(Some(answer)), failure("disk: the disk is almost full"));
    assert_eq!(check(Some("SSH-2.0-OpenSSH\r\n")), failure("no answer in HTTP"));
    assert_eq!(check(None), failure("timed out"));
}
