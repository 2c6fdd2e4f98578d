//! An order: what it holds, the states of its life, and which change is possible in which.

mod parts;

pub use parts::{Item, NetAndTax, OrderFee, OrderTax, Returns};

use super::{
    credit::{CreditLine, Credits},
    id::{ItemId, OrderId, UserId},
    money::Currency,
    pricing::{Fee, Line, Priced, TaxLine, Totals},
    string_enum::string_enum,
    time::Timestamp,
    transaction::{Held, PaymentStatus, PaymentSums},
};
use std::collections::BTreeMap;

/// The most entries that `metadata` may have.
pub const MAX_METADATA: usize = 50;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderStatus {
    /// Being put together: no number, in no figure.
    Draft,
    /// Placed: numbered, counted, still changeable.
    Pending,
    /// Accepted: what was ordered is fixed.
    Confirmed,
    /// Delivered. Final.
    Fulfilled,
    /// Called off. Final.
    Cancelled,
}

string_enum!(OrderStatus {
    Draft "draft",
    Pending "pending",
    Confirmed "confirmed",
    Fulfilled "fulfilled",
    Cancelled "cancelled",
});

/// What can be done to an order's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Make a draft an order.
    Place,
    /// Accept it.
    Confirm,
    /// Deliver it.
    Fulfil,
    /// Call it off.
    Cancel,
}

string_enum!(Transition { Place "place", Confirm "confirm", Fulfil "fulfil", Cancel "cancel" });

/// What a transition does in a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It leads to this status.
    To(OrderStatus),
    /// It has happened already: nothing changes.
    Already,
    /// It cannot be done.
    Impossible,
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
    /// The state machine: every status with every transition.
    pub const fn step(self, transition: Transition) -> Step {
        use OrderStatus::{Cancelled, Confirmed, Draft, Fulfilled, Pending};
        match (self, transition) {
            (Draft, Transition::Place) => Step::To(Pending),
            (Pending, Transition::Confirm) => Step::To(Confirmed),
            (Confirmed, Transition::Fulfil) => Step::To(Fulfilled),
            (Draft | Pending | Confirmed, Transition::Cancel) => Step::To(Cancelled),
            (Pending, Transition::Place)
            | (Confirmed, Transition::Confirm)
            | (Fulfilled, Transition::Fulfil)
            | (Cancelled, Transition::Cancel) => Step::Already,
            (Draft, Transition::Confirm | Transition::Fulfil)
            | (Pending, Transition::Fulfil)
            | (Confirmed, Transition::Place)
            | (Fulfilled, Transition::Place | Transition::Confirm | Transition::Cancel)
            | (Cancelled, Transition::Place | Transition::Confirm | Transition::Fulfil) => Step::Impossible,
        }
    }

    /// The transitions that lead to another status.
    pub fn allowed_transitions(self) -> impl Iterator<Item = Transition> {
        Transition::ALL.iter().copied().filter(move |&t| matches!(self.step(t), Step::To(_)))
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

/// Who the order is for, as far as the caller said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// Full name.
    pub name: Option<String>,
    /// E-mail address; not verified.
    pub email: Option<String>,
    /// Telephone number, as given.
    pub phone: Option<String>,
    /// Postal address, as given.
    pub address: Option<String>,
}

/// What a caller decides about an order, valid in itself and priced.
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
    /// Who it is for.
    pub customer: Option<Customer>,
    /// Free text.
    pub note: Option<String>,
    /// The caller's own data.
    pub metadata: BTreeMap<String, String>,
}

/// An order that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The row that everything belonging to it refers to; never leaves the service.
    pub seq: i64,
    /// Its identifier.
    pub id: OrderId,
    /// Gap-free number, given when it is placed.
    pub number: Option<i64>,
    /// Where it stands.
    pub status: OrderStatus,
    /// How its payments stand.
    pub payment_status: PaymentStatus,
    /// The currency of every amount.
    pub currency: Currency,
    /// Whose order it is, if anybody's.
    pub user_id: Option<UserId>,
    /// The caller's own identifier.
    pub external_ref: Option<String>,
    /// What is ordered.
    pub items: Vec<Item>,
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// Charges besides the items.
    pub fees: Vec<OrderFee>,
    /// By rate, the highest first, `None` last.
    pub taxes: Vec<OrderTax>,
    /// The discount on the whole order.
    pub order_discount_amount: i64,
    /// The sums over items and fees.
    pub totals: Totals,
    /// The sum of succeeded payments.
    pub paid_amount: i64,
    /// The sum of succeeded refunds.
    pub refunded_amount: i64,
    /// How much less the order owes because of succeeded refunds.
    pub credited_amount: i64,
    /// Tax in that.
    pub credited_tax_amount: i64,
    /// Who it is for.
    pub customer: Option<Customer>,
    /// Free text.
    pub note: Option<String>,
    /// The caller's own data.
    pub metadata: BTreeMap<String, String>,
    /// The number of its events; the `ETag`.
    pub version: i64,
    /// Who made it: a user's or key's identifier, or `system`.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was placed.
    pub placed_at: Option<Timestamp>,
    /// When it was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// When it was fulfilled.
    pub fulfilled_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
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

    /// Moves to `status`, and remembers when.
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
        self.settle_payment_status();
    }

    /// Derives the payment status anew, after the total, payments, refunds or credits changed.
    pub fn settle_payment_status(&mut self) {
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
    fn a_status_allows_what_leads_on_from_it() {
        let allowed = |status: OrderStatus| status.allowed_transitions().map(Transition::name).collect::<Vec<_>>();
        assert_eq!(allowed(OrderStatus::Draft), ["place", "cancel"]);
        assert_eq!(allowed(OrderStatus::Pending), ["confirm", "cancel"]);
        assert_eq!(allowed(OrderStatus::Confirmed), ["fulfil", "cancel"]);
        assert!(allowed(OrderStatus::Fulfilled).is_empty());
        assert!(allowed(OrderStatus::Cancelled).is_empty());
    }

    #[test]
    fn a_transition_never_leads_back() {
        for &status in OrderStatus::ALL {
            for &transition in Transition::ALL {
                if let Step::To(next) = status.step(transition) {
                    assert!(next > status, "{status:?} {transition:?}");
                    assert_eq!(next.step(transition), Step::Already, "sent again, it changes nothing");
                }
            }
        }
    }
}
