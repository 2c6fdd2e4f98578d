//! Changes of an order by a merge patch (RFC 7396).

use super::body::{FeeBody, ItemBody, MetadataValue, fees, lines};
use crate::{
    api::input::{
        extract::{PathId, Valid},
        integer::Amount,
        parsed::Parsed,
    },
    app::App,
    auth::Actor,
    domain::id::{OrderId, UserId},
    error::{Error, Result},
    service::{
        idempotency::Effect,
        orders::{self, Change, ChangeCustomer, ChangeOrder, ExpectedVersion, Target},
    },
};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A merge patch (RFC 7396): absent fields stay, null clears, `metadata` and `customer` are merged by key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"note": "Leave at the door", "metadata": {"gift": "yes"}}))]
pub struct PatchOrder {
    /// Replaces all items.
    #[schemars(length(min = 1, max = 500), with = "Vec<ItemBody>")]
    items: Option<Vec<ItemBody>>,
    /// Replaces all fees.
    #[schemars(length(max = 100), with = "Option<Vec<FeeBody>>")]
    fees: Change<Vec<FeeBody>>,
    /// Deducted from the whole order, in minor units; null means 0.
    #[schemars(with = "Option<Amount>")]
    order_discount_amount: Change<Amount>,
    /// Whether unit amounts and fees include tax.
    #[schemars(with = "bool")]
    prices_include_tax: Option<bool>,
    /// Gives an order without a user to one, once; needs `orders:update`.
    #[schemars(with = "Parsed<UserId>")]
    user_id: Option<Parsed<UserId>>,
    /// Your own identifier, unique among all orders.
    #[schemars(length(min = 1, max = 255), with = "Option<String>")]
    external_ref: Change<String>,
    /// Free text.
    #[schemars(length(max = 5000), with = "Option<String>")]
    note: Change<String>,
    /// Your own data, merged by key; a null value removes its key.
    #[schemars(with = "Option<BTreeMap<String, Option<MetadataValue>>>",
        extend("maxProperties" = 100, "propertyNames" = {"minLength": 1, "maxLength": 40}))]
    metadata: Change<BTreeMap<String, Option<MetadataValue>>>,
    /// The customer, merged by key.
    #[schemars(with = "Option<PatchCustomer>")]
    customer: Change<PatchCustomer>,
}

/// A merge patch of the customer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PatchCustomer {
    /// Full name.
    #[schemars(length(max = 255), with = "Option<String>")]
    name: Change<String>,
    /// E-mail address.
    #[schemars(length(max = 255), with = "Option<String>")]
    email: Change<String>,
    /// Telephone number.
    #[schemars(length(max = 255), with = "Option<String>")]
    phone: Change<String>,
    /// Postal address.
    #[schemars(length(max = 1000), with = "Option<String>")]
    address: Change<String>,
}

impl From<PatchCustomer> for ChangeCustomer {
    fn from(PatchCustomer { name, email, phone, address }: PatchCustomer) -> Self {
        Self { name, email, phone, address }
    }
}

impl PatchOrder {
    /// The change that the patch describes.
    ///
    /// # Errors
    /// `validation_failed` with every item that has two kinds of tax.
    pub fn into_change(self) -> Result<ChangeOrder> {
        let mut faults = vec![];
        let lines = self.items.map(|items| lines(items, &mut faults));
        let fees = self.fees.map(|list| fees(list, &mut faults));
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let entries = |map: BTreeMap<String, Option<MetadataValue>>| {
            map.into_iter().map(|(key, value)| (key, value.map(|value| value.0))).collect()
        };
        Ok(ChangeOrder {
            lines,
            fees,
            order_discount_amount: self.order_discount_amount.map(Amount::get),
            prices_include_tax: self.prices_include_tax,
            user_id: self.user_id.map(|id| id.0),
            external_ref: self.external_ref,
            note: self.note,
            metadata: self.metadata.map(entries),
            customer: self.customer.map(ChangeCustomer::from),
        })
    }
}

/// Changes an order by a merge patch.
pub(in crate::api) async fn update(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    version: ExpectedVersion,
    Valid { body, request }: Valid<PatchOrder>,
) -> Result<Effect> {
    let patch = body.into_change()?;
    orders::change(&app, actor, request, Target { id, version }, patch).await
}
