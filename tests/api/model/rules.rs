//! The rules of orders and money a second time, written as simply as possible and independently of the service.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq)]
pub struct Line {
    pub sku: String,
    pub quantity: i128,
    pub unit: i128,
    pub discount: i128,
    pub tax: Tax,
}

#[derive(Clone, PartialEq)]
pub enum Tax {
    /// The rate as text, and in ten-thousandths of a percent.
    Rate(&'static str, i128),
    Amount(i128),
}

impl Line {
    fn net(&self) -> i128 {
        self.quantity * self.unit - self.discount
    }

    fn tax(&self) -> i128 {
        match self.tax {
            // Adding half a unit and rounding down rounds half away from zero, because no amount is negative.
            Tax::Rate(_, parts) => (2 * self.net() * parts + 1_000_000) / 2_000_000,
            Tax::Amount(amount) => amount,
        }
    }

    /// The line in a request.
    pub fn request(&self) -> Value {
        let mut line =
            json!({"sku": self.sku, "name": self.sku, "quantity": int(self.quantity), "unit_amount": int(self.unit)});
        if self.discount != 0 {
            line["discount_amount"] = int(self.discount);
        }
        match self.tax {
            Tax::Rate(text, _) => line["tax_rate"] = text.into(),
            Tax::Amount(0) => {}
            Tax::Amount(amount) => line["tax_amount"] = int(amount),
        }
        line
    }

    fn document(&self) -> Value {
        let rate = if let Tax::Rate(text, _) = self.tax { json!(text) } else { Value::Null };
        json!({
            "sku": self.sku, "name": self.sku, "quantity": int(self.quantity), "unit_amount": int(self.unit),
            "discount_amount": int(self.discount), "tax_rate": rate, "tax_amount": int(self.tax()),
            "total_amount": int(self.net() + self.tax()),
        })
    }
}

fn int(value: i128) -> Value {
    i64::try_from(value).unwrap().into()
}

#[derive(Clone)]
pub struct Money {
    pub id: String,
    pub payment: bool,
    pub status: &'static str,
    pub amount: i128,
    /// For a refund that names its payment: the index of that payment among the transactions of the order.
    pub of: Option<usize>,
    pub occurred_at: i64,
}

#[derive(Clone)]
pub struct Order {
    pub id: String,
    pub number: Option<i64>,
    pub owner: Option<String>,
    pub status: &'static str,
    pub currency: &'static str,
    pub lines: Vec<Line>,
    pub fees: Vec<i128>,
    pub discount: i128,
    pub reference: Option<String>,
    pub note: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub version: u64,
    pub money: Vec<Money>,
    pub reason: Option<String>,
    /// The times at which it was created, placed, confirmed, fulfilled, cancelled and last changed, in milliseconds.
    pub made: i64,
    pub placed: Option<i64>,
    pub confirmed: Option<i64>,
    pub fulfilled: Option<i64>,
    pub cancelled: Option<i64>,
    pub updated: i64,
}

/// The status and code of a problem.
pub type Refusal = (u16, &'static str);

pub const INVALID: Refusal = (422, "validation_failed");

impl Order {
    pub fn sum(&self, payment: bool, status: &str) -> i128 {
        self.money.iter().filter(|m| m.payment == payment && m.status == status).map(|m| m.amount).sum()
    }

    pub fn paid(&self) -> i128 {
        self.sum(true, "succeeded")
    }

    pub fn refunded(&self) -> i128 {
        self.sum(false, "succeeded")
    }

    /// The amount that can still be refunded: of the order, or of one of its payments.
    pub fn refundable(&self, of: Option<usize>) -> i128 {
        let whole = self.paid() - self.refunded() - self.sum(false, "pending");
        let Some(payment) = of else { return whole };
        let live = |m: &&Money| m.of == Some(payment) && ["succeeded", "pending"].contains(&m.status);
        let given: i128 = self.money.iter().filter(live).map(|m| m.amount).sum();
        whole.min(self.money[payment].amount - given)
    }

    pub fn total(&self) -> i128 {
        let lines: i128 = self.lines.iter().map(|line| line.net() + line.tax()).sum();
        lines + self.fees.iter().sum::<i128>() - self.discount
    }

    pub fn tax(&self) -> i128 {
        self.lines.iter().map(Line::tax).sum()
    }

    /// Refuses an order that cannot be priced.
    pub fn check(&self) -> Result<(), Refusal> {
        let sound = self.lines.iter().all(|line| line.net() >= 0) && self.total() >= 0;
        if sound { Ok(()) } else { Err(INVALID) }
    }

    pub fn payment_status(&self) -> &'static str {
        match (self.paid(), self.refunded()) {
            (paid, refunded) if paid > 0 && paid == refunded => "refunded",
            (_, refunded) if refunded > 0 => "partially_refunded",
            (paid, _) if paid > self.total() => "overpaid",
            (paid, _) if paid == self.total() => "paid",
            (paid, _) if paid > 0 => "partially_paid",
            _ => "unpaid",
        }
    }

    pub fn balance(&self) -> i128 {
        let owed = if self.status == "cancelled" { 0 } else { self.total() };
        owed - self.paid() + self.refunded()
    }

    pub fn open(&self) -> bool {
        ["draft", "pending"].contains(&self.status)
    }

    fn allowed(&self) -> &'static [&'static str] {
        match self.status {
            "draft" => &["place", "cancel"],
            "pending" => &["confirm", "cancel"],
            "confirmed" => &["fulfil", "cancel"],
            _ => &[],
        }
    }

    /// The status that an action leads to; none if the order has it already; or a refusal.
    pub fn status_after(&self, action: &str) -> Result<Option<&'static str>, Refusal> {
        let (from, to): (&[&str], _) = match action {
            "place" => (&["draft"], "pending"),
            "confirm" => (&["pending"], "confirmed"),
            "fulfil" => (&["confirmed"], "fulfilled"),
            _ => (&["draft", "pending", "confirmed"], "cancelled"),
        };
        match self.status {
            now if now == to => Ok(None),
            now if from.contains(&now) => Ok(Some(to)),
            _ => Err((409, "invalid_transition")),
        }
    }

    pub fn enter(&mut self, status: &'static str, now: i64) {
        self.status = status;
        match status {
            "pending" => self.placed = Some(now),
            "confirmed" => self.confirmed = Some(now),
            "fulfilled" => self.fulfilled = Some(now),
            _ => self.cancelled = Some(now),
        }
    }

    pub fn event(&mut self, now: i64) {
        self.version += 1;
        self.updated = now;
    }

    /// The expected document, without identifiers and number, which the service chooses.
    pub fn document(&self) -> Map<String, Value> {
        let gross: i128 = self.lines.iter().map(|line| line.quantity * line.unit).sum();
        let line_discounts: i128 = self.lines.iter().map(|line| line.discount).sum();
        let at = |millis: Option<i64>| millis.map(time);
        let document = json!({
            "status": self.status, "payment_status": self.payment_status(), "currency": self.currency,
            "user_id": self.owner, "external_ref": self.reference, "note": self.note, "metadata": self.metadata,
            "subtotal_amount": int(gross), "order_discount_amount": int(self.discount),
            "discount_amount": int(line_discounts + self.discount), "fee_amount": int(self.fees.iter().sum()),
            "tax_amount": int(self.tax()), "total_amount": int(self.total()), "paid_amount": int(self.paid()),
            "refunded_amount": int(self.refunded()), "balance_amount": int(self.balance()),
            "version": self.version, "allowed_transitions": self.allowed(), "cancel_reason": self.reason,
            "items": self.lines.iter().map(Line::document).collect::<Vec<_>>(),
            "created_at": time(self.made), "updated_at": time(self.updated), "placed_at": at(self.placed),
            "confirmed_at": at(self.confirmed), "fulfilled_at": at(self.fulfilled), "cancelled_at": at(self.cancelled),
        });
        document.as_object().unwrap().clone()
    }

    /// The expected document of a transaction with the money of its order, without identifiers.
    pub fn transaction_document(&self, at: usize) -> Map<String, Value> {
        let money = &self.money[at];
        let document = json!({
            "order_id": self.id, "kind": if money.payment { "payment" } else { "refund" }, "status": money.status,
            "amount": int(money.amount), "currency": self.currency, "occurred_at": time(money.occurred_at),
            "payment_id": money.of.map(|payment| self.money[payment].id.clone()),
            "order": {
                "id": self.id, "version": self.version, "payment_status": self.payment_status(),
                "paid_amount": int(self.paid()), "refunded_amount": int(self.refunded()),
                "balance_amount": int(self.balance()),
            },
        });
        document.as_object().unwrap().clone()
    }
}

pub fn time(millis: i64) -> String {
    orderd::domain::time::Timestamp::from_millis(millis).to_string()
}
