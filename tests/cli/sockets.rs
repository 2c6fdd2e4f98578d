//! A server on a Unix socket instead of a port.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

const SOCKET: &str = "--set server.listen=unix:http.sock";

#[test]
fn a_server_on_a_socket_answers_its_group_and_gives_the_socket_up() {
    let dir = TestDir::new();
    let path = dir.path().join("http.sock");
    let server = Server::start(&dir, &ADMIN, SOCKET);
    assert_eq!(server.address, "http.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let check = || dir.run(&format!("healthcheck {SOCKET}"));
    assert_eq!((check().code, check().out.as_str()), (0, "http.sock: ready\n"));

    let second = dir.run(&format!("serve --db other.db {SOCKET}"));
    assert_eq!(second.code, 1);
    assert!(second.err.starts_with("orderd: cannot listen on unix:http.sock: another process"), "{}", second.err);
    server.kill();
    assert!(path.exists(), "a killed server leaves its socket");
    let refused = check();
    assert!(refused.code == 1 && refused.err.contains("http.sock: Connection refused"), "{}", refused.err);
    let server = Server::start(&dir, &ADMIN, SOCKET);
    assert_eq!(check().code, 0);
    assert_eq!(server.stop().0, Some(0));
    assert!(!path.exists());
}

#[test]
fn a_place_for_a_socket_that_cannot_be_used_is_named() {
    let dir = TestDir::new();
    dir.write("notes.txt", "kept");
    for (path, reason) in
        [("none/http.sock", "its folder does not exist"), ("notes.txt", "there is a file that is no socket")]
    {
        let refused = dir.run(&format!("serve --db orders.db --listen unix:{path}"));
        assert_eq!((refused.code, refused.err.lines().count()), (1, 1), "{}", refused.err);
        assert!(refused.err.starts_with(&format!("orderd: cannot listen on unix:{path}: {reason}")), "{}", refused.err);
    }
    assert_eq!(fs::read_to_string(dir.path().join("notes.txt")).unwrap(), "kept");
}
