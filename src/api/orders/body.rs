//! The body that creates an order: its schema, and its conversion into a domain draft.

use crate::{
    api::input::{integer::Amount, parsed::Parsed},
    domain::{
        id::UserId,
        money::{Currency, TaxRate},
        order::{Customer, OrderDraft, OrderStatus},
        pricing::{Cart, Fee, Line, Tax, price},
    },
    error::{Error, Fault, Result},
    service::orders::{NewOrder, Owner},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// An order to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = example())]
pub struct CreateOrder {
    /// ISO 4217, upper case.
    currency: Parsed<Currency>,
    /// What is ordered.
    #[schemars(length(min = 1, max = 500))]
    items: Vec<ItemBody>,
    /// Charged in addition to the items.
    #[schemars(length(max = 100))]
    fees: Option<Vec<FeeBody>>,
    /// Deducted from the whole order, in minor units.
    order_discount_amount: Option<Amount>,
    /// Whether unit amounts and fees include tax; `false` if left out.
    prices_include_tax: Option<bool>,
    /// The user whose order it is. To name another user, or nobody with null, such as for an order by telephone, needs
    /// `orders:create`; without it, null is like left out. Left out, it is the caller, or nobody for an API key.
    #[serde(default, deserialize_with = "owner")]
    #[schemars(with = "Option<Parsed<UserId>>")]
    user_id: Owner,
    /// Your own identifier, unique among all orders.
    #[schemars(length(min = 1, max = 255))]
    external_ref: Option<String>,
    /// The customer.
    customer: Option<CustomerBody>,
    /// Free text.
    #[schemars(length(max = 5000))]
    note: Option<String>,
    /// Your own data.
    #[schemars(extend("maxProperties" = 50, "propertyNames" = {"minLength": 1, "maxLength": 40}))]
    metadata: Option<BTreeMap<String, MetadataValue>>,
    /// Whether to create a draft instead of a placed order.
    draft: Option<bool>,
}

/// A value of `metadata`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::api) struct MetadataValue(#[schemars(length(max = 500))] pub(super) String);

/// A line of an order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewItem")]
pub(in crate::api) struct ItemBody {
    /// The stock-keeping unit.
    #[schemars(length(min = 1, max = 64))]
    sku: String,
    /// What the customer sees.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// The number of units.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: i64,
    /// The price of one unit, in minor units.
    unit_amount: Amount,
    /// Deducted from the line, in minor units.
    discount_amount: Option<Amount>,
    /// Percent, 0 to 100 with at most four decimals; not together with `tax_amount`.
    tax_rate: Option<Parsed<TaxRate>>,
    /// Tax on the line, in minor units; not together with `tax_rate`.
    tax_amount: Option<Amount>,
}

/// A charge in addition to the items.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFee")]
pub(in crate::api) struct FeeBody {
    /// What the customer sees.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// The amount, in minor units.
    amount: Amount,
    /// Percent, 0 to 100 with at most four decimals; not together with `tax_amount`.
    tax_rate: Option<Parsed<TaxRate>>,
    /// Tax on the fee, in minor units; not together with `tax_rate`.
    tax_amount: Option<Amount>,
}

/// The customer of an order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCustomer")]
pub(in crate::api) struct CustomerBody {
    /// Full name.
    #[schemars(length(max = 255))]
    name: Option<String>,
    /// E-mail address.
    #[schemars(length(max = 255))]
    email: Option<String>,
    /// Telephone number.
    #[schemars(length(max = 255))]
    phone: Option<String>,
    /// Postal address.
    #[schemars(length(max = 1000))]
    address: Option<String>,
}

fn example() -> serde_json::Value {
    serde_json::json!({
        "currency": "EUR",
        "items": [{"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}]
    })
}

impl CreateOrder {
    /// The order that the body describes, with its price.
    ///
    /// # Errors
    /// `validation_failed` with every rule between fields that the body breaks.
    pub fn into_order(self) -> Result<NewOrder> {
        let mut faults = vec![];
        let lines = lines(self.items, &mut faults);
        let fees = fees(self.fees.unwrap_or_default(), &mut faults);
        let order_discount_amount = self.order_discount_amount.map_or(0, Amount::get);
        let prices_include_tax = self.prices_include_tax == Some(true);
        let cart = Cart { prices_include_tax, lines: &lines, fees: &fees, order_discount: order_discount_amount };
        let priced = price(&cart).map_err(|more| faults.extend(more));
        let (Ok(priced), true) = (priced, faults.is_empty()) else {
            return Err(Error::invalid(faults));
        };
        let draft = OrderDraft {
            currency: self.currency.0,
            prices_include_tax,
            lines,
            fees,
            order_discount_amount,
            priced,
            external_ref: self.external_ref,
            customer: self.customer.map(Customer::from),
            note: self.note,
            metadata: self.metadata.into_iter().flatten().map(|(key, value)| (key, value.0)).collect(),
        };
        let status = if self.draft == Some(true) { OrderStatus::Draft } else { OrderStatus::Pending };
        Ok(NewOrder { draft, owner: self.user_id, status })
    }
}

/// Reads a `user_id` that is present.
fn owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Owner, D::Error> {
    let user = Option::<Parsed<UserId>>::deserialize(deserializer)?;
    Ok(user.map_or(Owner::Nobody, |id| Owner::User(id.0)))
}

/// The lines for the domain. A line with two kinds of tax is added to `faults`.
pub(super) fn lines(items: Vec<ItemBody>, faults: &mut Vec<Fault>) -> Vec<Line> {
    let lines = items.into_iter().enumerate().map(|(i, item)| {
        let tax = tax(item.tax_rate, item.tax_amount, || format!("#/items/{i}/tax_amount"), faults);
        Line {
            sku: item.sku,
            name: item.name,
            quantity: item.quantity,
            unit_amount: item.unit_amount.get(),
            discount_amount: item.discount_amount.map_or(0, Amount::get),
            tax,
        }
    });
    lines.collect()
}

/// The fees for the domain. A fee with two kinds of tax is added to `faults`.
pub(super) fn fees(fees: Vec<FeeBody>, faults: &mut Vec<Fault>) -> Vec<Fee> {
    let fees = fees.into_iter().enumerate().map(|(i, fee)| {
        let tax = tax(fee.tax_rate, fee.tax_amount, || format!("#/fees/{i}/tax_amount"), faults);
        Fee { name: fee.name, amount: fee.amount.get(), tax }
    });
    fees.collect()
}

fn tax(
    rate: Option<Parsed<TaxRate>>,
    amount: Option<Amount>,
    pointer: impl FnOnce() -> String,
    faults: &mut Vec<Fault>,
) -> Tax {
    match (rate, amount) {
        (Some(_), Some(_)) => {
            faults.push(Fault::body(pointer(), "conflict", "must not be sent together with tax_rate"));
            Tax::Amount(0)
        }
        (Some(rate), None) => Tax::Rate(rate.0),
        (None, amount) => Tax::Amount(amount.map_or(0, Amount::get)),
    }
}

impl From<CustomerBody> for Customer {
    fn from(body: CustomerBody) -> Self {
        Self { name: body.name, email: body.email, phone: body.phone, address: body.address }
    }
}
