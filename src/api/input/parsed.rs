//! The type of parameters and body fields that are text and become a domain value. The domain's own parser reads them,
//! and the schema describes what that parser accepts: a value that does not parse is an error and never "no value".

#[cfg(test)]
mod tests;

use crate::domain::{
    audit::AuditOutcome,
    calendar::{Date, Zone, parse_date},
    event::EventType,
    id::Identifier,
    listing::{Direction, Sort, SortKey},
    money::{Currency, TaxRate},
    order::OrderStatus,
    permission::Permission,
    time::Timestamp,
    transaction::{Kind, PaymentStatus, TransactionStatus},
    user::UserStatus,
    webhook::{DeliveryStatus, WebhookStatus},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// A value that clients write as text.
pub trait FromText: Sized {
    /// Under what name the OpenAPI document lists the schema. Without one the schema stands where it is used.
    const COMPONENT: Option<&'static str> = None;

    /// Reads the text; `None` if it is no such value.
    fn from_text(text: &str) -> Option<Self>;

    /// The schema of the texts that [`Self::from_text`] accepts.
    fn schema() -> Schema;
}

/// A domain value, read from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromText> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        T::from_text(&text).map(Self).ok_or_else(|| D::Error::custom("text that its schema does not allow"))
    }
}

impl<T: FromText> JsonSchema for Parsed<T> {
    fn inline_schema() -> bool {
        T::COMPONENT.is_none()
    }

    fn schema_name() -> Cow<'static, str> {
        T::COMPONENT.unwrap_or(std::any::type_name::<T>()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// Each word once and in a fixed order, so that a cursor fits the same list however its filter is written.
pub(crate) fn distinct<T: Ord>(words: Option<Vec<Parsed<T>>>) -> Vec<T> {
    let mut words: Vec<T> = words.into_iter().flatten().map(|word| word.0).collect();
    words.sort_unstable();
    words.dedup();
    words
}

impl<I: Identifier> FromText for I {
    fn from_text(text: &str) -> Option<Self> {
        I::parse(text)
    }

    fn schema() -> Schema {
        let expected = format!("an identifier such as {}_01h455vb4pex5vsknk084sn02q", I::PREFIX);
        json_schema!({"type": "string", "pattern": I::PATTERN, "x-expected": expected})
    }
}

impl FromText for Timestamp {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl FromText for Date {
    fn from_text(text: &str) -> Option<Self> {
        parse_date(text)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "format": "date"})
    }
}

impl FromText for Zone {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 64, "format": "iana-time-zone"})
    }
}

impl FromText for Currency {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Schema {
        let expected = "a currency of ISO 4217 in capital letters, such as EUR";
        json_schema!({"type": "string", "pattern": "^[A-Z]{3}$", "format": "iso-4217", "x-expected": expected})
    }
}

impl FromText for TaxRate {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(100(\.0{1,4})?|[1-9]?[0-9](\.[0-9]{1,4})?)$",
            "x-expected": r#"a percentage from 0 to 100 with at most 4 decimals, such as "19" or "8.875""#,
        })
    }
}

/// The schema of one of these words.
pub(crate) fn one_of(words: &[&str]) -> Schema {
    json_schema!({"type": "string", "enum": words})
}

/// The schema of one of these words, as a component of the OpenAPI document.
pub(crate) fn described(description: &str, words: &[&str]) -> Schema {
    json_schema!({"type": "string", "enum": words, "description": description})
}

/// Enumerations of the domain of which every word is allowed.
macro_rules! words {
    ($($type:ident as $component:literal: $description:literal;)+) => {$(
        impl FromText for $type {
            const COMPONENT: Option<&'static str> = Some($component);

            fn from_text(text: &str) -> Option<Self> {
                Self::parse(text)
            }

            fn schema() -> Schema {
                described($description, &Self::ALL.iter().map(|value| value.name()).collect::<Vec<_>>())
            }
        }
    )+};
}

words! {
    OrderStatus as "StatusName": "The status of an order.";
    PaymentStatus as "PaymentStatusName": "The payment status of an order.";
    Kind as "TransactionKindName": "Payment or refund.";
    TransactionStatus as "TransactionStatusName": "The status of a transaction.";
    UserStatus as "Status": "Whether a user may log in and act.";
    AuditOutcome as "AuditOutcomeName": "How an audited action ended.";
    EventType as "EventTypeName": "A type of event.";
    WebhookStatus as "WebhookStatusName": "Whether events are sent to an endpoint.";
    DeliveryStatus as "DeliveryStatusName": "A status of a delivery as a parameter.";
}

impl FromText for Permission {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Schema {
        one_of(&Self::ALL.iter().map(|permission| permission.name()).collect::<Vec<_>>())
    }
}

/// A permission that an API key can have. A key has no orders of its own, so permissions about those are not among
/// them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyPermission(pub(crate) Permission);

impl FromText for KeyPermission {
    fn from_text(text: &str) -> Option<Self> {
        Permission::parse(text).filter(|permission| !permission.is_own()).map(Self)
    }

    fn schema() -> Schema {
        let allowed = Permission::ALL.iter().filter(|permission| !permission.is_own());
        one_of(&allowed.map(|permission| permission.name()).collect::<Vec<_>>())
    }
}

/// The status that a transaction is recorded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InitialStatus(pub(crate) TransactionStatus);

impl InitialStatus {
    const ALLOWED: [TransactionStatus; 2] = [TransactionStatus::Succeeded, TransactionStatus::Pending];
}

impl FromText for InitialStatus {
    const COMPONENT: Option<&'static str> = Some("InitialStatus");

    fn from_text(text: &str) -> Option<Self> {
        TransactionStatus::parse(text).filter(|status| Self::ALLOWED.contains(status)).map(Self)
    }

    fn schema() -> Schema {
        described("The status that a transaction is recorded with.", &Self::ALLOWED.map(TransactionStatus::name))
    }
}

/// What a list of orders can be sorted by; `-` puts the greatest first.
const SORTS: [(&str, Sort); 8] = [
    ("-created_at", sort(SortKey::Created, Direction::Descending)),
    ("created_at", sort(SortKey::Created, Direction::Ascending)),
    ("-total_amount", sort(SortKey::Total, Direction::Descending)),
    ("total_amount", sort(SortKey::Total, Direction::Ascending)),
    ("-updated_at", sort(SortKey::Updated, Direction::Descending)),
    ("updated_at", sort(SortKey::Updated, Direction::Ascending)),
    ("-placed_at", sort(SortKey::Placed, Direction::Descending)),
    ("placed_at", sort(SortKey::Placed, Direction::Ascending)),
];

const fn sort(key: SortKey, direction: Direction) -> Sort {
    Sort { key, direction }
}

impl FromText for Direction {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "asc" => Some(Self::Ascending),
            "desc" => Some(Self::Descending),
            _ => None,
        }
    }

    fn schema() -> Schema {
        one_of(&["asc", "desc"])
    }
}

impl FromText for Sort {
    const COMPONENT: Option<&'static str> = Some("OrderSort");

    fn from_text(text: &str) -> Option<Self> {
        SORTS.iter().find(|(word, _)| *word == text).map(|(_, sort)| *sort)
    }

    fn schema() -> Schema {
        described("What a list of orders is sorted by.", &SORTS.map(|(word, _)| word))
    }
}
