//! Where a fault is, as HTTP clients see it: a JSON pointer, a query parameter or a header. Rules name a field instead,
//! and this is the one place that translates it.

use crate::error::{Fault, FaultLocation, FeeField, Field, ItemField, TransactionField};
use std::borrow::Cow;

/// A member of the body, as a JSON pointer in URI-fragment form (RFC 6901, section 6).
pub(crate) const POINTER: &str = "pointer";
/// A query parameter or a part of the path, by its name.
pub(crate) const PARAMETER: &str = "parameter";
/// A header, by its name.
pub(crate) const HEADER: &str = "header";

impl Fault {
    /// A fault in the body at `pointer`, such as `#/amount`.
    pub(crate) fn body(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::input(POINTER, pointer, code, detail)
    }

    /// A fault in the query parameter `name`.
    pub(crate) fn parameter(name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::input(PARAMETER, name, code, detail)
    }

    /// A fault in this column of a table.
    pub(crate) fn column(name: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::input(POINTER, format!("column {name}"), code, detail)
    }

    /// A fault in the header `name`.
    pub(crate) fn header(name: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::input(HEADER, name, code, detail)
    }

    fn input(part: &'static str, name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: FaultLocation::Input { part, name: name.into() }, code, detail: detail.into() }
    }
}

/// The part of the request that is at fault ([`POINTER`], [`PARAMETER`] or [`HEADER`]), and its name.
pub(crate) fn place(fault: &Fault) -> (&'static str, Cow<'_, str>) {
    match &fault.at {
        FaultLocation::Input { part, name } => (part, name.into()),
        FaultLocation::Field(Field::RoleName) => (PARAMETER, "name".into()),
        FaultLocation::Field(field) => (POINTER, pointer(*field)),
    }
}

fn pointer(field: Field) -> Cow<'static, str> {
    let pointer = match field {
        Field::Amount => "#/amount",
        Field::CancelReason => "#/cancel_reason",
        Field::CancelledAt => "#/cancelled_at",
        Field::Code => "#/code",
        Field::ConfirmedAt => "#/confirmed_at",
        Field::CreditAmount => "#/credit_amount",
        Field::CurrentPassword => "#/current_password",
        Field::Email => "#/email",
        Field::ExpiresAt => "#/expires_at",
        Field::Fee(index, FeeField::Amount) => return format!("#/fees/{index}/amount").into(),
        Field::Fee(index, FeeField::TaxAmount) => return format!("#/fees/{index}/tax_amount").into(),
        Field::FulfilledAt => "#/fulfilled_at",
        Field::Items => "#/items",
        Field::Item(index, field) => return format!("#/items/{index}/{}", item_member(field)).into(),
        Field::Metadata => "#/metadata",
        Field::NewPassword => "#/new_password",
        Field::Number => "#/number",
        Field::OccurredAt => "#/occurred_at",
        Field::OrderDiscountAmount => "#/order_discount_amount",
        Field::Password => "#/password",
        Field::PaymentId => "#/payment_id",
        Field::PlacedAt => "#/placed_at",
        Field::ProviderRef => "#/provider_ref",
        Field::Refund => "#/refund",
        Field::Role => "#/role",
        Field::RoleName => "#/name",
        Field::TaxAmount => "#/tax_amount",
        Field::TotalAmount => "#/total_amount",
        Field::Transaction(index, field) => {
            return format!("#/transactions/{index}/{}", transaction_member(field)).into();
        }
        Field::Transactions => "#/transactions",
        Field::Url => "#/url",
        Field::UserId => "#/user_id",
    };
    pointer.into()
}

fn transaction_member(field: TransactionField) -> Cow<'static, str> {
    let member = match field {
        TransactionField::Amount => "amount",
        TransactionField::CreditAmount => "credit_amount",
        TransactionField::Items => "items",
        TransactionField::Item(index, field) => return format!("items/{index}/{}", item_member(field)).into(),
        TransactionField::OccurredAt => "occurred_at",
        TransactionField::PaymentId => "payment_id",
        TransactionField::ProviderRef => "provider_ref",
        TransactionField::ReversedAt => "reversed_at",
    };
    member.into()
}

const fn item_member(field: ItemField) -> &'static str {
    match field {
        ItemField::DiscountAmount => "discount_amount",
        ItemField::ItemId => "item_id",
        ItemField::Quantity => "quantity",
        ItemField::TaxAmount => "tax_amount",
        ItemField::UnitAmount => "unit_amount",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_becomes_a_pointer() {
        let fault = |field| Fault::new(field, "too_large", "must be smaller");
        assert_eq!(place(&fault(Field::UserId)), (POINTER, "#/user_id".into()));
        let discount = fault(Field::Item(2, ItemField::DiscountAmount));
        assert_eq!(place(&discount), (POINTER, "#/items/2/discount_amount".into()));
        let returned = Field::Transaction(1, TransactionField::Item(0, ItemField::Quantity));
        assert_eq!(place(&fault(returned)), (POINTER, "#/transactions/1/items/0/quantity".into()));
        assert_eq!(place(&fault(Field::RoleName)), (PARAMETER, "name".into()));
    }
}
