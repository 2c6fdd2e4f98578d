//! Everything that is there as the rules have it, requests at random, and their answers held against the rules.

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
    /// The identifier of the user; none of a program.
    pub fn user(&self) -> Option<String> {
        Some(self.client.id.clone()).filter(|id| !id.is_empty())
    }
}

/// A request, and what it should lead to.
pub struct Deed {
    pub call: Call,
    pub told: String,
    pub expect: Expect,
    /// As it can be sent again with its key.
    pub(super) again: Option<Again>,
}

pub enum Expect {
    Refused(Refusal),
    Order { order: usize, status: u16, shown: Map<String, Value> },
    Money { order: usize, money: usize, status: u16, shown: Map<String, Value> },
    Again(Answer),
}

pub(super) struct Again {
    person: usize,
    method: Method,
    path: String,
    body: Value,
    key: String,
}

/// Everything that is there, as the rules have it.
pub struct World {
    pub random: Rng,
    pub people: Vec<Person>,
    pub orders: Vec<Order>,
    pub now: i64,
    pub(super) references: HashSet<String>,
    pub(super) providers: HashSet<String>,
    keys: u64,
    answered: Vec<(Again, Answer)>,
    /// Orders and references of deeds that are done at the same time.
    pub(super) busy: HashSet<usize>,
    pub(super) busy_words: HashSet<String>,
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
            busy_words: HashSet::new(),
        }
    }

    /// Deeds that may be done at the same time, since no two concern the same order or reference.
    pub fn batch(&mut self) -> Vec<Deed> {
        self.busy.clear();
        self.busy_words.clear();
        let size = self.random.usize(1..8);
        (0..size).filter_map(|_| self.deed()).collect()
    }

    /// Holds an answer against what was expected, and learns from it what could not be foreseen.
    pub fn learn(&mut self, deed: Deed, answer: &Answer) {
        let told = format!("{}\n{answer}", deed.told);
        match deed.expect {
            Expect::Refused((status, code)) => {
                assert_eq!((answer.code(), answer["code"].as_str()), (status, Some(code)), "{told}");
                return;
            }
            Expect::Again(first) => {
                assert_eq!((answer.code(), answer.bytes()), (first.code(), first.bytes()), "{told}");
                for header in ["location", "etag"] {
                    assert_eq!(answer.maybe_header(header), first.maybe_header(header), "{told}");
                }
                assert_eq!(answer.header("idempotent-replayed"), "true", "{told}");
                return;
            }
            Expect::Order { order, status, shown } => {
                assert_eq!(answer.code(), status, "{told}");
                assert_contains(answer.json(), &shown, &told);
                assert_eq!(answer.header("etag"), format!("\"{}\"", shown["version"]), "{told}");
                let order = &mut self.orders[order];
                let items = answer["items"].as_array().unwrap().iter();
                order.items = items.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
                if order.id.is_empty() {
                    order.id = answer.id();
                }
                assert_eq!(answer["number"].is_null(), order.placed.is_none(), "{told}");
                order.number = order.number.or(answer["number"].as_i64());
                assert_eq!((answer.id(), answer["number"].as_i64()), (order.id.clone(), order.number), "{told}");
            }
            Expect::Money { order, money, status, shown } => {
                assert_eq!(answer.code(), status, "{told}");
                assert_contains(answer.json(), &shown, &told);
                let money = &mut self.orders[order].money[money];
                if money.id.is_empty() {
                    money.id = answer.id();
                }
                assert_eq!(answer.id(), money.id, "{told}");
            }
        }
        if let Some(again) = deed.again {
            self.answered.push((again, answer.clone()));
        }
    }

    fn deed(&mut self) -> Option<Deed> {
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
            _ => self.sends_again(),
        }
    }

    pub(super) fn said(&mut self, person: usize, method: Method, path: String, body: Value, outcome: Outcome) -> Deed {
        let key = self.random.bool() || path == "/v1/orders" || path.ends_with("ments") || path.ends_with("refunds");
        self.keys += 1;
        let again = Again { person, method, path, body, key: format!("key-{}", self.keys) };
        let mut call = self.call(&again, None);
        if key {
            call = call.key(&again.key);
        }
        let told = format!("{} {} {}", again.method, again.path, again.body);
        let expect = outcome.unwrap_or_else(Expect::Refused);
        Deed { call, told, expect, again: key.then_some(again) }
    }

    fn call(&self, again: &Again, body: Option<&Value>) -> Call {
        let body = body.unwrap_or(&again.body).to_string();
        self.people[again.person].client.call(again.method.clone(), &again.path).body("application/json", body)
    }

    fn sends_again(&mut self) -> Option<Deed> {
        if self.answered.is_empty() {
            return None;
        }
        let (again, answer) = &self.answered[self.random.usize(0..self.answered.len())];
        let told = format!("again: {} {} {}", again.method, again.path, again.body);
        if self.random.u8(0..4) > 0 || again.path != "/v1/orders" {
            let expect = Expect::Again(answer.clone());
            return Some(Deed { call: self.call(again, None).key(&again.key), told, expect, again: None });
        }
        let mut other = again.body.clone();
        other["note"] = json!("another request with the same key");
        let call = self.call(again, Some(&other)).key(&again.key);
        Some(Deed { call, told, expect: Expect::Refused((422, "idempotency_key_reused")), again: None })
    }
}

/// That `actual` has every member of `expected`, and lists of theirs as long.
#[track_caller]
pub fn assert_contains(actual: &Value, expected: &Map<String, Value>, told: &str) {
    for (name, value) in expected {
        let found = &actual[name];
        match value {
            Value::Object(inner) if name != "metadata" => assert_contains(found, inner, told),
            Value::Array(list) if list.iter().any(Value::is_object) => {
                assert_eq!(found.as_array().map(Vec::len), Some(list.len()), "{name}: {told}");
                for (found, value) in found.as_array().unwrap().iter().zip(list) {
                    assert_contains(found, value.as_object().unwrap(), told);
                }
            }
            value => assert_eq!(found, value, "{name}: {told}"),
        }
    }
}
