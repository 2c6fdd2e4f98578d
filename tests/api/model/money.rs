//! Random requests on payments and refunds, and the responses that the rules require.

use super::{
    rules::{INVALID, Money, time},
    world::{Expect, Role, Step, World},
};
use axum::http::Method;
use serde_json::{Value, json};

impl World {
    /// Sometimes adds a random `occurred_at` to `body`, and returns it.
    fn moment(&mut self, body: &mut Value) -> Option<i64> {
        let hours = (self.random.u8(0..4) == 0).then(|| self.random.i64(-72..24))?;
        let at = self.now + hours * 3_600_000;
        body["occurred_at"] = json!(time(at));
        Some(at)
    }

    pub(super) fn books(&mut self, person: usize, payment: bool) -> Option<Step> {
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
            // The identifiers of refunds made by cancellations are unknown.
            if !order.money[at].id.is_empty() {
                of = Some(at);
                body["payment_id"] = json!(order.money[at].id);
            }
        }
        let mut provider = None;
        if self.random.u8(0..3) == 0 {
            let word = format!("{payment} P{}", self.random.usize(0..self.orders.len() + 10));
            if !self.busy_references.insert(word.clone()) {
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
                let document = order.transaction_document(money);
                self.orders[index] = order;
                Ok(Expect::Money { order: index, money, status: 201, document })
            },
            Err,
        );
        Some(self.request(person, Method::POST, path, body, outcome))
    }

    pub(super) fn resolves(&mut self, person: usize) -> Option<Step> {
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
        let document = order.transaction_document(at);
        let outcome = refused.map_or(Ok(Expect::Money { order: index, money: at, status: 200, document }), Err);
        if refused.is_none() {
            self.orders[index] = order;
        }
        Some(self.request(person, Method::PATCH, path, body, outcome))
    }
}
