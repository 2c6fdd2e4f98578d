//! The authorisation matrix: every operation of the table, called by every kind of caller, with the results in one
//! reviewed snapshot.
//!
//! The order in the path belongs to the customer. After an intended change run the test with `BLESS=1` in the
//! environment and review the difference in `snapshots/authz.txt`.

use crate::support::{
    Answer, Call, Client, Outcome, PASSWORD, Service,
    document::{DOCUMENT, resolved},
    order_of, with,
};
use axum::http::Method;
use orderd::api::{
    operation::{Access, Body, Operation},
    routes,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write, path::Path};

/// Beside the built-in roles, `clerk` has a custom role that may read orders, and `key` is an API key of the
/// administrator that may read and create orders. `browser` is the administrator with both halves of a browser's
/// session, `cookie` and `half` have the cookie alone and the console key alone.
const CALLERS: [&str; 12] = [
    "anonymous",
    "customer",
    "other",
    "staff",
    "analyst",
    "manager",
    "admin",
    "clerk",
    "key",
    "browser",
    "cookie",
    "half",
];

async fn person(service: &Service, name: &str) -> Client {
    match name {
        "anonymous" => service.anonymous(),
        "admin" => service.admin().await,
        "other" => service.other_customer().await,
        "key" => {
            let body = json!({"name": "shop", "permissions": ["orders:read", "orders:create"]});
            let key = service.admin().await.post("/v1/api-keys", body).await.created();
            service.anonymous().bearing(key["secret"].as_str().unwrap())
        }
        "browser" | "cookie" | "half" => {
            service.admin().await;
            let browser = service.anonymous().sign_in("admin@example.com", PASSWORD).await;
            match name {
                "cookie" => browser.without_console_key(),
                "half" => browser.without_cookie(),
                _ => browser,
            }
        }
        role => service.person(role, role).await,
    }
}

/// The objects that a call refers to. The order, its payment and the session belong to the customer; the order is in a
/// state in which the operation is possible. The role and the API key belong to none of the callers.
struct Scene {
    service: Service,
    order: Answer,
    payment: String,
    session: String,
    key: String,
    webhook: String,
    delivery: String,
}

async fn prepare(operation: &str) -> Scene {
    let service = Service::start().await;
    let (customer, manager, admin) = (service.customer().await, service.manager().await, service.admin().await);
    let draft = operation == "orders.place";
    let body = with(with(order_of(&[("tea", 1, 1000)]), "external_ref", "ref"), "draft", draft);
    let order = customer.places(body).await.created();
    let mut payment = String::new();
    if !draft {
        payment = manager.pays(&order.id(), json!({"amount": 10, "status": "pending"})).await.created().id();
    }
    match operation {
        "orders.fulfil" => drop(manager.moves(&order.id(), "confirm").await.ok()),
        "refunds.create" => drop(manager.pays(&order.id(), json!({"amount": 1000})).await.created()),
        _ => {}
    }
    let sessions = admin.get(&format!("/v1/users/{}/sessions", customer.id)).await.ok();
    let session = sessions["data"][0]["id"].as_str().unwrap().to_owned();
    admin.put("/v1/roles/clerk", json!({"permissions": ["orders:read"]})).await;
    let key = admin.post("/v1/api-keys", json!({"name": "till", "permissions": ["orders:read"]})).await.created().id();
    let (mut webhook, mut delivery) = (String::new(), String::new());
    if operation.starts_with("webhooks.") {
        webhook = admin.post("/v1/webhooks", json!({"url": "https://example.com/"})).await.created().id();
        delivery = admin.call(Method::POST, &format!("/v1/webhooks/{webhook}/ping")).await.status(202).id();
    }
    Scene { service, order, payment, session, key, webhook, delivery }
}

/// The path of `operation` with the identifiers of `scene`.
async fn path(operation: &Operation, scene: &Scene) -> String {
    let id = match operation.path.split('/').nth(2) {
        Some("users") => scene.service.customer().await.id,
        Some("transactions") => scene.payment.clone(),
        Some("api-keys") => scene.key.clone(),
        Some("webhooks") => scene.webhook.clone(),
        _ => scene.order.id(),
    };
    let number = scene.order["number"].to_string();
    let names = [
        ("{id}", id.as_str()),
        ("{session_id}", &scene.session),
        ("{number}", &number),
        ("{delivery_id}", &scene.delivery),
    ];
    let more = [("{external_ref}", "ref"), ("{key}", "mine"), ("{name}", "clerk")];
    let path = names.into_iter().chain(more).fold(operation.path.to_owned(), |path, (name, is)| path.replace(name, is));
    assert!(!path.contains('{'), "add the parameters of {} here", operation.path);
    let needs_days = operation.path.starts_with("/v1/analytics/") && operation.query.is_some();
    if needs_days { path + "?from=2026-06-15&to=2026-06-15" } else { path }
}

/// A valid body: one that fits the scene where necessary, or else the example in the OpenAPI document.
fn body(operation: &Operation, who: &Client) -> Option<Value> {
    let Body::Json { .. } = operation.body else { return None };
    Some(match operation.id {
        "auth.login" | "auth.start_session" => json!({"email": "customer@example.com", "password": PASSWORD}),
        "auth.refresh" => json!({"refresh_token": who.session["refresh_token"].as_str().unwrap_or("none")}),
        "auth.password" => json!({"current_password": PASSWORD, "new_password": "another long and private phrase"}),
        "auth.reset" => json!({"token": "none", "new_password": PASSWORD}),
        "auth.begin_totp" => json!({"password": PASSWORD}),
        "auth.confirm_totp" => json!({"code": "000000"}),
        "auth.end_totp" => json!({"password": PASSWORD, "code": "000000"}),
        "auth.setup" => json!({"token": "a", "email": "new@example.com", "name": "a", "password": PASSWORD}),
        "users.create" => {
            json!({"email": "new@example.com", "name": "a", "role": "customer", "password": PASSWORD})
        }
        "payments.create" | "refunds.create" => json!({"amount": 5}),
        "users.update" => json!({"name": "A new name"}),
        "orders.cancel" => json!({}),
        _ => example(operation).unwrap_or_else(|| json!({})),
    })
}

fn example(operation: &Operation) -> Option<Value> {
    let method = operation.method.as_str().to_lowercase();
    let content = &DOCUMENT["paths"][operation.path][method]["requestBody"]["content"]["application/json"];
    resolved(&content["schema"])["examples"].get(0).cloned()
}

async fn call(who: &Client, operation: &Operation, scene: &Scene) -> Call {
    let path = path(operation, scene).await;
    let call = match body(operation, who) {
        Some(body) => who.call(operation.method.clone(), &path).body("application/json", body.to_string()),
        None => who.call(operation.method.clone(), &path),
    };
    let call = if let Body::Stream(media) = operation.body { call.body(media, "") } else { call };
    call.fresh_key()
}

/// The outcomes of a service in which the administrator has called `operation` as it is meant to be called.
pub(super) async fn outcomes_for_an_administrator(operation: &Operation) -> BTreeSet<Outcome> {
    let scene = prepare(operation.id).await;
    let admin = scene.service.admin().await;
    if operation.path.ends_with("/{key}") {
        admin.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("mine").await.created();
    }
    call(&admin, operation, &scene).await.await;
    scene.service.outcomes()
}

/// The result of one operation for each of [`CALLERS`].
async fn outcomes(operation: &Operation) -> Vec<String> {
    let mut outcomes = vec![];
    let (mut scene, mut changed) = (prepare(operation.id).await, false);
    for name in CALLERS {
        if changed {
            // A change could affect the next call, so that one gets a new service.
            scene = prepare(operation.id).await;
        }
        let who = person(&scene.service, name).await;
        if operation.path.ends_with("/{key}") {
            // Stores an idempotency key of the caller, if the caller may create orders.
            who.post("/v1/orders", order_of(&[("tea", 1, 1000)])).key("mine").await;
        }
        let answer = call(&who, operation, &scene).await.await;
        changed = operation.method != Method::GET && answer.code() < 300;
        // A request that is refused for another reason (409 for a second set-up) has passed authorisation. The review
        // covers it.
        outcomes.push(if answer.code() < 300 { "ok".to_owned() } else { answer.code().to_string() });
    }
    outcomes
}

#[tokio::test]
async fn the_authorisation_matrix_is_the_reviewed_one() {
    let mut matrix = String::new();
    let row = |matrix: &mut String, cells: &[String]| {
        let (name, rest) = cells.split_first().unwrap();
        let rest: Vec<_> = rest.iter().map(|cell| format!("{cell:<10}")).collect();
        writeln!(matrix, "{}", format!("{name:<27} {}", rest.join("")).trim_end()).unwrap();
    };
    row(&mut matrix, &[&["operation"], &CALLERS[..]].concat().iter().map(ToString::to_string).collect::<Vec<_>>());
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
        assert_eq!(now, before, "if this change is intended, run with BLESS=1 and review the difference");
    }
    assert_eq!(matrix.lines().count(), reviewed.lines().count(), "operations were added or removed:\n{matrix}");
}

#[test]
fn only_listed_operations_are_anonymous() {
    let operations = routes::operations();
    let anonymous = operations.iter().filter(|operation| operation.access == Access::Anonymous);
    let in_api: Vec<_> = anonymous.filter(|operation| operation.in_api()).map(|operation| operation.id).collect();
    let known = [
        "auth.setup",
        "auth.login",
        "auth.start_session",
        "auth.refresh",
        "auth.oidc",
        "auth.oidc_callback",
        "auth.reset",
        "system.settings",
    ];
    assert!(in_api.iter().all(|id| known.contains(id)), "{in_api:?}");
}
