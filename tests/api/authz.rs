//! Who may do what: every operation of the table, called by everybody, with its outcome in one reviewed text.
//!
//! The order in the path belongs to the customer. After a change that is meant to be, run the test with `BLESS=1` in the
//! environment and review the difference in `snapshots/authz.txt`.

use crate::support::{Call, Client, PASSWORD, Service, document::DOCUMENT, order_of, with};
use axum::http::Method;
use orderd::api::{
    operation::{Access, Body, Operation},
    routes,
};
use serde_json::{Value, json};
use std::{fmt::Write, path::Path};

const PEOPLE: [&str; 7] = ["anonymous", "customer", "other", "staff", "analyst", "manager", "admin"];

async fn person(service: &Service, name: &str) -> Client {
    match name {
        "anonymous" => service.anonymous(),
        "admin" => service.admin().await,
        "other" => service.other_customer().await,
        role => service.person(role, role).await,
    }
}

/// What one call is about: an order of the customer in a state that lets the operation happen, and money on it.
struct Scene {
    order: String,
    number: i64,
    payment: String,
    user: String,
}

async fn prepare(service: &Service, operation: &str, turn: usize) -> Scene {
    let (customer, manager) = (service.customer().await, service.manager().await);
    let draft = operation == "orders.place";
    let body = with(with(order_of(&[("tea", 1, 1000)]), "external_ref", format!("ref-{turn}")), "draft", draft);
    let order = customer.places(body).await.created();
    let (id, mut payment) = (order.id(), String::new());
    if !draft {
        payment = manager.pays(&id, json!({"amount": 10, "status": "pending"})).await.created().id();
    }
    match operation {
        "orders.fulfil" => drop(manager.moves(&id, "confirm").await.ok()),
        "refunds.create" => drop(manager.pays(&id, json!({"amount": 1000})).await.created()),
        _ => {}
    }
    Scene { order: id, number: order["number"].as_i64().unwrap_or(0), payment, user: customer.id }
}

/// The path of `operation` in `scene`.
fn path(operation: &Operation, scene: &Scene, turn: usize) -> String {
    let id = match operation.path.split('/').nth(2) {
        Some("users") => &scene.user,
        Some("transactions") => &scene.payment,
        _ => &scene.order,
    };
    let path = operation.path.replace("{id}", id).replace("{number}", &scene.number.to_string());
    let path = path.replace("{external_ref}", &format!("ref-{turn}")).replace("{key}", "mine");
    assert!(!path.contains('{'), "say here what {} is about", operation.path);
    let needs_days = operation.path.starts_with("/v1/analytics/") && operation.query.is_some();
    if needs_days { path + "?from=2026-06-15&to=2026-06-15" } else { path }
}

/// A body that the operation takes: the document's example, unless one is needed that fits the scene.
fn body(operation: &Operation, turn: usize) -> Option<Value> {
    let Body::Json { .. } = operation.body else { return None };
    let name = format!("new-{turn}@example.com");
    Some(match operation.id {
        "auth.login" => json!({"email": "customer@example.com", "password": PASSWORD}),
        "auth.setup" => json!({"token": "a", "email": name, "name": "a", "password": PASSWORD}),
        "users.create" => json!({"email": name, "name": "a", "role": "customer", "password": PASSWORD}),
        "payments.create" | "refunds.create" => json!({"amount": 5}),
        "orders.cancel" => json!({}),
        _ => {
            let method = operation.method.as_str().to_lowercase();
            let content = &DOCUMENT["paths"][operation.path][method]["requestBody"]["content"]["application/json"];
            let schema = crate::support::document::resolved(&content["schema"]);
            schema["examples"].get(0).cloned().unwrap_or_else(|| json!({}))
        }
    })
}

fn call(who: &Client, operation: &Operation, scene: &Scene, turn: usize) -> Call {
    let path = path(operation, scene, turn);
    let call = match body(operation, turn) {
        Some(body) if operation.method == Method::PATCH => who.patch(&path, body),
        Some(body) if operation.method == Method::PUT => who.put(&path, body),
        Some(body) => who.post(&path, body),
        None => who.call(operation.method.clone(), &path),
    };
    call.fresh_key()
}

/// The outcomes of one operation, for each of [`PEOPLE`].
async fn outcomes(operation: &Operation) -> Vec<String> {
    let service = Service::start().await;
    let mut outcomes = vec![];
    for (turn, name) in PEOPLE.iter().enumerate() {
        let scene = prepare(&service, operation.id, turn).await;
        let who = person(&service, name).await;
        if operation.path.ends_with("/{key}") {
            // A key of the caller's own, where they may do anything that keeps one.
            who.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("mine").await;
        }
        let answer = call(&who, operation, &scene, turn).await;
        // What is refused for another reason (a second set-up, 409) is past authorisation, and reviewed as such.
        outcomes.push(if answer.code() < 300 { "ok".to_owned() } else { answer.code().to_string() });
    }
    outcomes
}

#[tokio::test]
async fn the_matrix_is_the_reviewed_one() {
    let mut matrix = String::new();
    let row = |matrix: &mut String, cells: &[String]| {
        let (name, rest) = cells.split_first().unwrap();
        let rest: Vec<_> = rest.iter().map(|cell| format!("{cell:<10}")).collect();
        writeln!(matrix, "{}", format!("{name:<28}{}", rest.join("")).trim_end()).unwrap();
    };
    row(&mut matrix, &[&["operation"], &PEOPLE[..]].concat().iter().map(ToString::to_string).collect::<Vec<_>>());
    for operation in routes::operations() {
        let cells = [vec![operation.id.to_owned()], outcomes(&operation).await].concat();
        row(&mut matrix, &cells);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/snapshots/authz.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &matrix).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    for (now, before) in matrix.lines().zip(reviewed.lines()) {
        assert_eq!(now, before, "changed; if that is meant, run with BLESS=1 and review the difference");
    }
    assert_eq!(matrix.lines().count(), reviewed.lines().count(), "operations came or went:\n{matrix}");
}

#[test]
fn what_anybody_may_do_is_a_short_list() {
    let operations = routes::operations();
    let anonymous = operations.iter().filter(|operation| operation.access == Access::Anonymous);
    let in_api: Vec<_> = anonymous.filter(|operation| operation.in_api()).map(|operation| operation.id).collect();
    let known = ["auth.setup", "auth.login", "auth.refresh"];
    assert!(in_api.iter().all(|id| known.contains(id)), "{in_api:?}");
}
