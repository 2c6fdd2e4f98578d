//! Limits on connections, idle connections, and connections of a server that stops.

use crate::{
    kept_connection::KeptConnection,
    server::{ADMIN, Server},
    support::TestDir,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::{
    fs,
    net::TcpStream,
    time::{Duration, Instant},
};

#[test]
fn a_stopping_server_finishes_accepted_requests_and_refuses_new_ones() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let token = server.admin().token.unwrap();
    let [mut api, mut probe, mut page, mut waiting, mut slow, mut silent] =
        [(); 6].map(|()| KeptConnection::to(&server));
    for kept in [&mut api, &mut probe, &mut page, &mut silent] {
        assert!(kept.get("/livez").unwrap().0.starts_with("HTTP/1.1 200 OK"));
    }
    waiting.send(&format!("GET /v1/events?wait=30 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"));
    let body = "{\"email\": \"nobody@example.com\", \"password\": \"a long wrong phrase\"}";
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    slow.send(&format!("{head}Content-Length: {}\r\n\r\n{{", body.len()));
    // The server has read the two requests above once it has answered later ones.
    for _ in 0..3 {
        api.get("/livez").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    server.signal(Signal::TERM);
    let (head, _) = waiting.response().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("connection: close"), "{head}");
    let (head, body_of_refusal) = api.get("/v1/orders").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 1\r\n"), "{head}");
    assert!(head.contains("connection: close") && body_of_refusal.contains("\"draining\""), "{head}{body_of_refusal}");
    let (head, checks) = probe.get("/readyz").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && checks.contains("the service is stopping"), "{head}{checks}");
    assert!(page.get("/version").unwrap().0.contains("connection: close"));
    assert!(TcpStream::connect(&server.address).is_err(), "the server no longer listens");
    slow.send(&body[1..]);
    assert!(slow.response().unwrap().0.starts_with("HTTP/1.1 401 "), "an accepted request is answered");
    for mut kept in [api, probe, page, waiting, slow, silent] {
        assert!(kept.is_closed());
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_parked_connection_goes_on_with_the_next_request() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let mut kept = KeptConnection::to(&server);
    for pause in [0, 1500, 1500] {
        std::thread::sleep(Duration::from_millis(pause));
        kept.send("GET /livez HTTP/1.1\r\nHo");
        std::thread::sleep(Duration::from_millis(pause / 10));
        kept.send("st: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..2 {
            assert!(kept.response().unwrap().0.starts_with("HTTP/1.1 200 OK"));
        }
    }
    std::thread::sleep(Duration::from_millis(1500));
    kept.send("GET /livez HTTP/1.1\r\n\r\n");
    assert!(
        kept.response().unwrap().0.starts_with("HTTP/1.1 400 "),
        "malformed requests are refused after parking too"
    );
    assert!(kept.is_closed());
    let [silent, mut resting] = [(); 2].map(|()| KeptConnection::to(&server));
    resting.get("/livez").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let begun = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(9), "parked connections do not delay the stop");
    assert!([silent, resting].iter_mut().all(KeptConnection::is_closed));
}

#[test]
fn a_client_may_stop_sending_before_it_has_its_response() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let token = server.admin().token.unwrap();
    let body = format!("{{\"email\":\"{}\",\"password\":\"{}\"}}", ADMIN[0].1, ADMIN[1].1);
    let log_in = format!(
        "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let wait = format!("GET /v1/events?after=1000&wait=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    for (requests, answers) in [(wait, 1), (log_in.clone(), 1), (log_in.repeat(2), 2)] {
        let mut kept = KeptConnection::to(&server);
        kept.send(&requests);
        kept.finish_sending();
        for _ in 0..answers {
            let (head, _) = kept.response().unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        }
        assert!(kept.is_closed());
    }
    let mut broken = KeptConnection::to(&server);
    broken.send("GET /livez HTTP/1.1\r\nHost:");
    broken.finish_sending();
    assert!(broken.is_closed(), "half a request has no response");
}

#[test]
fn at_the_limit_the_connection_idle_for_longest_is_evicted() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "--set limits.connections=3");
    let mut kept: Vec<_> = (0..3).map(|_| KeptConnection::to(&server)).collect();
    for kept in &mut kept {
        kept.get("/livez").unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut late = KeptConnection::to(&server);
    assert!(late.get("/livez").unwrap().0.starts_with("HTTP/1.1 200 OK"));
    assert!(kept[0].is_closed());
    assert!(kept[2].get("/livez").is_some());
}

#[test]
fn each_address_has_a_limit_on_connections() {
    let dir = TestDir::new();
    let settings =
        "--set limits.connections_per_address=3 --set server.trusted_proxies=127.0.0.9 --set metrics.public=true";
    let server = Server::start(&dir, &[], settings);
    let served =
        |kept: &mut KeptConnection| kept.get("/livez").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200 OK"));
    let mut kept: Vec<_> = (0..3).map(|_| KeptConnection::from("127.0.0.2", &server)).collect();
    assert!(kept.iter_mut().all(served));
    for _ in 0..5 {
        assert!(KeptConnection::from("127.0.0.2", &server).is_closed());
    }
    assert!(kept.iter_mut().all(served), "open connections stay open");
    for address in ["127.0.0.3", "127.0.0.9", "127.0.0.1"] {
        assert!(served(&mut KeptConnection::from(address, &server)), "{address}");
    }
    for address in ["127.0.0.9", "127.0.0.1"] {
        let mut many: Vec<_> = (0..6).map(|_| KeptConnection::from(address, &server)).collect();
        assert!(many.iter_mut().all(served), "{address} is not limited");
    }
    let metrics = server.client().text("/metrics");
    assert!(metrics.contains("\norderd_http_connections_refused_total 5\n"), "{metrics}");
    let lines = server.log().lines().filter(|line| line.contains("refused connections from an address")).count();
    assert!((1..=5).contains(&lines), "{lines}: {}", server.log());

    kept.pop();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !served(&mut KeptConnection::from("127.0.0.2", &server)) {
        assert!(Instant::now() < deadline, "a closed connection makes room for another");
    }
}

#[test]
fn the_server_recovers_from_a_lack_of_file_descriptors() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let pid = server.pid();
    let used = fs::read_dir(format!("/proc/{}/fd", Pid::as_raw(Some(pid)))).unwrap().count();
    let few = Some(u64::try_from(used).unwrap() + 8);
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
    let mut idle: Vec<_> = (0..40).map(|_| KeptConnection::to(&server)).collect();
    // An idle connection is evicted for it.
    let mut late = KeptConnection::to(&server);
    assert!(late.get("/livez").unwrap().0.starts_with("HTTP/1.1 200 OK"));
    assert!(server.log().contains("no connection can be accepted"), "{}", server.log());
    idle.clear();
    assert!(KeptConnection::to(&server).get("/livez").is_some());
}
