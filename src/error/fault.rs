//! One fault in a request. A request is checked completely, so one error can carry many of them. How a place in a
//! request is written (a pointer, a parameter, a header) is decided in `api/input/fault.rs`.

/// One fault in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the fault is.
    pub at: FaultLocation,
    /// Stable machine-readable code, such as `too_large`.
    pub code: &'static str,
    /// What a correct value would be, for a person.
    pub detail: String,
}

/// The part of a request that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultLocation {
    /// A field that a rule is about.
    Field(Field),
    /// A place in the input, in the words of the code that reads the input.
    Input {
        /// The kind of place, such as `parameter`.
        part: &'static str,
        /// Which one, such as `limit`.
        name: String,
    },
}

/// The fields that rules can find at fault.
#[allow(missing_docs, reason = "a field is named here as callers name it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Amount,
    CancelReason,
    CancelledAt,
    Code,
    ConfirmedAt,
    CreditAmount,
    CurrentPassword,
    Email,
    ExpiresAt,
    FulfilledAt,
    /// A field of the fee at this index, from 0.
    Fee(usize, FeeField),
    Items,
    /// A field of the item at this index, from 0.
    Item(usize, ItemField),
    Metadata,
    NewPassword,
    Number,
    OccurredAt,
    OrderDiscountAmount,
    Password,
    PaymentId,
    PlacedAt,
    ProviderRef,
    Refund,
    Role,
    RoleName,
    TaxAmount,
    TotalAmount,
    /// A field of the transaction at this index, from 0.
    Transaction(usize, TransactionField),
    Transactions,
    Url,
    UserId,
}

/// The fields of an item that rules can find at fault.
#[allow(missing_docs, reason = "a field is named here as callers name it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemField {
    DiscountAmount,
    ItemId,
    Quantity,
    TaxAmount,
    UnitAmount,
}

/// The fields of a transaction within an order that rules can find at fault.
#[allow(missing_docs, reason = "a field is named here as callers name it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionField {
    Amount,
    CreditAmount,
    Items,
    /// A field of the item at this index, from 0.
    Item(usize, ItemField),
    OccurredAt,
    PaymentId,
    ProviderRef,
    ReversedAt,
}

impl TransactionField {
    /// The same field of a transaction that stands alone.
    const fn of(field: Field) -> Option<Self> {
        Some(match field {
            Field::Amount => Self::Amount,
            Field::CreditAmount => Self::CreditAmount,
            Field::Items => Self::Items,
            Field::Item(index, field) => Self::Item(index, field),
            Field::OccurredAt => Self::OccurredAt,
            Field::PaymentId => Self::PaymentId,
            Field::ProviderRef => Self::ProviderRef,
            _ => return None,
        })
    }
}

/// The fields of a fee that rules can find at fault.
#[allow(missing_docs, reason = "a field is named here as callers name it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeField {
    Amount,
    TaxAmount,
}

impl Fault {
    /// A fault in `field`.
    pub fn new(field: Field, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: FaultLocation::Field(field), code, detail: detail.into() }
    }

    /// Moves a fault in a field of a transaction to the transaction at `index`.
    pub(super) fn put_in_transaction(&mut self, index: usize) {
        if let FaultLocation::Field(field) = self.at
            && let Some(field) = TransactionField::of(field)
        {
            self.at = FaultLocation::Field(Field::Transaction(index, field));
        }
    }
}
