//! What a request that changes something did. How clients are told is decided in `api`.

use super::id::{Identifier, OrderId, TransactionId, UserId};
use std::fmt;

/// What a request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It created this resource.
    Created(Resource),
    /// It changed a resource.
    Changed,
    /// The resource was in the requested state already.
    Unchanged,
    /// It erased personal data, or that was done before. There is nothing to show.
    Erased,
}

impl Outcome {
    /// The word for it in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Erased => "erased",
        }
    }

    /// The resource that was created.
    pub const fn resource(self) -> Option<Resource> {
        match self {
            Self::Created(resource) => Some(resource),
            Self::Changed | Self::Unchanged | Self::Erased => None,
        }
    }

    /// The outcome of this name, which created this resource.
    pub fn parse(name: &str, resource: Option<Resource>) -> Option<Self> {
        match (name, resource) {
            ("created", Some(resource)) => Some(Self::Created(resource)),
            ("changed", None) => Some(Self::Changed),
            ("unchanged", None) => Some(Self::Unchanged),
            ("erased", None) => Some(Self::Erased),
            _ => None,
        }
    }
}

/// A resource that a request with an idempotency key can create. Its text is its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Resource {
    Order(OrderId),
    Transaction(TransactionId),
    User(UserId),
}

impl Resource {
    /// The resource with this identifier.
    pub fn parse(id: &str) -> Option<Self> {
        let order = OrderId::parse(id).map(Self::Order);
        let order = order.or_else(|| TransactionId::parse(id).map(Self::Transaction));
        order.or_else(|| UserId::parse(id).map(Self::User))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => id.fmt(f),
            Self::Transaction(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_as_they_are_written() {
        let id = [7; 16];
        for outcome in [
            Outcome::Created(Resource::Order(OrderId::from_bytes(id))),
            Outcome::Created(Resource::Transaction(TransactionId::from_bytes(id))),
            Outcome::Created(Resource::User(UserId::from_bytes(id))),
            Outcome::Changed,
            Outcome::Unchanged,
            Outcome::Erased,
        ] {
            let resource = outcome.resource().map(|resource| Resource::parse(&resource.to_string()).unwrap());
            assert_eq!(Outcome::parse(outcome.name(), resource), Some(outcome));
        }
        assert_eq!(Outcome::parse("created", None), None);
        assert_eq!(Resource::parse("itm_00000000000000000000000000"), None);
    }
}
