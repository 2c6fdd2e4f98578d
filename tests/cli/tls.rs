//! TLS: versions, refused files, and the replacement of a certificate. The certificates were made for these tests, are
//! self-signed and valid for a hundred years.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

const FIRST: (&str, &str) = (include_str!("certificates/first.crt"), include_str!("certificates/first.key"));
const SECOND: (&str, &str) = (include_str!("certificates/second.crt"), include_str!("certificates/second.key"));
const FLAGS: &str = "--set server.tls_cert=cert.pem --set server.tls_key=key.pem";

/// A folder with `cert.pem` and `key.pem`.
fn folder(certificate: &str, key: &str) -> TestDir {
    let dir = TestDir::new();
    put(&dir, certificate, key);
    dir
}

fn put(dir: &TestDir, certificate: &str, key: &str) {
    dir.write("cert.pem", certificate);
    dir.write("key.pem", key);
    fs::set_permissions(dir.path().join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Requests `/livez` as a client that trusts only this certificate.
fn ask(server: &Server, trusted: &str, versions: &[&'static SupportedProtocolVersion]) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(&server.address).unwrap());
    let request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    Ok(answer)
}

#[test]
fn tls_1_2_and_1_3_are_served_with_strict_transport_security() {
    let dir = folder(FIRST.0, FIRST.1);
    let server = Server::start(&dir, &ADMIN, FLAGS);
    assert!(server.secure);
    for version in [&TLS12, &TLS13] {
        let answer = ask(&server, FIRST.0, &[version]).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    }
    assert!(ask(&server, SECOND.0, rustls::ALL_VERSIONS).is_err(), "the certificate is not trusted");
    let mut plain = TcpStream::connect(&server.address).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = vec![];
    // The connection may be reset.
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"), "plain HTTP is not answered");
    assert_eq!(server.stop(), (Some(0), String::new()));
}

#[test]
fn a_certificate_is_replaced_without_a_restart_unless_the_new_one_is_bad() {
    let dir = folder(FIRST.0, FIRST.1);
    let server = Server::start(&dir, &ADMIN, FLAGS);
    let logs_after_sighup = |expected: &str| {
        server.signal(Signal::HUP);
        (0..100).any(|_| {
            sleep(Duration::from_millis(50));
            server.log().contains(expected)
        })
    };
    put(&dir, SECOND.0, FIRST.1);
    assert!(logs_after_sighup("the previous one stays in use"), "{}", server.log());
    ask(&server, FIRST.0, rustls::ALL_VERSIONS).unwrap();
    put(&dir, SECOND.0, SECOND.1);
    assert!(logs_after_sighup("reloaded the TLS certificate"), "{}", server.log());
    ask(&server, SECOND.0, rustls::ALL_VERSIONS).unwrap();
    assert!(ask(&server, FIRST.0, rustls::ALL_VERSIONS).is_err());
}

#[test]
fn sighup_without_a_certificate_does_nothing() {
    let server = Server::start(&TestDir::new(), &ADMIN, "");
    server.signal(Signal::HUP);
    assert_eq!(server.client().get("/livez").status, 200);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_health_check_accepts_any_certificate() {
    let dir = folder(FIRST.0, FIRST.1);
    let server = Server::start(&dir, &ADMIN, FLAGS);
    put(&dir, SECOND.0, SECOND.1);
    let check = format!("healthcheck --listen {}", server.address);
    let asked = dir.run(&format!("{check} {FLAGS}"));
    let expected = format!("https://{}/readyz: ready\n", server.address);
    assert_eq!((asked.code, asked.out, asked.err.as_str()), (0, expected, ""));
    assert_eq!(dir.run(&check).code, 1, "plain HTTP is not answered");
}

#[test]
fn bad_certificate_and_key_files_are_named() {
    for (certificate, key, reason) in [
        ("", FIRST.1, "cert.pem: has no certificate"),
        (FIRST.0, "", "key.pem: "),
        (FIRST.1, FIRST.1, "cert.pem: has no certificate"),
        (FIRST.0, SECOND.1, "cert.pem: with key.pem: the private key does not belong to this certificate"),
        (FIRST.0, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "key.pem: the key is encrypted with a passphrase"),
        (FIRST.0, FIRST.0, "key.pem: has no private key in PEM form"),
        (FIRST.0, "-----BEGIN PRIVATE KEY-----\nMIIE\n", "key.pem: is cut off"),
    ] {
        let refused = folder(certificate, key).run(&format!("serve --db orders.db --listen 127.0.0.1:0 {FLAGS}"));
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
        assert!(refused.err.starts_with(&format!("orderd: TLS: {reason}")), "{}", refused.err);
        let dir = folder(certificate, key);
        let checked = dir.run(&format!("config check {FLAGS}"));
        assert_eq!((checked.code, checked.err), (2, refused.err));
        let set = "--set server.tls_cert=cert.pem --set server.tls_key=key.pem";
        let diagnosed = dir.run(&format!("doctor --db orders.db {set}"));
        assert!(diagnosed.code == 1 && diagnosed.out.contains(&format!("FAIL tls: {reason}")), "{diagnosed:?}");
    }
    let dir = folder(FIRST.0, FIRST.1);
    fs::set_permissions(dir.path().join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = dir.run(&format!("serve --db orders.db --listen 127.0.0.1:0 {FLAGS}"));
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("key.pem: every user may read"), "{}", refused.err);
    let refused = TestDir::new().run(&format!("serve --db orders.db --listen 127.0.0.1:0 {FLAGS}"));
    assert!(refused.code == 2 && refused.err.contains("cert.pem: No such file"), "{}", refused.err);
}

#[test]
fn plain_http_on_a_public_address_must_be_allowed_explicitly() {
    let dir = TestDir::new();
    let refused = dir.run("serve --db orders.db --listen 0.0.0.0:0");
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.contains("plain HTTP") && refused.err.lines().count() == 1, "{}", refused.err);
    let server = Server::start(&dir, &ADMIN, "--set server.listen=0.0.0.0:0 --allow-plain-http");
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &ADMIN, "--set server.listen=0.0.0.0:0 --set server.trusted_proxies=192.0.2.1");
    assert_eq!(server.stop().0, Some(0));
}
