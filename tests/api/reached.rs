//! Every operation is tried with every success that it documents and with every problem that its row names, and every
//! problem of the catalogue is met.
//!
//! The test sends the requests it needs, so it does not depend on other tests, their order or their runner. It leaves
//! out the problems of a service that cannot serve (503) where a row names them: they do not depend on the operation.
//! What the responses contain is for the tests of each capability; here only their kinds are counted.

use crate::{
    authz, oidc, second_factor,
    support::{Client, Outcome, PASSWORD, Service, document::DOCUMENT, order_of, with},
};
use axum::http::Method;
use orderd::{
    api::routes,
    error::{self, Category},
};
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path};

/// Problems that take a fault, a socket or a deadline, and the test that meets each.
const MET_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("draining", "tests/api/admission.rs", "a_stopping_service_refuses_new_requests"),
    ("duplicate_number", "tests/api/orders/import/past.rs", "numbers_go_on_after_the_highest_and_gaps_stay"),
    ("internal", "tests/api/troubles.rs", "an_internal_error_does_not_reveal_its_cause"),
    ("invalid_header", "tests/cli/framing.rs", "heads_with_an_ambiguous_end_are_refused_once"),
    ("malformed_request", "tests/cli/framing.rs", "heads_with_an_ambiguous_end_are_refused_once"),
    ("outcome_unknown", "tests/cli/storage.rs", "after_a_failed_sync_no_write_is_acknowledged_and_the_process_ends"),
    ("overloaded", "tests/api/admission.rs", "a_request_that_gets_no_permit_in_time_is_refused_and_can_be_retried"),
    ("query_too_expensive", "tests/api/troubles.rs", "a_query_past_its_time_limit_is_interrupted"),
    ("slow_body", "tests/api/troubles.rs", "a_body_that_does_not_arrive_gives_408"),
    ("slow_head", "tests/cli/framing.rs", "an_unfinished_head_is_refused_after_its_deadline"),
    ("storage_busy", "tests/cli/locked.rs", "changes_are_refused_in_time_while_another_process_holds_the_write_lock"),
    ("storage_full", "tests/cli/storage.rs", "a_full_disk_is_reported_and_the_server_recovers_without_a_restart"),
    ("total_differs", "tests/api/orders/import/past.rs", "a_line_that_cannot_be_names_every_fault"),
    ("timeout", "tests/api/troubles.rs", "a_request_past_its_time_limit_gives_a_timeout"),
];

fn has(outcomes: &BTreeSet<Outcome>, operation: &str, is: impl Fn(&Outcome) -> bool) -> bool {
    outcomes.iter().any(|outcome| outcome.operation == Some(operation) && is(outcome))
}

/// Every success of the document and every problem of the table that `outcomes` lacks.
fn missing(outcomes: &BTreeSet<Outcome>) -> Vec<String> {
    let mut missing = vec![];
    let paths = DOCUMENT["paths"].as_object().unwrap().values();
    for operation in paths.flat_map(|methods| methods.as_object().unwrap().values()) {
        let id = operation["operationId"].as_str().unwrap();
        let statuses = operation["responses"].as_object().unwrap().keys().map(|status| status.parse::<u16>().unwrap());
        let successes = statuses.filter(|status| *status < 400);
        let lacking = successes.filter(|status| !has(outcomes, id, |outcome| outcome.status == *status));
        missing.extend(lacking.map(|status| format!("{id}: {status}")));
    }
    for operation in routes::operations() {
        let problems = operation.problems.iter().filter(|problem| problem.category != Category::Unavailable);
        let is = |code: &str| has(outcomes, operation.id, |outcome| outcome.problem.as_deref() == Some(code));
        let lacking = problems.filter(|problem| !is(problem.code));
        missing.extend(lacking.map(|problem| format!("{}: {}", operation.id, problem.code)));
    }
    let met = |code: &str| outcomes.iter().any(|outcome| outcome.problem.as_deref() == Some(code));
    let elsewhere = |code: &str| MET_ELSEWHERE.iter().any(|(known, ..)| *known == code);
    let codes = error::ALL.iter().map(|problem| problem.code);
    missing.extend(codes.filter(|code| !met(code) && !elsewhere(code)).map(|code| format!("any operation: {code}")));
    missing
}

#[tokio::test]
async fn every_success_and_every_problem_is_met() {
    let mut outcomes = BTreeSet::new();
    for operation in routes::operations() {
        outcomes.extend(authz::outcomes_for_an_administrator(&operation).await);
    }
    let service = Service::start().await;
    accounts(&service).await;
    roles_and_keys(&service).await;
    orders(&service).await;
    money(&service).await;
    requests_with_faults(&service).await;
    log_ins(&service).await;
    recovery_and_second_factor(&service).await;
    webhooks(&service).await;
    outcomes.extend(service.outcomes());
    outcomes.extend(under_other_settings().await);
    outcomes.extend(oidc::outcomes().await);
    let missing = missing(&outcomes);
    assert!(missing.is_empty(), "this test has to send a request with each of these outcomes:\n{}", missing.join("\n"));
}

#[test]
fn problems_that_are_met_elsewhere_have_their_test() {
    for (code, file, test) in MET_ELSEWHERE {
        assert!(error::ALL.iter().any(|problem| problem.code == *code), "{code} is not in the catalogue");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let head =
            text.split_once(&format!("fn {test}(")).unwrap_or_else(|| panic!("{code}: {file} has no test {test}")).0;
        assert!(head.trim_end_matches("async ").ends_with("test]\n"), "{code}: {file}::{test} is not a test");
    }
}

#[test]
fn what_is_missing_is_named() {
    let all = missing(&BTreeSet::new());
    for line in ["orders.create: 201", "orders.get: 304", "orders.cancel: refund_decision_required", "roles.put: 200"] {
        assert!(all.iter().any(|missing| missing == line), "{line}");
    }
    let placed = Outcome { operation: Some("orders.create"), status: 201, problem: None };
    assert!(!missing(&BTreeSet::from([placed])).contains(&"orders.create: 201".to_owned()));
}

fn user(email: &str, role: &str) -> serde_json::Value {
    json!({"email": email, "name": "A", "role": role, "password": PASSWORD})
}

/// Somebody with a role of these permissions.
async fn person_who_may(service: &Service, name: &str, permissions: &[&str]) -> Client {
    service.admin().await.put(&format!("/v1/roles/{name}"), json!({"permissions": permissions})).await.created();
    service.person(name, name).await
}

async fn accounts(service: &Service) {
    let (admin, customer) = (service.admin().await, service.customer().await);
    let clerk = person_who_may(service, "clerk", &["users:read", "users:write"]).await;
    let (of_admin, of_customer) = (format!("/v1/users/{}", admin.id), format!("/v1/users/{}", customer.id));
    admin.post("/v1/users", user("customer@example.com", "customer")).await;
    clerk.post("/v1/users", user("another@example.com", "admin")).await;
    admin.patch(&of_customer, json!({"email": "admin@example.com"})).await;
    admin.patch(&of_admin, json!({"role": "customer"})).await;
    clerk.patch(&of_customer, json!({"role": "admin"})).await;
    clerk.patch(&of_admin, json!({"status": "disabled"})).await;
    let eraser = person_who_may(service, "eraser", &["personal_data:erase"]).await;
    eraser.post(&format!("{of_admin}/erase"), json!({})).await;
    customer.patch(&of_customer, json!({"email": "new@example.com"})).await;
    let erased = admin.post("/v1/users", user("erased@example.com", "customer")).await.created().id();
    let erased = format!("/v1/users/{erased}");
    admin.post(&format!("{erased}/erase"), json!({})).await;
    admin.patch(&erased, json!({"name": "A"})).await;
    admin.post(&format!("{erased}/reset"), json!({})).await;
    service
        .anonymous()
        .post("/v1/setup", json!({"token": "a", "email": "a@b.example", "name": "A", "password": PASSWORD}))
        .await;
}

async fn roles_and_keys(service: &Service) {
    let admin = service.admin().await;
    let maker = person_who_may(service, "maker", &["roles:write", "api_keys:write"]).await;
    admin.put("/v1/roles/maker", json!({"permissions": ["roles:write", "api_keys:write"]})).await;
    admin.put("/v1/roles/staff", json!({"permissions": []})).await;
    admin.delete("/v1/roles/staff").await;
    admin.delete("/v1/roles/maker").await;
    maker.put("/v1/roles/other", json!({"permissions": ["orders:read"]})).await;
    maker.post("/v1/api-keys", json!({"name": "till", "permissions": ["orders:read"]})).await;
    let key = admin.post("/v1/api-keys", json!({"name": "till", "permissions": ["orders:read"]})).await.created();
    let program = service.anonymous().bearing(key["secret"].as_str().unwrap());
    program.call(Method::POST, "/v1/auth/logout").await;
    program.delete("/v1/auth/session").await;
    program.post("/v1/auth/password", json!({"current_password": PASSWORD, "new_password": "a new long phrase"})).await;
}

async fn orders(service: &Service) {
    let manager = service.manager().await;
    let named = |reference: &str| with(order_of(&[("tea", 1, 1000)]), "external_ref", reference);
    let first = manager.places(named("first")).await.created();
    let second = manager.places(named("second")).await.created().id();
    let id = first.id();
    for path in [id.clone(), format!("number/{}", first["number"]), "ref/first".to_owned()] {
        manager.get(&format!("/v1/orders/{path}")).header("if-none-match", first.header("etag")).await;
    }
    manager.places(named("first")).await;
    let path = format!("/v1/orders/{second}");
    manager.patch(&path, json!({"external_ref": "first"})).await;
    manager.patch(&path, json!({"note": "a"})).if_match(9).await;
    manager.moves(&second, "fulfil").await;
    manager.moves(&second, "confirm").await;
    manager.patch(&path, json!({"external_ref": "third"})).await;
    manager.moves(&second, "place").await;
    manager.moves(&second, "fulfil").await;
    manager.moves(&second, "cancel").await;
    manager.pays(&id, json!({"amount": 1000})).await;
    manager.moves(&id, "cancel").await;
    manager.post(&format!("/v1/orders/{id}/cancel"), json!({"refund": 1001})).await;
    manager.post(&format!("/v1/orders/{id}/cancel"), json!({"refund": "full"})).await;
    manager.moves(&id, "confirm").await;
}

async fn money(service: &Service) {
    let manager = service.manager().await;
    let order = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    let draft = manager.places(with(order_of(&[("tea", 1, 1000)]), "draft", true)).await.created().id();
    let referenced = json!({"amount": 10, "provider": "bank", "provider_ref": "r1"});
    for _ in 0..2 {
        manager.pays(&order, referenced.clone()).await;
    }
    for _ in 0..2 {
        manager.refunds(&order, json!({"amount": 5, "provider": "bank", "provider_ref": "r1"})).await;
    }
    manager.refunds(&order, json!({"amount": 1000})).await;
    manager.refunds(&order, json!({"amount": 0, "credit_amount": 2000})).await;
    let item = manager.get(&format!("/v1/orders/{order}")).await.ok()["items"][0]["id"].clone();
    let goods = json!({"items": [{"item_id": item, "quantity": 1}]});
    for _ in 0..2 {
        manager.refunds(&order, goods.clone()).await;
    }
    manager.patch(&format!("/v1/orders/{order}"), json!({"order_discount_amount": 1})).await;
    let paid =
        manager.pays(&order, json!({"amount": 1, "provider": "bank", "provider_ref": "r2"})).await.created().id();
    manager.refunds(&order, json!({"amount": 1, "payment_id": paid, "credit_amount": 0})).await;
    manager.patch(&format!("/v1/transactions/{paid}"), json!({"status": "reversed"})).await;
    let payment = manager.pays(&order, json!({"amount": 10})).await.created().id();
    manager.patch(&format!("/v1/transactions/{payment}"), json!({"status": "voided"})).await;
    manager.pays(&draft, json!({"amount": 1})).await;
    manager.refunds(&draft, json!({"amount": 1})).await;
    manager.moves(&draft, "cancel").await;
    let cancelled = manager.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    manager.moves(&cancelled, "cancel").await;
    manager.pays(&cancelled, json!({"amount": 1})).await;
}

async fn requests_with_faults(service: &Service) {
    let staff = service.staff().await;
    let order = order_of(&[("tea", 1, 1000)]);
    staff.post("/v1/orders", json!({})).fresh_key().await;
    staff.post("/v1/orders", order.clone()).await;
    staff.post("/v1/orders", order.clone()).key("has spaces").await;
    staff.post("/v1/orders", order.clone()).key("once").await;
    staff.post("/v1/orders", order_of(&[("mug", 1, 1000)])).key("once").await;
    staff.post("/v1/orders", json!({})).body("application/json", "{").fresh_key().await;
    staff.post("/v1/orders", json!({})).body("text/plain", "tea").fresh_key().await;
    staff.post("/v1/orders", json!({})).body("application/json", " ".repeat(2 << 20)).fresh_key().await;
    staff.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", "[]").await;
    staff.get("/v1/orders?colour=red").await;
    staff.get("/v1/orders?cursor=none").await;
    staff.get("/v1/nothing").await;
    staff.delete("/v1/orders").await;
    service.anonymous().get("/v1/orders").await;
    service.anonymous().get("/openapi.json").header("if-none-match", "*").await;
}

async fn log_ins(service: &Service) {
    let (nobody, analyst) = (service.anonymous(), service.analyst().await);
    nobody.post("/v1/auth/refresh", json!({"refresh_token": "ort_nothing"})).await;
    let change = json!({"current_password": "a wrong but long phrase", "new_password": "another long phrase"});
    for _ in 0..6 {
        for path in ["/v1/auth/login", "/v1/auth/session"] {
            nobody.post(path, json!({"email": "customer@example.com", "password": "a wrong phrase"})).await;
        }
        analyst.post("/v1/auth/password", change.clone()).await;
    }
}

async fn recovery_and_second_factor(service: &Service) {
    let admin = service.admin().await;
    let clerk = person_who_may(service, "keeper", &["users:read", "users:write"]).await;
    let (of_admin, of_clerk) = (format!("/v1/users/{}", admin.id), format!("/v1/users/{}", clerk.id));
    for who in [&clerk, &admin] {
        who.call(Method::POST, &format!("{of_admin}/reset")).await;
        who.delete(&format!("{of_admin}/totp")).await;
    }
    let nobody = service.anonymous();
    let token = admin.call(Method::POST, &format!("{of_clerk}/reset")).await.created()["token"].clone();
    for _ in 0..2 {
        nobody.post("/v1/auth/reset", json!({"token": token, "new_password": PASSWORD})).await;
    }
    let keeper = nobody.log_in("keeper@example.com", PASSWORD).await;
    let (begin, confirm) = (json!({"password": PASSWORD}), json!({"code": "000000"}));
    let end = |who: &Client, code: &str| {
        let body = json!({"password": PASSWORD, "code": code}).to_string();
        who.call(Method::DELETE, "/v1/auth/totp").body("application/json", body)
    };
    end(&keeper, "000000").await;
    let app = second_factor::enrol(service, &keeper).await;
    for who in [&keeper, &service.program(&["orders:read"]).await] {
        who.post("/v1/auth/totp", begin.clone()).await;
        who.post("/v1/auth/totp/confirm", confirm.clone()).await;
        end(who, &app.recovery_codes[0]).await;
    }
    second_factor::enrol(service, &keeper).await;
    for path in ["/v1/auth/login", "/v1/auth/session"] {
        nobody.post(path, json!({"email": "keeper@example.com", "password": PASSWORD})).await;
    }
    for _ in 0..6 {
        end(&keeper, "000000").await;
    }
    let guesser = service.person("guesser", "analyst").await;
    guesser.post("/v1/auth/totp", begin.clone()).await.created();
    for _ in 0..6 {
        guesser.post("/v1/auth/totp/confirm", confirm.clone()).await;
    }
    guesser.post("/v1/auth/totp", begin).await;
}

async fn webhooks(service: &Service) {
    let manager = service.manager().await;
    let endpoint = json!({"url": "https://example.com/"});
    let path = format!("/v1/webhooks/{}", manager.post("/v1/webhooks", endpoint.clone()).await.created().id());
    let ping = manager.call(Method::POST, &format!("{path}/ping")).await.status(202).id();
    manager.patch(&path, json!({"status": "disabled"})).await.ok();
    for action in ["ping".to_owned(), format!("deliveries/{ping}/retry")] {
        manager.call(Method::POST, &format!("{path}/{action}")).await;
    }
    manager.post(&format!("{path}/replay"), json!({"after": 0})).await;
    for _ in 0..50 {
        manager.post("/v1/webhooks", endpoint.clone()).await;
    }
}

async fn under_other_settings() -> BTreeSet<Outcome> {
    let limited = Service::with(&[("limits.requests_per_minute", "2")]).await;
    let token = json!({"token": "a", "email": "a@b.example", "name": "A", "password": PASSWORD});
    limited.anonymous().post("/v1/setup", token).await;
    for _ in 0..2 {
        limited.anonymous().get("/v1/orders").await;
    }
    let guarded = Service::with(&[("auth.require_second_factor", "admin")]).await;
    guarded.admin().await.get("/v1/orders").await;
    let strict = Service::with(&[("idempotency.require_if_match", "true")]).await;
    let staff = strict.staff().await;
    let order = staff.places(order_of(&[("tea", 1, 1000)])).await.created().id();
    staff.patch(&format!("/v1/orders/{order}"), json!({"note": "a"})).await;
    strict.app().drain();
    strict.anonymous().get("/readyz").await;
    [limited, guarded, strict].iter().flat_map(Service::outcomes).collect()
}
