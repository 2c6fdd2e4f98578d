//! Domain values as text in a JSON document, with the schema of that text.

use crate::domain::{
    audit::AuditOutcome,
    event::EventType,
    id::{
        AuditId, DeliveryId, EventId, Identifier, ItemId, KeyId, OrderId, RequestId, SessionId, TransactionId, UserId,
        WebhookId,
    },
    money::{Currency, TaxRate},
    order::{OrderStatus, Transition},
    permission::Permission,
    time::Timestamp,
    trace::TraceId,
    transaction::{Kind, PaymentStatus, TransactionStatus},
    user::UserStatus,
    webhook::{DeliveryStatus, DisabledReason, WebhookStatus},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::{borrow::Cow, fmt::Display};

/// A domain value that a document shows as its [`Display`] text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsText<T>(pub T);

impl<T: Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The schema of the text of a domain value.
trait Text {
    fn schema() -> Schema;
}

impl<T: Text> JsonSchema for AsText<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

macro_rules! identifiers {
    ($($type:ty),+) => {$(
        impl Text for $type {
            fn schema() -> Schema {
                json_schema!({"type": "string", "pattern": <$type>::PATTERN})
            }
        }
    )+};
}

macro_rules! words {
    ($($type:ty),+) => {$(
        impl Text for $type {
            fn schema() -> Schema {
                let names: Vec<_> = <$type>::ALL.iter().map(|value| value.name()).collect();
                json_schema!({"type": "string", "enum": names})
            }
        }
    )+};
}

identifiers!(
    AuditId,
    DeliveryId,
    EventId,
    ItemId,
    KeyId,
    OrderId,
    RequestId,
    SessionId,
    TransactionId,
    UserId,
    WebhookId
);
words!(
    DeliveryStatus,
    DisabledReason,
    WebhookStatus,
    EventType,
    Kind,
    OrderStatus,
    AuditOutcome,
    PaymentStatus,
    Permission,
    TransactionStatus,
    Transition,
    UserStatus
);

impl Text for Timestamp {
    fn schema() -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl Text for TraceId {
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-f]{32}$"})
    }
}

impl Text for crate::domain::calendar::Date {
    fn schema() -> Schema {
        json_schema!({"type": "string", "format": "date"})
    }
}

impl Text for TaxRate {
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": r"^(0|[1-9][0-9]{0,2})(\.[0-9]{0,3}[1-9])?$"})
    }
}

impl Text for Currency {
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"})
    }
}
