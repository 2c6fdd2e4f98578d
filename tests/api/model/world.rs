//! The state that the model expects, random requests, and the check of each response.

use super::rules::{Order, Refusal};
use crate::support::{Answer, Call, Client};
use axum::http::Method;
use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Manager,
    Staff,
    Customer,
}

pub struct Person {
    pub client: Client,
    pub role: Role,
}

impl Person {
    /// The identifier of the user; none for a program.
    pub fn user(&self) -> Option<String> {
        Some(self.client.id.clone()).filter(|id| !id.is_empty())
    }
}

/// A random request and the response that the model expects.
pub struct Step {
    pub call: Call,
    pub awaited: Awaited,
}

/// The response that the model expects to a request.
pub struct Awaited {
    pub description: String,
    pub expect: Expect,
    /// The request, if it has a key and can be repeated.
    pub(super) repeatable: Option<SentRequest>,
}

pub enum Expect {
    Refused(Refusal),
    Order { order: usize, status: u16, document: Map<String, Value> },
    Money { order: usize, money: usize, status: u16, document: Map<String, Value> },
    SameAs(Answer),
}

pub(super) struct SentRequest {
    person: usize,
    method: Method,
    path: String,
    body: Value,
    key: String,
}

/// The state that the model expects.
pub struct World {
    pub random: Rng,
    pub people: Vec<Person>,
    pub orders: Vec<Order>,
    pub now: i64,
    pub(super) references: HashSet<String>,
    pub(super) providers: HashSet<String>,
    keys: u64,
    answered: Vec<(SentRequest, Answer)>,
    /// Orders of the present batch. Its requests run concurrently, so each order occurs in one of them.
    pub(super) busy: HashSet<usize>,
    /// References of the present batch.
    pub(super) busy_references: HashSet<String>,
}

pub(super) type Outcome = Result<Expect, Refusal>;

impl World {
    pub fn new(seed: u64, people: Vec<Person>, now: i64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            people,
            orders: vec![],
            now,
            references: HashSet::new(),
            providers: HashSet::new(),
            keys: 0,
            answered: vec![],
            busy: HashSet::new(),
            busy_references: HashSet::new(),
        }
    }

    /// Steps that can run concurrently, because no two use the same order or reference.
    pub fn batch(&mut self) -> (Vec<Call>, Vec<Awaited>) {
        self.busy.clear();
        self.busy_references.clear();
        let size = self.random.usize(1..8);
        (0..size).filter_map(|_| self.step()).map(|step| (step.call, step.awaited)).unzip()
    }

    /// Checks a response against the expected one, and stores the identifiers and numbers that the service chose.
    pub fn check(&mut self, awaited: Awaited, answer: &Answer) {
        let description = format!("{}\n{answer}", awaited.description);
        match awaited.expect {
            Expect::Refused((status, code)) => {
                assert_eq!((answer.code(), answer["code"].as_str()), (status, Some(code)), "{description}");
                return;
            }
            Expect::SameAs(first) => {
                assert_eq!((answer.code(), answer.bytes()), (first.code(), first.bytes()), "{description}");
                for header in ["location", "etag"] {
                    assert_eq!(answer.maybe_header(header), first.maybe_header(header), "{description}");
                }
                assert_eq!(answer.header("idempotent-replayed"), "true", "{description}");
                return;
            }
            Expect::Order { order, status, document } => {
                assert_eq!(answer.code(), status, "{description}");
                assert_contains(answer.json(), &document, &description);
                assert_eq!(answer.header("etag"), format!("\"{}\"", document["version"]), "{description}");
                let order = &mut self.orders[order];
                let items = answer["items"].as_array().unwrap().iter();
                order.items = items.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
                if order.id.is_empty() {
                    order.id = answer.id();
                }
                assert_eq!(answer["number"].is_null(), order.placed.is_none(), "{description}");
                order.number = order.number.or(answer["number"].as_i64());
                assert_eq!((answer.id(), answer["number"].as_i64()), (order.id.clone(), order.number), "{description}");
            }
            Expect::Money { order, money, status, document } => {
                assert_eq!(answer.code(), status, "{description}");
                assert_contains(answer.json(), &document, &description);
                let money = &mut self.orders[order].money[money];
                if money.id.is_empty() {
                    money.id = answer.id();
                }
                assert_eq!(answer.id(), money.id, "{description}");
            }
        }
        if let Some(request) = awaited.repeatable {
            self.answered.push((request, answer.clone()));
        }
    }

    fn step(&mut self) -> Option<Step> {
        let person = self.random.usize(0..self.people.len());
        match self.random.u8(0..100) {
            0..20 => self.creates(person),
            20..33 => self.patches(person),
            33..37 => self.gives(person),
            37..51 => self.moves(person),
            51..57 => self.cancels(person),
            57..70 => self.pays(person),
            70..84 => self.refunds(person),
            84..95 => self.resolves(person),
            _ => self.repeats_a_request(),
        }
    }

    pub(super) fn request(
        &mut self,
        person: usize,
        method: Method,
        path: String,
        body: Value,
        outcome: Outcome,
    ) -> Step {
        let key = self.random.bool() || path == "/v1/orders" || path.ends_with("ments") || path.ends_with("refunds");
        self.keys += 1;
        let request = SentRequest { person, method, path, body, key: format!("key-{}", self.keys) };
        let mut call = self.call(&request, None);
        if key {
            call = call.key(&request.key);
        }
        let description = format!("{} {} {}", request.method, request.path, request.body);
        let expect = outcome.unwrap_or_else(Expect::Refused);
        Step { call, awaited: Awaited { description, expect, repeatable: key.then_some(request) } }
    }

    fn call(&self, request: &SentRequest, body: Option<&Value>) -> Call {
        let body = body.unwrap_or(&request.body).to_string();
        self.people[request.person].client.call(request.method.clone(), &request.path).body("application/json", body)
    }

    fn repeats_a_request(&mut self) -> Option<Step> {
        if self.answered.is_empty() {
            return None;
        }
        let (request, answer) = &self.answered[self.random.usize(0..self.answered.len())];
        let description = format!("repeated: {} {} {}", request.method, request.path, request.body);
        if self.random.u8(0..4) > 0 || request.path != "/v1/orders" {
            let expect = Expect::SameAs(answer.clone());
            let call = self.call(request, None).key(&request.key);
            return Some(Step { call, awaited: Awaited { description, expect, repeatable: None } });
        }
        let mut other = request.body.clone();
        other["note"] = json!("another request with the same key");
        let call = self.call(request, Some(&other)).key(&request.key);
        let expect = Expect::Refused((422, "idempotency_key_reused"));
        Some(Step { call, awaited: Awaited { description, expect, repeatable: None } })
    }
}

/// Asserts that `actual` has every member of `expected`, and that their lists have equal lengths.
#[track_caller]
pub fn assert_contains(actual: &Value, expected: &Map<String, Value>, description: &str) {
    for (name, value) in expected {
        let found = &actual[name];
        match value {
            Value::Object(inner) if name != "metadata" => assert_contains(found, inner, description),
            Value::Array(list) if list.iter().any(Value::is_object) => {
                assert_eq!(found.as_array().map(Vec::len), Some(list.len()), "{name}: {description}");
                for (found, value) in found.as_array().unwrap().iter().zip(list) {
                    assert_contains(found, value.as_object().unwrap(), description);
                }
            }
            value => assert_eq!(found, value, "{name}: {description}"),
        }
    }
}
