//! Which orders a list holds, in which order, and a place in it. How they are found is the store's matter.

use super::{id::UserId, money::Currency, order::OrderStatus, time::Timestamp, transaction::PaymentStatus};
use std::collections::BTreeMap;

/// Which orders are wanted: those that every part allows. Part by part, empty and none mean any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In one of these statuses.
    pub statuses: Vec<OrderStatus>,
    /// With payments that stand in one of these ways.
    pub payment_statuses: Vec<PaymentStatus>,
    /// Whose.
    pub user_id: Option<UserId>,
    /// The caller who may see orders of their own only; a caller who is no user has none.
    pub visible_to: Option<Option<UserId>>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// With this reference.
    pub external_ref: Option<String>,
    /// With a line of this SKU.
    pub sku: Option<String>,
    /// Of this total at least.
    pub total_min: Option<i64>,
    /// Of this total at most.
    pub total_max: Option<i64>,
    /// Made then or later.
    pub created_from: Option<Timestamp>,
    /// Made before then.
    pub created_to: Option<Timestamp>,
    /// Last changed then or later.
    pub updated_from: Option<Timestamp>,
    /// With these entries.
    pub metadata: BTreeMap<String, String>,
    /// With this text, in whatever case, in an item's name, the reference, or the customer's name or e-mail address; or
    /// of this number.
    pub text: Option<String>,
}

/// What a list is ordered by; orders that are equal in that are in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// When they were made.
    Created,
    /// When they last changed.
    Updated,
    /// What they come to.
    Total,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The least.
    Ascending,
    /// The greatest.
    Descending,
}

/// The order of a list.
pub type Sort = (SortKey, Direction);

/// A place in a list: right after the order in row `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What the list is ordered by, as the order had it when the walk through the list began.
    pub value: i64,
    /// The order's row.
    pub seq: i64,
    /// The last event when the walk began. Orders that have changed since stay at the places that they had.
    pub began: i64,
}
