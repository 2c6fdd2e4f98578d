//! Random requests on payments and refunds, and the responses that the rules require.

use super::{
    credit::{Ask, Terms},
    price::{ByRate, int},
    rules::{INVALID, Money, Order, Refusal, time},
    world::{Expect, Role, Step, World},
};
use axum::http::Method;
use serde_json::{Value, json};

/// What is booked: a payment, or a refund and the payment that it names.
struct Booking {
    payment: bool,
    of: Option<usize>,
}

impl World {
    /// Sometimes adds a random `occurred_at` to `body`, and returns it. It is never quite now, so that the times which
    /// requests name differ from those at which they are answered.
    fn moment(&mut self, body: &mut Value) -> Option<i64> {
        let hours = (self.random.u8(0..4) == 0).then(|| self.random.i64(-72..24))?;
        let at = self.now + hours * 3_600_000 - 1;
        body["occurred_at"] = json!(time(at));
        Some(at)
    }

    pub(super) fn pays(&mut self, person: usize) -> Option<Step> {
        let index = self.some_order()?;
        let order = &self.orders[index];
        let balance = order.prices().total() - order.paid() + order.refunded();
        let exact = balance > 0 && self.random.bool();
        let amount = if exact { balance } else { self.random.i128(1..6_000) };
        let body = json!({"amount": int(amount)});
        let terms = move |_: &Order| Ok(Terms { amount, credit: ByRate::new(), goods: vec![] });
        self.books(person, index, Booking { payment: true, of: None }, body, terms)
    }

    pub(super) fn refunds(&mut self, person: usize) -> Option<Step> {
        let index = self.some_order()?;
        let order = self.orders[index].clone();
        let held = order.refundable(None);
        let (mut body, mut ask) = (json!({}), Ask { amount: None, credit: None, returns: vec![], of: None });
        if !order.items.is_empty() && self.random.u8(0..3) == 0 {
            ask.returns = self.returns(&order);
            let item =
                |&(line, quantity): &(usize, i128)| json!({"item_id": order.items[line], "quantity": int(quantity)});
            body["items"] = ask.returns.iter().map(item).collect();
        }
        if self.random.u8(0..30) > 0 && (ask.returns.is_empty() || self.random.bool()) {
            let amount = match self.random.u8(0..12) {
                0 => 0,
                1..6 if held > 0 => held,
                6..9 if held > 0 => self.random.i128(1..=held),
                _ => self.random.i128(1..6_000),
            };
            (body["amount"], ask.amount) = (int(amount), Some(amount));
        }
        if self.random.u8(0..4) == 0 {
            let most = order.prices().total();
            let credit = if self.random.u8(0..3) == 0 { 0 } else { self.random.i128(0..=most + 1) };
            (body["credit_amount"], ask.credit) = (int(credit), Some(credit));
        }
        if !order.money.is_empty() && self.random.u8(0..3) == 0 {
            let at = self.random.usize(0..order.money.len());
            // The identifiers of refunds made by cancellations are unknown.
            if !order.money[at].id.is_empty() {
                (body["payment_id"], ask.of) = (json!(order.money[at].id), Some(at));
            }
        }
        let of = ask.of;
        self.books(person, index, Booking { payment: false, of }, body, move |order| order.refund(&ask))
    }

    /// Random goods to return, sometimes more than were ordered.
    fn returns(&mut self, order: &Order) -> Vec<(usize, i128)> {
        let count = self.random.usize(1..3);
        let part = |_| {
            let line = self.random.usize(0..order.lines.len());
            (line, self.random.i128(1..=order.lines[line].quantity))
        };
        (0..count).map(part).collect()
    }

    /// A transaction's provider and reference, of which each may be left out. None if another step uses it now.
    fn provider(&mut self, payment: bool, body: &mut Value) -> Option<(Option<&'static str>, Option<String>)> {
        let mut named = (None, None);
        if self.random.u8(0..3) == 0 {
            let reference = format!("P{}", self.random.usize(0..self.orders.len() + 10));
            self.busy_references.insert(word(payment, &reference)).then_some(())?;
            body["provider_ref"] = json!(reference);
            named.1 = Some(reference);
        }
        if self.random.u8(0..4) > 0 {
            body["provider"] = "bank".into();
            named.0 = Some("bank");
        }
        Some(named)
    }

    fn books(
        &mut self,
        person: usize,
        index: usize,
        Booking { payment, of }: Booking,
        mut body: Value,
        terms: impl FnOnce(&Order) -> Result<Terms, Refusal>,
    ) -> Option<Step> {
        let mut order = self.orders[index].clone();
        let status = if self.random.u8(0..4) == 0 { "pending" } else { "succeeded" };
        body["status"] = status.into();
        let occurred_at = self.moment(&mut body).unwrap_or(self.now);
        let (provider, reference) = self.provider(payment, &mut body)?;
        let unique = provider.and(reference.as_ref()).map(|reference| word(payment, reference));
        let path = format!("/v1/orders/{}/{}", order.id, if payment { "payments" } else { "refunds" });
        let refused = match self.people[person].role {
            Role::Customer => Some((403, "forbidden")),
            Role::Staff if !payment => Some((403, "forbidden")),
            _ if unique.as_ref().is_some_and(|word| self.providers.contains(word)) => {
                Some((409, "duplicate_transaction"))
            }
            _ if order.placed.is_none() => Some((409, "order_not_placed")),
            _ => None,
        };
        let outcome = refused.map_or_else(|| terms(&order), Err).map(|Terms { amount, credit, goods }| {
            self.providers.extend(unique);
            let (money, id) = (order.money.len(), String::new());
            let (reason, reversed_at) = (None, None);
            order.money.push(Money {
                id,
                payment,
                status,
                amount,
                credit,
                goods,
                of,
                provider,
                reference,
                reason,
                occurred_at,
                reversed_at,
            });
            order.event(self.now);
            let document = order.transaction_document(money);
            self.orders[index] = order;
            Expect::Money { order: index, money, status: 201, document }
        });
        Some(self.request(person, Method::POST, path, body, outcome))
    }

    pub(super) fn resolves(&mut self, person: usize) -> Option<Step> {
        let index = self.some_order()?;
        let mut order = self.orders[index].clone();
        let pending = order.money.iter().position(|money| money.status == "pending");
        let at = pending.or_else(|| (!order.money.is_empty()).then(|| self.random.usize(0..order.money.len())))?;
        let money = order.money[at].clone();
        if money.id.is_empty() {
            return None;
        }
        let status = match money.status {
            "succeeded" if self.random.bool() => "reversed",
            _ => ["pending", "succeeded", "succeeded", "failed", "voided", "reversed"][self.random.usize(0..6)],
        };
        let mut body = json!({"status": status});
        let said = self.moment(&mut body);
        let reason = (self.random.u8(0..3) == 0).then_some("so it is");
        if let Some(reason) = reason {
            body["reason"] = reason.into();
        }
        let less = (self.random.u8(0..5) == 0).then(|| self.random.i128(1..=money.amount.max(1) + 1));
        if let Some(less) = less {
            body["amount"] = int(less);
        }
        // What ends frees its reference, so no other step may use it now.
        let unique = money.provider.and(money.reference.as_ref()).map(|reference| word(money.payment, reference));
        if let Some(word) = &unique {
            self.busy_references.insert(word.clone()).then_some(())?;
        }
        let refused = match self.people[person].role {
            Role::Customer => Some((403, "forbidden")),
            Role::Staff if !money.payment => Some((403, "forbidden")),
            _ => None,
        };
        let change = Change { status, amount: less, reason, said, now: self.now };
        let path = format!("/v1/transactions/{}", money.id);
        let outcome = refused.map_or_else(|| change.of(&mut order, at), Err).map(|()| {
            if let Some(word) = unique.filter(|_| !["pending", "succeeded"].contains(&order.money[at].status)) {
                self.providers.remove(&word);
            }
            let document = order.transaction_document(at);
            self.orders[index] = order;
            Expect::Money { order: index, money: at, status: 200, document }
        });
        Some(self.request(person, Method::PATCH, path, body, outcome))
    }
}

/// The key under which the model keeps a provider's transaction.
fn word(payment: bool, reference: &str) -> String {
    format!("{payment} {reference}")
}

/// A change of a transaction's status.
struct Change {
    status: &'static str,
    amount: Option<i128>,
    reason: Option<&'static str>,
    /// `occurred_at` of the request.
    said: Option<i64>,
    now: i64,
}

impl Change {
    fn of(&self, order: &mut Order, at: usize) -> Result<(), Refusal> {
        let before = order.money[at].clone();
        let reversal = self.status == "reversed";
        match before.status {
            now if now == self.status => return Ok(()),
            "pending" if !reversal => {}
            "succeeded" if reversal => {}
            _ => return Err((409, "invalid_transition")),
        }
        if self.amount.is_some_and(|amount| !before.payment || self.status != "succeeded" || amount > before.amount) {
            return Err(INVALID);
        }
        let end = self.said.unwrap_or_else(|| self.now.max(before.occurred_at));
        if reversal && end < before.occurred_at {
            return Err(INVALID);
        }
        if reversal && before.payment && order.refundable(Some(at)) < before.amount {
            return Err((422, "refund_exceeds_paid"));
        }
        let money = &mut order.money[at];
        money.status = self.status;
        money.amount = self.amount.unwrap_or(before.amount);
        money.reason = self.reason.or(before.reason);
        if reversal {
            money.reversed_at = Some(end);
        } else {
            money.occurred_at = self.said.unwrap_or(before.occurred_at);
        }
        order.event(self.now);
        Ok(())
    }
}
