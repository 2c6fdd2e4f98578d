//! `orderd serve`: what it prints and logs, and which files and addresses it refuses.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::{Value, json};

fn order() -> Value {
    json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250}]})
}

#[test]
fn the_server_prints_its_address_and_a_setup_token_until_it_is_used() {
    let dir = TestDir::new();
    let mut server = Server::start(&dir, &[], "");
    assert!(server.address.starts_with("127.0.0.1:") && !server.address.ends_with(":0"), "{}", server.address);
    let line = server.line();
    let token = line.strip_prefix("setup token: ").unwrap();
    let body = json!({"token": token, "email": "ada@example.com", "name": "Ada", "password": "a long enough phrase"});
    assert_eq!(server.client().send("POST /v1/setup", &[], &body).unwrap().status, 201);
    assert_eq!(server.client().send("POST /v1/setup", &[], &body).unwrap().status, 409);
    assert_eq!(server.stop(), (Some(0), String::new()));
    let server = Server::start(&dir, &[], "");
    assert_eq!(server.client().get("/readyz").status, 200);
    assert_eq!(server.stop(), (Some(0), String::new()), "no token, since there is a user");
}

#[test]
fn the_environment_creates_the_first_administrator_and_is_then_ignored() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    assert_eq!(server.admin().get("/v1/auth/me").body["role"], "admin");
    assert_eq!(server.stop(), (Some(0), String::new()));
    dir.write("password", "another long enough phrase\n");
    let variables = [("ORDERD_ADMIN_EMAIL", "eve@example.com"), ("ORDERD_ADMIN_PASSWORD_FILE", "password")];
    let server = Server::start(&dir, &variables, "");
    assert!(server.log().contains("ignored"), "{}", server.log());
    server.admin();
    let body = json!({"email": "eve@example.com", "password": "another long enough phrase"});
    assert_eq!(server.client().send("POST /v1/auth/login", &[], &body).unwrap().status, 401);
    let fresh = TestDir::new();
    fresh.write("password", "another long enough phrase\n");
    let server = Server::start(&fresh, &variables, "");
    assert_eq!(server.client().send("POST /v1/auth/login", &[], &body).unwrap().status, 200);
}

#[test]
fn a_server_stopped_as_soon_as_it_listens_exits_with_0() {
    let dir = TestDir::new();
    for round in 0..10 {
        assert_eq!(Server::start(&dir, &ADMIN, "").stop().0, Some(0), "round {round}");
    }
}

#[test]
fn a_foreign_newer_or_damaged_file_is_not_changed() {
    let dir = TestDir::new();
    dir.write("notes.db", &"these are notes and no database\n".repeat(500));
    let refused = dir.run("serve --db notes.db --listen 127.0.0.1:0");
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("notes.db"), "{}", refused.err);
    Server::start(&dir, &ADMIN, "").stop();
    let connection = rusqlite::Connection::open(dir.path().join("orders.db")).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let refused = dir.run("serve --db orders.db --listen 127.0.0.1:0");
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("schema 999 is newer"), "{}", refused.err);
}

#[test]
fn a_port_in_use_is_named() {
    let dir = TestDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = dir.run(&format!("serve --db orders.db --listen {address}"));
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains(&format!("cannot listen on {address}")), "{}", refused.err);
}

#[test]
fn every_log_line_is_a_json_object_that_names_its_request_and_no_secret() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
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
    assert_eq!(mine.len(), 1, "one line for each request: {log}");
    for part in ["POST", "/v1/orders", "201", "orders.create", "127.0.0.1"] {
        assert!(mine[0].to_string().contains(part), "{part}: {}", mine[0]);
    }
    let requests = lines.iter().filter(|line| line.to_string().contains("http.status"));
    assert_eq!(requests.count(), 5, "{log}");
    for secret in ["canary", token.as_str(), token.split('.').next_back().unwrap()] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
