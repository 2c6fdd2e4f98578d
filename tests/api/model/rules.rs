//! The rules of orders and money a second time, written as simply as possible and independently of the service.

use super::{
    credit::{Goods, sum},
    price::{ByRate, Fee, Line, Prices, int, prices, tax_documents},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Money {
    pub id: String,
    pub payment: bool,
    pub status: &'static str,
    pub amount: i128,
    /// The credit of a refund.
    pub credit: ByRate,
    /// The goods that came back with a refund.
    pub goods: Vec<Goods>,
    /// For a refund that names its payment: the index of that payment among the transactions of the order.
    pub of: Option<usize>,
    pub provider: Option<&'static str>,
    pub reference: Option<String>,
    pub reason: Option<&'static str>,
    pub occurred_at: i64,
    pub reversed_at: Option<i64>,
}

#[derive(Clone)]
pub struct Order {
    pub id: String,
    pub number: Option<i64>,
    pub owner: Option<String>,
    pub status: &'static str,
    pub currency: &'static str,
    /// Whether prices include tax.
    pub included: bool,
    pub lines: Vec<Line>,
    /// Identifiers of the lines.
    pub items: Vec<String>,
    pub fees: Vec<Fee>,
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

const DONE: &[&str] = &["succeeded"];

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

    pub fn check(&self) -> Result<Prices, Refusal> {
        prices(&self.lines, &self.fees, self.discount, self.included).ok_or(INVALID)
    }

    pub fn prices(&self) -> Prices {
        self.check().expect("the price of an order that is there")
    }

    pub fn payment_status(&self) -> &'static str {
        let credited = sum(&self.credited(DONE));
        let (held, owed) = (self.paid() - self.refunded(), self.prices().total() - credited);
        match () {
            () if self.paid() > 0 && held == 0 => "refunded",
            () if held > owed => "overpaid",
            () if held == owed && self.refunded() > 0 && credited > 0 => "partially_refunded",
            () if held == owed => "paid",
            () if held > 0 => "partially_paid",
            () => "unpaid",
        }
    }

    pub fn balance(&self) -> i128 {
        let owed = self.prices().total() - sum(&self.credited(DONE));
        let owed = if self.status == "cancelled" { 0 } else { owed };
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
            _ => {
                self.cancelled = Some(now);
                // A cancelled order owes nothing, so nothing is left to credit.
                for money in self.money.iter_mut().filter(|money| money.status == "pending") {
                    money.credit.clear();
                    money.goods.iter_mut().for_each(|goods| (goods.credit, goods.tax) = (0, 0));
                }
            }
        }
    }

    pub fn event(&mut self, now: i64) {
        self.version += 1;
        self.updated = now;
    }

    /// Puts the moment at which something really happened in place of the one that was assumed.
    pub fn happened(&mut self, assumed: i64, at: i64) {
        let ends = [&mut self.placed, &mut self.confirmed, &mut self.fulfilled, &mut self.cancelled];
        let ends = ends.into_iter().filter_map(Option::as_mut).chain([&mut self.made, &mut self.updated]);
        let money = self
            .money
            .iter_mut()
            .flat_map(|money| std::iter::once(&mut money.occurred_at).chain(money.reversed_at.as_mut()));
        ends.chain(money).filter(|time| **time == assumed).for_each(|time| *time = at);
    }

    /// The expected document, without identifiers and number, which the service chooses.
    pub fn document(&self) -> Map<String, Value> {
        let (prices, credited) = (self.prices(), self.credited(DONE));
        let gross: i128 = self.lines.iter().map(Line::gross).sum();
        let line_discounts: i128 = self.lines.iter().map(|line| line.discount).sum();
        let at = |millis: Option<i64>| millis.map(time);
        let lines = self.lines.iter().zip(&prices.lines).enumerate();
        let fees = self.fees.iter().zip(&prices.fees);
        let document = json!({
            "status": self.status, "payment_status": self.payment_status(), "currency": self.currency,
            "prices_include_tax": self.included,
            "user_id": self.owner, "external_ref": self.reference, "note": self.note, "metadata": self.metadata,
            "subtotal_amount": int(gross), "order_discount_amount": int(self.discount),
            "discount_amount": int(line_discounts + self.discount),
            "fee_amount": int(self.fees.iter().map(|fee| fee.amount).sum()),
            "tax_amount": int(prices.tax()), "taxes": tax_documents(&prices.taxes),
            "total_amount": int(prices.total()), "paid_amount": int(self.paid()),
            "refunded_amount": int(self.refunded()), "credited_amount": int(sum(&credited)),
            "credited_tax_amount": int(credited.values().map(|(_, tax)| tax).sum()), "balance_amount": int(self.balance()),
            "version": self.version, "allowed_transitions": self.allowed(), "cancel_reason": self.reason,
            "items": lines.map(|(at, (line, part))| line.document(part, self.returned(at, DONE))).collect::<Vec<_>>(),
            "fees": fees.map(|(fee, part)| fee.document(part)).collect::<Vec<_>>(),
            "created_at": time(self.made), "updated_at": time(self.updated), "placed_at": at(self.placed),
            "confirmed_at": at(self.confirmed), "fulfilled_at": at(self.fulfilled), "cancelled_at": at(self.cancelled),
        });
        document.as_object().unwrap().clone()
    }

    /// The expected document of a transaction with the money of its order, without identifiers.
    pub fn transaction_document(&self, at: usize) -> Map<String, Value> {
        let money = &self.money[at];
        let goods = money.goods.iter().map(|goods| json!({"item_id": goods.item, "quantity": int(goods.quantity)}));
        let goods: Vec<_> = goods.collect();
        let document = json!({
            "order_id": self.id, "order_number": self.number, "kind": if money.payment { "payment" } else { "refund" },
            "status": money.status, "amount": int(money.amount), "credit_amount": int(sum(&money.credit)),
            "credit_tax_amount": int(money.credit.values().map(|(_, tax)| tax).sum()),
            "credit_taxes": tax_documents(&money.credit), "items": (!goods.is_empty()).then_some(goods),
            "currency": self.currency, "provider": money.provider, "provider_ref": money.reference,
            "payment_id": money.of.map(|payment| self.money[payment].id.clone()), "reason": money.reason,
            "occurred_at": time(money.occurred_at), "reversed_at": money.reversed_at.map(time),
            "order": {
                "id": self.id, "version": self.version, "payment_status": self.payment_status(),
                "paid_amount": int(self.paid()), "refunded_amount": int(self.refunded()),
                "credited_amount": int(sum(&self.credited(DONE))), "balance_amount": int(self.balance()),
            },
        });
        document.as_object().unwrap().clone()
    }
}

pub fn time(millis: i64) -> String {
    orderd::domain::time::Timestamp::from_millis(millis).to_string()
}
