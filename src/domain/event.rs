//! The types of events. The events, in order, are the complete history of all orders.

use super::{order::Transition, string_enum::string_enum, transaction::Kind};

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// An order was created, as a draft or placed at once.
    OrderCreated,
    /// An order was changed.
    OrderUpdated,
    /// A draft was placed.
    OrderPlaced,
    /// An order was confirmed.
    OrderConfirmed,
    /// An order was fulfilled.
    OrderFulfilled,
    /// An order was cancelled.
    OrderCancelled,
    /// The personal data of an order was erased, in its earlier events too.
    OrderErased,
    /// A payment was recorded.
    PaymentRecorded,
    /// A pending payment was resolved.
    PaymentUpdated,
    /// A refund was recorded.
    RefundRecorded,
    /// A pending refund was resolved.
    RefundUpdated,
}

string_enum!(EventType {
    OrderCreated "order.created",
    OrderUpdated "order.updated",
    OrderPlaced "order.placed",
    OrderConfirmed "order.confirmed",
    OrderFulfilled "order.fulfilled",
    OrderCancelled "order.cancelled",
    OrderErased "order.erased",
    PaymentRecorded "payment.recorded",
    PaymentUpdated "payment.updated",
    RefundRecorded "refund.recorded",
    RefundUpdated "refund.updated",
});

impl EventType {
    /// The type for a transition.
    pub const fn of(transition: Transition) -> Self {
        match transition {
            Transition::Place => Self::OrderPlaced,
            Transition::Confirm => Self::OrderConfirmed,
            Transition::Fulfil => Self::OrderFulfilled,
            Transition::Cancel => Self::OrderCancelled,
        }
    }

    /// Whether the document of such an event is the order, and not a payment or refund.
    pub const fn shows_order(self) -> bool {
        !matches!(self, Self::PaymentRecorded | Self::PaymentUpdated | Self::RefundRecorded | Self::RefundUpdated)
    }

    /// The type for a new payment or refund.
    pub const fn recorded(kind: Kind) -> Self {
        match kind {
            Kind::Payment => Self::PaymentRecorded,
            Kind::Refund => Self::RefundRecorded,
        }
    }

    /// The type for a pending payment or refund that was resolved.
    pub const fn updated(kind: Kind) -> Self {
        match kind {
            Kind::Payment => Self::PaymentUpdated,
            Kind::Refund => Self::RefundUpdated,
        }
    }
}
