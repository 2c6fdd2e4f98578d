//! What people do at random, and what the rules say should come of it.

use super::rules::{INVALID, Line, Money, Order, Refusal, Tax, time};
use crate::support::{Answer, Call, Client};
use axum::http::Method;
use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

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

/// A request, and what it should lead to.
pub struct Deed {
    pub call: Call,
    pub told: String,
    pub expect: Expect,
    /// As it can be sent again with its key.
    again: Option<Again>,
}

pub enum Expect {
    Refused(Refusal),
    Order { order: usize, status: u16, shown: Map<String, Value> },
    Money { order: usize, money: usize, status: u16, shown: Map<String, Value> },
    Again(Answer),
}

struct Again {
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
    references: HashSet<String>,
    providers: HashSet<(bool, String)>,
    keys: u64,
    answered: Vec<(Again, Answer)>,
    /// Orders and references of deeds that are done at the same time.
    busy: HashSet<usize>,
    busy_words: HashSet<String>,
}

type Outcome = Result<Expect, Refusal>;

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
            0..24 => self.creates(person),
            24..40 => self.patches(person),
            40..60 => self.moves(person),
            60..67 => self.cancels(person),
            67..80 => self.books(person, true),
            80..89 => self.books(person, false),
            89..95 => self.resolves(person),
            _ => self.sends_again(),
        }
    }

    fn said(&mut self, person: usize, method: Method, path: String, body: Value, outcome: Outcome) -> Deed {
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

    fn lines(&mut self) -> Vec<Line> {
        let random = &mut self.random;
        let count = random.usize(1..4);
        (0..count)
            .map(|_| {
                let (quantity, unit) = (random.i128(1..6), random.i128(0..5_000));
                let gross = quantity * unit;
                let discount = match random.u8(0..20) {
                    0 => gross + 1,
                    1..5 => random.i128(0..=gross),
                    _ => 0,
                };
                let tax = match random.u8(0..4) {
                    0 => Tax::Rate("8.875", 88_750),
                    1 => Tax::Rate("19", 190_000),
                    2 => Tax::Amount(random.i128(0..300)),
                    _ => Tax::Amount(0),
                };
                Line { sku: format!("S{}", random.u8(0..9)), quantity, unit, discount, tax }
            })
            .collect()
    }

    fn fees(&mut self) -> Vec<i128> {
        (0..self.random.usize(0..3)).map(|_| self.random.i128(0..900)).collect()
    }

    /// A reference that nothing else uses at this moment, often one that is taken.
    fn reference(&mut self) -> Option<String> {
        let word = format!("R{}", self.random.usize(0..self.orders.len() / 2 + 10));
        self.busy_words.insert(word.clone()).then_some(word)
    }

    fn creates(&mut self, person: usize) -> Option<Deed> {
        let me = self.people[person].client.id.clone();
        let wide = self.people[person].role != Role::Customer;
        let (lines, fees) = (self.lines(), self.fees());
        let discount = if self.random.u8(0..8) == 0 { self.random.i128(0..3_000) } else { 0 };
        let (draft, now) = (self.random.u8(0..3) == 0, self.now);
        let currency = ["EUR", "JPY", "KWD"][self.random.usize(0..3)];
        let reference = if self.random.bool() { Some(self.reference()?) } else { None };
        let mut body = json!({
            "currency": currency, "items": lines.iter().map(Line::asked).collect::<Vec<_>>(),
            "fees": shown_fees(&fees), "order_discount_amount": i64::try_from(discount).unwrap(), "draft": draft,
            "external_ref": reference,
        });
        let mut owner = me.clone();
        if self.random.u8(0..4) == 0 {
            owner = self.people[self.random.usize(0..self.people.len())].client.id.clone();
            body["user_id"] = json!(owner);
        }
        let order = Order {
            id: String::new(),
            number: None,
            owner: Some(owner.clone()),
            status: if draft { "draft" } else { "pending" },
            currency,
            lines,
            fees,
            discount,
            reference: reference.clone(),
            note: None,
            metadata: BTreeMap::new(),
            version: 1,
            money: vec![],
            reason: None,
            made: now,
            placed: (!draft).then_some(now),
            confirmed: None,
            fulfilled: None,
            cancelled: None,
            updated: now,
        };
        let outcome = order.check().and_then(|()| {
            if !wide && owner != me {
                return Err((403, "forbidden"));
            }
            if reference.as_ref().is_some_and(|reference| self.references.contains(reference)) {
                return Err((409, "duplicate_external_ref"));
            }
            self.references.extend(reference);
            let (index, shown) = (self.orders.len(), order.shown());
            self.busy.insert(index);
            self.orders.push(order);
            Ok(Expect::Order { order: index, status: 201, shown })
        });
        Some(self.said(person, Method::POST, "/v1/orders".to_owned(), body, outcome))
    }

    /// An order that nothing else concerns at this moment, mostly a recent one.
    fn some_order(&mut self) -> Option<usize> {
        let count = self.orders.len();
        let first = if self.random.u8(0..10) > 0 { count.saturating_sub(60) } else { 0 };
        let index = self.random.usize(first..count.max(first + 1));
        (index < count && self.busy.insert(index)).then_some(index)
    }

    fn sees(&self, person: usize, order: &Order) -> Result<(), Refusal> {
        let person = &self.people[person];
        let mine = order.owner.as_deref() == Some(person.client.id.as_str());
        if mine || person.role != Role::Customer { Ok(()) } else { Err((404, "not_found")) }
    }

    fn keep(&mut self, index: usize, order: Order) -> Expect {
        let shown = order.shown();
        self.orders[index] = order;
        Expect::Order { order: index, status: 200, shown }
    }

    /// Sometimes names a version, and sometimes the wrong one.
    fn versioned(&mut self, deed: Deed, seen: u64, wrong: bool) -> Deed {
        let named = wrong || self.random.u8(0..3) == 0;
        let version = if wrong { seen + 1 } else { seen };
        if named && deed.again.is_none() { Deed { call: deed.call.if_match(version), ..deed } } else { deed }
    }

    fn patches(&mut self, person: usize) -> Option<Deed> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let mut body = json!({});
        if self.random.bool() {
            order.note = self.random.bool().then(|| format!("note {}", self.random.u8(0..3)));
            body["note"] = json!(order.note);
        }
        if self.random.bool() {
            let (key, value) = (format!("k{}", self.random.u8(0..4)), self.random.u8(0..3).to_string());
            if self.random.u8(0..3) == 0 {
                order.metadata.remove(&key);
                body["metadata"] = json!({key: null});
            } else {
                order.metadata.insert(key.clone(), value.clone());
                body["metadata"] = json!({key: value});
            }
        }
        match self.random.u8(0..6) {
            0 => order.lines = self.lines(),
            1 => order.fees = self.fees(),
            2 => order.discount = self.random.i128(0..3_000),
            3 => order.reference = if self.random.bool() { Some(self.reference()?) } else { None },
            4 => body["items"] = order.lines.iter().map(Line::asked).collect(),
            _ => {}
        }
        let before = &self.orders[index];
        let mut bound = false;
        if order.lines != before.lines {
            (body["items"], bound) = (order.lines.iter().map(Line::asked).collect(), true);
        }
        if order.fees != before.fees {
            (body["fees"], bound) = (shown_fees(&order.fees), true);
        }
        if order.discount != before.discount {
            (body["order_discount_amount"], bound) = (json!(i64::try_from(order.discount).unwrap()), true);
        }
        if order.reference != before.reference {
            (body["external_ref"], bound) = (json!(order.reference), true);
        }
        let changed = bound || order.note != before.note || order.metadata != before.metadata;
        let (seen, path) = (before.version, format!("/v1/orders/{}", before.id));
        let outcome = self.sees(person, before).and_then(|()| order.check()).and_then(|()| {
            let before = &self.orders[index];
            if bound && !before.open() {
                return Err((409, "order_frozen"));
            }
            if order.reference != before.reference {
                if order.reference.as_ref().is_some_and(|reference| self.references.contains(reference)) {
                    return Err((409, "duplicate_external_ref"));
                }
                if let Some(old) = &before.reference {
                    self.references.remove(old);
                }
                self.references.extend(order.reference.clone());
            }
            if changed {
                order.event(self.now);
            }
            Ok(self.keep(index, order))
        });
        let deed = self.said(person, Method::PATCH, path, body, outcome);
        Some(self.versioned(deed, seen, false))
    }

    fn moves(&mut self, person: usize) -> Option<Deed> {
        let index = self.some_order()?;
        let action = ["place", "confirm", "fulfil"][self.random.usize(0..3)];
        let mut order = self.orders[index].clone();
        let (seen, now) = (order.version, self.now);
        let path = format!("/v1/orders/{}/{action}", order.id);
        let wrong = self.random.u8(0..12) == 0;
        let may = self.people[person].role != Role::Customer || action == "place";
        let allowed = if may { self.sees(person, &order) } else { Err((403, "forbidden")) };
        if wrong {
            // Another version than the one that is there.
            let outcome = allowed.and(Err((412, "version_mismatch")));
            let mut deed = self.said(person, Method::POST, path, json!({}), outcome);
            deed.again = None;
            return Some(self.versioned(deed, seen, true));
        }
        let outcome = allowed.and_then(|()| order.step(action)).map(|next| {
            if let Some(next) = next {
                order.enter(next, now);
                order.event(now);
            }
            self.keep(index, order)
        });
        let deed = self.said(person, Method::POST, path, json!({}), outcome);
        Some(self.versioned(deed, seen, false))
    }

    fn cancels(&mut self, person: usize) -> Option<Deed> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let (held, role, now) = (order.refundable(None), self.people[person].role, self.now);
        let decision = match self.random.u8(0..8) {
            0 | 1 => None,
            2 | 3 => Some(json!("none")),
            4 | 5 => Some(json!("full")),
            _ => Some(json!(self.random.i64(1..4_000))),
        };
        let mut body = json!({"reason": "because"});
        if let Some(decision) = &decision {
            body["refund"] = decision.clone();
        }
        let amount = match &decision {
            Some(Value::Number(amount)) => i128::from(amount.as_i64().unwrap()),
            Some(word) if word == "full" => held,
            _ => 0,
        };
        let path = format!("/v1/orders/{}/cancel", order.id);
        let outcome = self.sees(person, &order).and_then(|()| order.step("cancel")).and_then(|next| {
            let Some(next) = next else { return Ok(self.keep(index, order)) };
            if role == Role::Customer && !order.open() {
                return Err((409, "invalid_transition"));
            }
            if amount > 0 && role != Role::Manager {
                return Err((403, "forbidden"));
            }
            if decision.is_none() && held > 0 {
                return Err((422, "refund_decision_required"));
            }
            if amount > held {
                return Err((422, "refund_exceeds_paid"));
            }
            order.enter(next, now);
            order.reason = Some("because".to_owned());
            order.event(now);
            if amount > 0 {
                let refund = Money {
                    id: String::new(),
                    payment: false,
                    status: "succeeded",
                    amount,
                    of: None,
                    occurred_at: now,
                };
                order.money.push(refund);
                order.event(now);
            }
            Ok(self.keep(index, order))
        });
        Some(self.said(person, Method::POST, path, body, outcome))
    }

    /// When money moved, if it is said.
    fn moment(&mut self, body: &mut Value) -> Option<i64> {
        let hours = (self.random.u8(0..4) == 0).then(|| self.random.i64(-72..24))?;
        let at = self.now + hours * 3_600_000;
        body["occurred_at"] = json!(time(at));
        Some(at)
    }

    fn books(&mut self, person: usize, payment: bool) -> Option<Deed> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let likely = if payment { order.total() - order.paid() } else { order.refundable(None) };
        let amount = if likely > 0 && self.random.bool() { likely } else { self.random.i128(1..6_000) };
        let status = if self.random.u8(0..4) == 0 { "pending" } else { "succeeded" };
        let mut body = json!({"amount": i64::try_from(amount).unwrap(), "status": status});
        let occurred_at = self.moment(&mut body).unwrap_or(self.now);
        let mut of = None;
        if !payment && !order.money.is_empty() && self.random.u8(0..3) == 0 {
            let at = self.random.usize(0..order.money.len());
            // The refunds of cancellations are not known by name.
            if !order.money[at].id.is_empty() {
                of = Some(at);
                body["payment_id"] = json!(order.money[at].id);
            }
        }
        let mut provider = None;
        if self.random.u8(0..3) == 0 {
            let word = format!("{payment} P{}", self.random.usize(0..self.orders.len() + 10));
            if !self.busy_words.insert(word.clone()) {
                return None;
            }
            body["provider_ref"] = json!(word);
            provider = Some((payment, word));
        }
        let role = self.people[person].role;
        let kind = if payment { "payments" } else { "refunds" };
        let path = format!("/v1/orders/{}/{kind}", order.id);
        let refused = match (role, &provider) {
            (Role::Customer, _) => Some((403, "forbidden")),
            (Role::Staff, _) if !payment => Some((403, "forbidden")),
            (_, Some(provider)) if self.providers.contains(provider) => Some((409, "duplicate_transaction")),
            _ if order.status == "draft" => Some((409, "order_not_placed")),
            _ if payment && order.status == "cancelled" => Some((409, "order_cancelled")),
            _ if of.is_some_and(|at| !order.money[at].payment || order.money[at].status != "succeeded") => {
                Some(INVALID)
            }
            _ if !payment && amount > order.refundable(of) => Some((422, "refund_exceeds_paid")),
            _ => None,
        };
        let outcome = refused.map_or_else(
            || {
                self.providers.extend(provider);
                let money = order.money.len();
                order.money.push(Money { id: String::new(), payment, status, amount, of, occurred_at });
                order.event(self.now);
                let shown = order.shown_money(money);
                self.orders[index] = order;
                Ok(Expect::Money { order: index, money, status: 201, shown })
            },
            Err,
        );
        Some(self.said(person, Method::POST, path, body, outcome))
    }

    fn resolves(&mut self, person: usize) -> Option<Deed> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let pending = order.money.iter().position(|money| money.status == "pending");
        let at = pending.or_else(|| (!order.money.is_empty()).then(|| self.random.usize(0..order.money.len())))?;
        let money = &mut order.money[at];
        if money.id.is_empty() {
            return None;
        }
        let status = ["pending", "succeeded", "succeeded", "failed", "voided"][self.random.usize(0..5)];
        let mut body = json!({"status": status});
        let occurred_at = self.moment(&mut body).unwrap_or(money.occurred_at);
        let path = format!("/v1/transactions/{}", money.id);
        let refused = match self.people[person].role {
            Role::Customer => Some((403, "forbidden")),
            Role::Staff if !money.payment => Some((403, "forbidden")),
            _ if money.status == status => None,
            _ if money.status != "pending" => Some((409, "invalid_transition")),
            _ => {
                (money.status, money.occurred_at) = (status, occurred_at);
                order.event(self.now);
                None
            }
        };
        let shown = order.shown_money(at);
        let outcome = refused.map_or(Ok(Expect::Money { order: index, money: at, status: 200, shown }), Err);
        if refused.is_none() {
            self.orders[index] = order;
        }
        Some(self.said(person, Method::PATCH, path, body, outcome))
    }
}

fn shown_fees(fees: &[i128]) -> Value {
    fees.iter().map(|&amount| json!({"name": "Fee", "amount": i64::try_from(amount).unwrap()})).collect()
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
