//! Orders: their contents, the state machine of their status, and what can be changed in each status.

mod money;
mod parts;

pub use money::TooMuchPaid;
pub use parts::{Item, NetAndTax, OrderFee, OrderTax, Returns};

use super::{
    credit::{CreditLine, Credits},
    id::{ItemId, OrderId, UserId},
    money::Currency,
    personal::PersonalRow,
    pricing::{Fee, Line, Priced, TaxLine, Totals, by_rate},
    string_enum::string_enum,
    time::Timestamp,
    transaction::{Held, PaymentStatus, PaymentSums},
};
use std::collections::BTreeMap;

/// The maximum number of entries in `metadata`.
pub const MAX_METADATA: usize = 50;

/// The highest number that an order can be given from outside.
pub const MAX_ORDER_NUMBER: i64 = 999_999_999_999;

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderStatus {
    /// Not yet placed: it has no number and does not count in reports.
    Draft,
    /// Placed: it has a number, counts in reports and can still be changed.
    Pending,
    /// Accepted: its items and amounts are fixed.
    Confirmed,
    /// Delivered. Final.
    Fulfilled,
    /// Cancelled. Final.
    Cancelled,
}

string_enum!(OrderStatus {
    Draft "draft",
    Pending "pending",
    Confirmed "confirmed",
    Fulfilled "fulfilled",
    Cancelled "cancelled",
});

/// An action that changes an order's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transition {
    Place,
    Confirm,
    Fulfil,
    Cancel,
}

string_enum!(Transition { Place "place", Confirm "confirm", Fulfil "fulfil", Cancel "cancel" });

/// What a transition does to an order in some status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionResult {
    /// It leads to this status.
    To(OrderStatus),
    /// The order is in that status already: nothing changes.
    AlreadyThere,
    /// It is not allowed.
    NotAllowed,
}

/// Who may change what an order is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Editors {
    /// Whoever may change the order.
    Everyone,
    /// Whoever may change all orders.
    Staff,
    /// Nobody.
    Nobody,
}

impl OrderStatus {
    /// The result of `transition` in this status.
    pub const fn after(self, transition: Transition) -> TransitionResult {
        use OrderStatus::{Cancelled, Confirmed, Draft, Fulfilled, Pending};
        match (self, transition) {
            (Draft, Transition::Place) => TransitionResult::To(Pending),
            (Pending, Transition::Confirm) => TransitionResult::To(Confirmed),
            (Confirmed, Transition::Fulfil) => TransitionResult::To(Fulfilled),
            (Draft | Pending | Confirmed, Transition::Cancel) => TransitionResult::To(Cancelled),
            (Pending, Transition::Place)
            | (Confirmed, Transition::Confirm)
            | (Fulfilled, Transition::Fulfil)
            | (Cancelled, Transition::Cancel) => TransitionResult::AlreadyThere,
            (Draft, Transition::Confirm | Transition::Fulfil)
            | (Pending, Transition::Fulfil)
            | (Confirmed, Transition::Place)
            | (Fulfilled, Transition::Place | Transition::Confirm | Transition::Cancel)
            | (Cancelled, Transition::Place | Transition::Confirm | Transition::Fulfil) => TransitionResult::NotAllowed,
        }
    }

    /// The transitions that are allowed in this status and lead to another one.
    pub fn allowed_transitions(self) -> impl Iterator<Item = Transition> {
        Transition::ALL.iter().copied().filter(move |&t| matches!(self.after(t), TransitionResult::To(_)))
    }

    /// Whether items, fees, discounts and the reference can be changed in this status, by whom.
    pub const fn editable_by(self) -> Editors {
        match self {
            Self::Draft | Self::Pending => Editors::Everyone,
            Self::Confirmed => Editors::Staff,
            Self::Fulfilled | Self::Cancelled => Editors::Nobody,
        }
    }
}

/// The customer of an order, as far as the caller named them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// The full name.
    pub name: Option<String>,
    /// The e-mail address. Any text: it is not checked.
    pub email: Option<String>,
    /// The telephone number. Any text.
    pub phone: Option<String>,
    /// The postal address. Any text.
    pub address: Option<String>,
}

/// The part of an order that the caller decides, checked and priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderDraft {
    /// The currency of every amount.
    pub currency: Currency,
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// What is ordered.
    pub lines: Vec<Line>,
    /// Charges besides the lines.
    pub fees: Vec<Fee>,
    /// The discount on the whole order, in minor units.
    pub order_discount_amount: i64,
    /// The computed amounts of all of these.
    pub priced: Priced,
    /// The caller's own identifier, unique among all orders.
    pub external_ref: Option<String>,
    /// The customer.
    pub customer: Option<Customer>,
    /// Free text.
    pub note: Option<String>,
    /// The caller's own data.
    pub metadata: BTreeMap<String, String>,
}

/// A stored order. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct Order {
    /// Its row in the database. Never shown to clients.
    pub seq: i64,
    pub id: OrderId,
    /// Numbers have no gaps, except those that an import left. A draft has none.
    pub number: Option<i64>,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
    /// The currency of every amount.
    pub currency: Currency,
    /// The owner. An order made by an API key may have none.
    pub user_id: Option<UserId>,
    /// The caller's own identifier, unique among all orders.
    pub external_ref: Option<String>,
    pub items: Vec<Item>,
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// Charges besides the items.
    pub fees: Vec<OrderFee>,
    /// By rate, the highest first, `None` last.
    pub taxes: Vec<OrderTax>,
    /// The discount on the whole order.
    pub order_discount_amount: i64,
    pub totals: Totals,
    /// The sum of succeeded payments.
    pub paid_amount: i64,
    /// The sum of succeeded refunds.
    pub refunded_amount: i64,
    /// How much less the order owes because of succeeded refunds.
    pub credited_amount: i64,
    /// Tax in that.
    pub credited_tax_amount: i64,
    pub customer: Option<Customer>,
    pub note: Option<String>,
    /// The caller's own data.
    pub metadata: BTreeMap<String, String>,
    /// The number of its events, so that each change has a version of its own.
    pub version: i64,
    /// The identifier of the user or API key, or `system`.
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub placed_at: Option<Timestamp>,
    pub confirmed_at: Option<Timestamp>,
    pub fulfilled_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
    pub cancel_reason: Option<String>,
    /// Where customer, note and reason are kept apart.
    pub personal: Option<PersonalRow>,
}

impl Order {
    /// The amount still to be paid; negative if money is held that is not owed. A cancelled order owes nothing.
    pub fn balance_amount(&self) -> i64 {
        let owed = if self.status == OrderStatus::Cancelled { 0 } else { self.totals.total - self.credited_amount };
        owed - (self.paid_amount - self.refunded_amount)
    }

    /// What its refunds may still credit. `held` are the sums of its transactions.
    pub fn credits(&self, held: Held) -> Credits {
        let rate = |item: &Item| self.taxes.iter().position(|tax| tax.rate() == item.line.tax.rate());
        let line = |item: &Item| CreditLine {
            // An item whose net amount and tax are 0 may have no entry in `taxes`; then there is nothing to credit.
            rate: rate(item),
            quantity: item.line.quantity,
            total_amount: item.totals.total_amount,
            tax_amount: item.totals.tax_amount,
            returned_quantity: item.returns.quantity + item.returns.reserved_quantity,
            credited_amount: item.returns.credited_amount,
            credited_tax_amount: item.returns.credited_tax_amount,
        };
        let left: Vec<_> = self.taxes.iter().map(OrderTax::left).collect();
        let owed: i64 = left.iter().map(TaxLine::total).sum();
        Credits {
            lines: self.items.iter().map(line).collect(),
            left,
            overpaid: (held.refundable() - owed).max(0),
            refundable: held.refundable(),
            is_cancelled: self.status == OrderStatus::Cancelled,
        }
    }

    /// Sets the status and the time at which it was reached.
    pub fn enter(&mut self, status: OrderStatus, now: Timestamp) {
        self.status = status;
        match status {
            OrderStatus::Draft => {}
            OrderStatus::Pending => self.placed_at = Some(now),
            OrderStatus::Confirmed => self.confirmed_at = Some(now),
            OrderStatus::Fulfilled => self.fulfilled_at = Some(now),
            OrderStatus::Cancelled => self.cancelled_at = Some(now),
        }
    }

    /// The net amounts and taxes of its items and fees by rate, as in [`Self::taxes`]. None if they leave the range of
    /// exact integers, which no priced order does.
    pub fn tax_lines(&self) -> Option<Vec<TaxLine>> {
        let of_items = self.items.iter().map(|item| item.totals.tax_line(item.line.tax));
        let of_fees = self.fees.iter().map(|fee| fee.totals.tax_line(fee.fee.tax));
        by_rate(of_items.chain(of_fees))
    }

    /// Whether refunds credited something or took goods back, pending ones included.
    pub fn has_credits(&self) -> bool {
        let is_returned = |item: &Item| item.returns.quantity + item.returns.reserved_quantity > 0;
        self.items.iter().any(is_returned) || self.taxes.iter().any(|tax| tax.left() != tax.whole)
    }

    /// Gives an order without credits these items and fees, and the amounts that were computed for them.
    pub fn set_price(&mut self, items: Vec<(ItemId, Line)>, fees: Vec<Fee>, priced: &Priced) {
        let item = |((id, line), &totals)| Item { id, line, totals, returns: Returns::default() };
        self.items = items.into_iter().zip(&priced.lines).map(item).collect();
        self.fees = fees.into_iter().zip(&priced.fees).map(|(fee, &totals)| OrderFee { fee, totals }).collect();
        self.taxes = priced.taxes.iter().copied().map(OrderTax::uncredited).collect();
        self.totals = priced.totals;
        self.update_payment_status();
    }

    /// Derives the payment status again. Call it after the total, payments, refunds or credits change.
    pub fn update_payment_status(&mut self) {
        self.payment_status = PaymentStatus::derive(&PaymentSums {
            total: self.totals.total,
            paid: self.paid_amount,
            refunded: self.refunded_amount,
            credited: self.credited_amount,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_lists_the_transitions_that_leave_it() {
        let allowed = |status: OrderStatus| status.allowed_transitions().map(Transition::name).collect::<Vec<_>>();
        assert_eq!(allowed(OrderStatus::Draft), ["place", "cancel"]);
        assert_eq!(allowed(OrderStatus::Pending), ["confirm", "cancel"]);
        assert_eq!(allowed(OrderStatus::Confirmed), ["fulfil", "cancel"]);
        assert!(allowed(OrderStatus::Fulfilled).is_empty());
        assert!(allowed(OrderStatus::Cancelled).is_empty());
    }

    #[test]
    fn a_transition_never_leads_to_an_earlier_status() {
        for &status in OrderStatus::ALL {
            for &transition in Transition::ALL {
                if let TransitionResult::To(next) = status.after(transition) {
                    assert!(next > status, "{status:?} {transition:?}");
                    assert_eq!(
                        next.after(transition),
                        TransitionResult::AlreadyThere,
                        "a repeated transition changes nothing"
                    );
                }
            }
        }
    }
}
