//! Random requests on orders, and the responses that the rules require.

use super::{
    price::{ByRate, Fee, Line, Tax, int},
    rules::{Money, Order, Refusal},
    world::{Expect, Role, Step, World},
};
use axum::http::Method;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl World {
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
                let (sku, tax) = (format!("S{}", random.u8(0..9)), some_tax(random));
                Line { sku, quantity, unit, discount, tax }
            })
            .collect()
    }

    fn fees(&mut self) -> Vec<Fee> {
        let random = &mut self.random;
        (0..random.usize(0..3)).map(|_| Fee { amount: random.i128(0..900), tax: some_tax(random) }).collect()
    }

    /// A reference that no other request of the batch uses. Often an order has it already.
    pub(super) fn reference(&mut self) -> Option<String> {
        let word = format!("R{}", self.random.usize(0..self.orders.len() / 2 + 10));
        self.busy_references.insert(word.clone()).then_some(word)
    }

    pub(super) fn creates(&mut self, person: usize) -> Option<Step> {
        let me = self.people[person].user();
        let wide = self.people[person].role != Role::Customer;
        let (lines, fees) = (self.lines(), self.fees());
        let discount = if self.random.u8(0..4) == 0 { self.random.i128(0..3_000) } else { 0 };
        let included = self.random.bool();
        let (draft, now) = (self.random.u8(0..3) == 0, self.now);
        let currency = ["EUR", "JPY", "KWD"][self.random.usize(0..3)];
        let reference = if self.random.bool() { Some(self.reference()?) } else { None };
        let mut body = json!({
            "currency": currency, "items": lines.iter().map(Line::request).collect::<Vec<_>>(),
            "fees": fees.iter().map(Fee::request).collect::<Vec<_>>(), "order_discount_amount": int(discount),
            "draft": draft, "external_ref": reference,
        });
        if included || self.random.bool() {
            body["prices_include_tax"] = included.into();
        }
        let mut owner = me.clone();
        if self.random.u8(0..4) == 0
            && let Some(other) = self.somebody()
        {
            body["user_id"] = json!(other);
            owner = Some(other);
        }
        let order = Order {
            id: String::new(),
            number: None,
            owner: owner.clone(),
            status: if draft { "draft" } else { "pending" },
            currency,
            included,
            lines,
            items: vec![],
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
        let outcome = order.check().and_then(|_| {
            if !wide && owner != me {
                return Err((403, "forbidden"));
            }
            if reference.as_ref().is_some_and(|reference| self.references.contains(reference)) {
                return Err((409, "duplicate_external_ref"));
            }
            self.references.extend(reference);
            let (index, document) = (self.orders.len(), order.document());
            self.busy.insert(index);
            self.orders.push(order);
            Ok(Expect::Order { order: index, status: 201, document })
        });
        Some(self.request(person, Method::POST, "/v1/orders".to_owned(), body, outcome))
    }

    /// An order that no other request of the batch uses, mostly a recent one.
    pub(super) fn some_order(&mut self) -> Option<usize> {
        let count = self.orders.len();
        let first = if self.random.u8(0..10) > 0 { count.saturating_sub(60) } else { 0 };
        let index = self.random.usize(first..count.max(first + 1));
        (index < count && self.busy.insert(index)).then_some(index)
    }

    pub(super) fn check_visible(&self, person: usize, order: &Order) -> Result<(), Refusal> {
        let person = &self.people[person];
        let mine = order.owner == person.user();
        if mine || person.role != Role::Customer { Ok(()) } else { Err((404, "not_found")) }
    }

    pub(super) fn keep(&mut self, index: usize, order: Order) -> Expect {
        let document = order.document();
        self.orders[index] = order;
        Expect::Order { order: index, status: 200, document }
    }

    /// Sometimes adds `If-Match`: with the present version, or with a later one if `wrong`.
    fn versioned(&mut self, step: Step, seen: u64, wrong: bool) -> Step {
        let named = wrong || self.random.u8(0..3) == 0;
        let version = if wrong { seen + 1 } else { seen };
        if named && step.awaited.repeatable.is_none() {
            Step { call: step.call.if_match(version), ..step }
        } else {
            step
        }
    }

    pub(super) fn patches(&mut self, person: usize) -> Option<Step> {
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
        match self.random.u8(0..7) {
            0 => order.lines = self.lines(),
            1 => order.fees = self.fees(),
            2 => order.discount = self.random.i128(0..3_000),
            3 => order.reference = if self.random.bool() { Some(self.reference()?) } else { None },
            4 => body["items"] = order.lines.iter().map(Line::request).collect(),
            5 => order.included = !order.included,
            _ => {}
        }
        let before = &self.orders[index];
        let mut bound = false;
        if order.lines != before.lines {
            (body["items"], bound) = (order.lines.iter().map(Line::request).collect(), true);
        }
        if order.fees != before.fees {
            (body["fees"], bound) = (order.fees.iter().map(Fee::request).collect(), true);
        }
        if order.discount != before.discount {
            (body["order_discount_amount"], bound) = (int(order.discount), true);
        }
        if order.included != before.included {
            (body["prices_include_tax"], bound) = (json!(order.included), true);
        }
        if order.reference != before.reference {
            (body["external_ref"], bound) = (json!(order.reference), true);
        }
        let changed = bound || order.note != before.note || order.metadata != before.metadata;
        let (seen, path) = (before.version, format!("/v1/orders/{}", before.id));
        let by_staff = self.people[person].role != Role::Customer;
        let outcome = self.check_visible(person, before).and_then(|()| order.check()).and_then(|_| {
            let before = &self.orders[index];
            let editable = before.open() || (before.status == "confirmed" && by_staff);
            if bound && (!editable || before.has_credits()) {
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
        let step = self.request(person, Method::PATCH, path, body, outcome);
        Some(self.versioned(step, seen, false))
    }

    /// Gives an order to a user. That succeeds once, for an order that has none.
    pub(super) fn gives(&mut self, person: usize) -> Option<Step> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let user = self.somebody()?;
        let path = format!("/v1/orders/{}", order.id);
        let outcome = self.check_visible(person, &order).and_then(|()| {
            if order.owner.as_ref() == Some(&user) {
                return Ok(self.keep(index, order));
            }
            if self.people[person].role == Role::Customer {
                return Err((403, "forbidden"));
            }
            if order.owner.is_some() {
                return Err((409, "order_frozen"));
            }
            order.owner = Some(user.clone());
            order.event(self.now);
            Ok(self.keep(index, order))
        });
        Some(self.request(person, Method::PATCH, path, json!({"user_id": user}), outcome))
    }

    /// A random user; none if the choice falls on the program.
    fn somebody(&mut self) -> Option<String> {
        self.people[self.random.usize(0..self.people.len())].user()
    }

    pub(super) fn moves(&mut self, person: usize) -> Option<Step> {
        let index = self.some_order()?;
        let action = ["place", "confirm", "fulfil"][self.random.usize(0..3)];
        let mut order = self.orders[index].clone();
        let (seen, now) = (order.version, self.now);
        let path = format!("/v1/orders/{}/{action}", order.id);
        let wrong = self.random.u8(0..12) == 0;
        let may = self.people[person].role != Role::Customer || action == "place";
        let allowed = if may { self.check_visible(person, &order) } else { Err((403, "forbidden")) };
        if wrong {
            let outcome = allowed.and(Err((412, "version_mismatch")));
            let mut step = self.request(person, Method::POST, path, json!({}), outcome);
            step.awaited.repeatable = None;
            return Some(self.versioned(step, seen, true));
        }
        let outcome = allowed.and_then(|()| order.status_after(action)).map(|next| {
            if let Some(next) = next {
                order.enter(next, now);
                order.event(now);
            }
            self.keep(index, order)
        });
        let step = self.request(person, Method::POST, path, json!({}), outcome);
        Some(self.versioned(step, seen, false))
    }

    pub(super) fn cancels(&mut self, person: usize) -> Option<Step> {
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
        let outcome = self.check_visible(person, &order).and_then(|()| order.status_after("cancel")).and_then(|next| {
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
                    credit: ByRate::new(),
                    goods: vec![],
                    of: None,
                    provider: None,
                    reference: None,
                    reason: Some("because"),
                    occurred_at: now,
                    reversed_at: None,
                };
                order.money.push(refund);
                order.event(now);
            }
            Ok(self.keep(index, order))
        });
        Some(self.request(person, Method::POST, path, body, outcome))
    }
}

fn some_tax(random: &mut Rng) -> Tax {
    match random.u8(0..6) {
        0 => Tax::Rate(88_750),
        1 | 2 => Tax::Rate(190_000),
        3 => Tax::Rate(70_000),
        4 => Tax::Amount(random.i128(0..300)),
        _ => Tax::Amount(0),
    }
}
