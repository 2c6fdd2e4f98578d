//! `orderd serve`: what it prints and logs, that it has its file to itself, and that it loses nothing.

use crate::{
    server::{ADMIN, Client, Server},
    support::Workplace,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

/// Threads that place orders at once.
const WRITERS: usize = 4;

fn order() -> Value {
    json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250}]})
}

/// An order that was answered 201: its key, and its document.
type Acknowledged = (String, Value);

/// Places orders, one after the other, until the server is gone or `stop` is set.
fn place_orders(client: &Client, name: &str, stop: &AtomicBool) -> Vec<Acknowledged> {
    let mut acknowledged = vec![];
    for i in 0.. {
        let key = format!("{name}-{i}");
        match client.send("POST /v1/orders", &[("Idempotency-Key", &key)], &order()) {
            Some(answer) if answer.status == 201 => acknowledged.push((key, answer.body)),
            // Draining; or gone.
            _ => break,
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

/// [`WRITERS`] threads that place orders from now on.
fn load(admin: &Client, round: usize) -> (Vec<JoinHandle<Vec<Acknowledged>>>, Arc<AtomicBool>) {
    let stop = Arc::new(AtomicBool::new(false));
    let writer = |i| {
        let (client, stop) = (admin.clone(), Arc::clone(&stop));
        spawn(move || place_orders(&client, &format!("round-{round}-writer-{i}"), &stop))
    };
    ((0..WRITERS).map(writer).collect(), stop)
}

fn join(writers: Vec<JoinHandle<Vec<Acknowledged>>>) -> Vec<Acknowledged> {
    writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
}

/// Every order there is, by its identifier.
fn all_orders(client: &Client) -> BTreeMap<String, Value> {
    let (mut all, mut path) = (BTreeMap::new(), "/v1/orders?limit=200".to_owned());
    loop {
        let page = client.get(&path).body;
        for order in page["data"].as_array().unwrap() {
            let before = all.insert(order["id"].as_str().unwrap().to_owned(), order.clone());
            assert!(before.is_none(), "listed twice: {order}");
        }
        let Some(next) = page["page"]["next"].as_str() else { return all };
        path = format!("/v1/orders?limit=200&cursor={next}");
    }
}

/// Whether every acknowledged order is there, once, as it was answered, and its key still gives it.
fn assert_kept(admin: &Client, acknowledged: &[Acknowledged]) {
    let all = all_orders(admin);
    for (key, document) in acknowledged {
        assert_eq!(all.get(document["id"].as_str().unwrap()), Some(document), "{key}");
    }
    let mut numbers: Vec<_> = all.values().map(|order| order["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=u64::try_from(all.len()).unwrap()).collect::<Vec<_>>(), "numbers have no gaps");
    for (key, document) in acknowledged.iter().rev().take(10) {
        let again = admin.send("POST /v1/orders", &[("Idempotency-Key", key)], &order()).unwrap();
        assert_eq!((again.status, &again.body), (201, document), "{key}");
    }
    assert_eq!(all_orders(admin).len(), all.len(), "asking again made no order");
}

#[test]
fn it_says_where_it_listens_and_gives_the_set_up_token_until_it_is_used() {
    let place = Workplace::new();
    let mut server = Server::start(&place, &[], "");
    assert!(server.address.starts_with("127.0.0.1:") && !server.address.ends_with(":0"), "{}", server.address);
    let line = server.line();
    let token = line.strip_prefix("setup token: ").unwrap();
    let body = json!({"token": token, "email": "ada@example.com", "name": "Ada", "password": "a long enough phrase"});
    assert_eq!(server.client().send("POST /v1/setup", &[], &body).unwrap().status, 201);
    assert_eq!(server.client().send("POST /v1/setup", &[], &body).unwrap().status, 409);
    assert_eq!(server.stop(), (Some(0), String::new()));
    let server = Server::start(&place, &[], "");
    assert_eq!(server.client().get("/readyz").status, 200);
    assert_eq!(server.stop(), (Some(0), String::new()), "there is a user: no token any more");
}

#[test]
fn the_environment_makes_the_first_administrator_and_is_then_ignored() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    assert_eq!(server.admin().get("/v1/auth/me").body["role"], "admin");
    assert_eq!(server.stop(), (Some(0), String::new()));
    place.write("password", "another long enough phrase\n");
    let variables = [("ORDERD_ADMIN_EMAIL", "eve@example.com"), ("ORDERD_ADMIN_PASSWORD_FILE", "password")];
    let server = Server::start(&place, &variables, "");
    assert!(server.log().contains("ignored"), "{}", server.log());
    server.admin();
    let body = json!({"email": "eve@example.com", "password": "another long enough phrase"});
    assert_eq!(server.client().send("POST /v1/auth/login", &[], &body).unwrap().status, 401);
    let fresh = Workplace::new();
    fresh.write("password", "another long enough phrase\n");
    let server = Server::start(&fresh, &variables, "");
    assert_eq!(server.client().send("POST /v1/auth/login", &[], &body).unwrap().status, 200);
}

#[test]
fn a_server_that_is_stopped_as_soon_as_it_listens_stops_in_good_order() {
    let place = Workplace::new();
    for round in 0..10 {
        assert_eq!(Server::start(&place, &ADMIN, "").stop().0, Some(0), "round {round}");
    }
}

#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let second = place.run("serve --db orders.db --listen 127.0.0.1:0");
    assert_eq!((second.code, second.out.as_str()), (3, ""));
    assert!(second.err.ends_with("orderd: orders.db: in use by another orderd\n"), "{}", second.err);
    assert_eq!(server.client().get("/readyz").status, 200);
}

#[test]
fn a_foreign_newer_or_damaged_file_is_left_untouched() {
    let place = Workplace::new();
    place.write("notes.db", &"these are notes and no database\n".repeat(500));
    let refused = place.run("serve --db notes.db --listen 127.0.0.1:0");
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("notes.db"), "{}", refused.err);
    Server::start(&place, &ADMIN, "").stop();
    let connection = rusqlite::Connection::open(place.path().join("orders.db")).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let refused = place.run("serve --db orders.db --listen 127.0.0.1:0");
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("schema 999 is newer"), "{}", refused.err);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Workplace::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = place.run(&format!("serve --db orders.db --listen {address}"));
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains(&format!("cannot listen on {address}")), "{}", refused.err);
}

#[test]
fn an_acknowledged_order_survives_a_crash() {
    let place = Workplace::new();
    let mut acknowledged = vec![];
    for round in 0..3 {
        let server = Server::start(&place, &ADMIN, "");
        let (writers, _) = load(&server.admin(), round);
        sleep(Duration::from_millis(500));
        server.kill();
        let more = join(writers);
        assert!(!more.is_empty(), "round {round} placed no order");
        acknowledged.extend(more);
    }
    let server = Server::start(&place, &ADMIN, "");
    assert_kept(&server.admin(), &acknowledged);
}

#[test]
fn stopping_finishes_what_was_accepted() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let (writers, _) = load(&server.admin(), 0);
    sleep(Duration::from_millis(500));
    assert_eq!(server.stop().0, Some(0));
    let acknowledged = join(writers);
    let log = std::fs::metadata(place.path().join("orders.db-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "the write-ahead log was moved into the file");
    let server = Server::start(&place, &ADMIN, "");
    assert_kept(&server.admin(), &acknowledged);
    assert_eq!(all_orders(&server.admin()).len(), acknowledged.len(), "and nothing was done that was not answered");
}

#[test]
fn every_log_line_is_a_json_object_that_names_its_request_and_no_secret() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let admin = server.admin();
    let token = admin.token.clone().unwrap();
    admin.send("POST /v1/orders", &[("Idempotency-Key", "canary-key"), ("X-Request-Id", "mine")], &order()).unwrap();
    admin.get("/v1/orders?colour=red");
    let body = json!({"email": ADMIN[0].1, "password": "canary-password"});
    assert_eq!(server.client().send("POST /v1/auth/login", &[], &body).unwrap().status, 401);
    let body = json!({"email": "a@example.com", "name": "A", "role": "staff", "password": "canary-of-a-new-user"});
    let made = admin.send("POST /v1/users", &[], &body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    assert!(lines.iter().all(Value::is_object), "{log}");
    let mine: Vec<_> = lines.iter().filter(|line| line.to_string().contains("\"mine\"")).collect();
    assert_eq!(mine.len(), 1, "one line a request: {log}");
    for part in ["POST", "/v1/orders", "201", "orders.create", "127.0.0.1"] {
        assert!(mine[0].to_string().contains(part), "{part}: {}", mine[0]);
    }
    let requests = lines.iter().filter(|line| line.to_string().contains("http.status"));
    assert_eq!(requests.count(), 5, "{log}");
    for secret in ["canary", token.as_str(), token.split('.').next_back().unwrap()] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
