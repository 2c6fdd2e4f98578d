//! Lists of orders: what a list holds, how it is sorted, and a position in it. How the store finds the rows is not
//! known here.

use super::{id::UserId, money::Currency, order::OrderStatus, time::Timestamp, transaction::PaymentStatus};
use std::collections::BTreeMap;

/// A filter of orders. An order passes if it meets every condition; an empty or absent condition is met by all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Its status is one of these.
    pub statuses: Vec<OrderStatus>,
    /// Its payment status is one of these.
    pub payment_statuses: Vec<PaymentStatus>,
    /// It belongs to this user.
    pub user_id: Option<UserId>,
    /// For a caller who may see only their own orders: it belongs to this user. `Some(None)` is a caller who is no user
    /// and sees no orders.
    pub visible_to: Option<Option<UserId>>,
    /// It is in this currency.
    pub currency: Option<Currency>,
    /// It has this reference.
    pub external_ref: Option<String>,
    /// One of its lines has this SKU.
    pub sku: Option<String>,
    /// Its total is at least this, in minor units.
    pub total_min: Option<i64>,
    /// Its total is at most this, in minor units.
    pub total_max: Option<i64>,
    /// It was created at this time or later.
    pub created_from: Option<Timestamp>,
    /// It was created before this time.
    pub created_to: Option<Timestamp>,
    /// It was last changed at this time or later.
    pub updated_from: Option<Timestamp>,
    /// It was placed at this time or later.
    pub placed_from: Option<Timestamp>,
    /// It was placed before this time.
    pub placed_to: Option<Timestamp>,
    /// Its customer has this e-mail address, in any case.
    pub customer_email: Option<String>,
    /// Its metadata has all these entries.
    pub metadata: BTreeMap<String, String>,
    /// This text is its number, or is part of an item's name, the reference, or the customer's name, e-mail address or
    /// telephone number. Case does not matter.
    pub text: Option<String>,
}

/// The value that a list is sorted by. Orders with equal values are sorted by when they were created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// The time of creation.
    Created,
    /// The time of the last change.
    Updated,
    /// The total.
    Total,
    /// The time of placing. Orders that were never placed come last in both directions.
    Placed,
}

/// The direction of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest value comes first.
    Ascending,
    /// The largest value comes first.
    Descending,
}

impl Direction {
    /// The other direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which value.
    pub key: SortKey,
    /// Which end comes first.
    pub direction: Direction,
}

/// Which orders a list holds, and in which order.
#[derive(Clone, Debug)]
pub struct OrderQuery {
    /// Which orders.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
}

/// A position in a list: right after the order in row `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The value that the list is sorted by, as that order had it when the walk through the list began.
    pub value: i64,
    /// The row of that order.
    pub seq: i64,
    /// The last event before the walk began. Orders that changed since then keep their positions in this walk.
    pub began: i64,
}
