//! The body that makes an order: its declaration, and its way into the domain.

use crate::{
    domain::{
        id::{Identifier, UserId},
        money::{Currency, TaxRate},
        order::{Customer, OrderDraft, OrderStatus},
        pricing::{Fee, Line, Tax, price},
    },
    error::{Error, Fault, Result},
    service::orders::NewOrder,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What to order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = example())]
pub struct CreateOrder {
    /// ISO 4217, upper case.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"), extend("format" = "iso-4217"))]
    currency: String,
    /// What is ordered.
    #[schemars(length(min = 1, max = 500))]
    items: Vec<ItemBody>,
    /// Charged beside the items.
    #[schemars(length(max = 100))]
    fees: Option<Vec<FeeBody>>,
    /// Taken off the whole, in minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    order_discount_amount: Option<i64>,
    /// For whom; needs `orders:create`.
    #[schemars(regex(pattern = r"^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$"))]
    user_id: Option<String>,
    /// Your own identifier, unique among all orders.
    #[schemars(length(min = 1, max = 255))]
    external_ref: Option<String>,
    /// Who it is for.
    customer: Option<CustomerBody>,
    /// Free text.
    #[schemars(length(max = 5000))]
    note: Option<String>,
    /// Your own data.
    #[schemars(extend("maxProperties" = 50, "propertyNames" = {"minLength": 1, "maxLength": 40}))]
    metadata: Option<BTreeMap<String, MetadataValue>>,
    /// Whether to make a draft in place of a placed order.
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
    /// Stock-keeping unit.
    #[schemars(length(min = 1, max = 64))]
    sku: String,
    /// What the customer sees.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: i64,
    /// Price of one, in minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    unit_amount: i64,
    /// Taken off the line, in minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    discount_amount: Option<i64>,
    /// Percent, 0 to 100 with at most four decimals; not together with `tax_amount`.
    #[schemars(regex(pattern = r"^(100(\.0{1,4})?|[1-9]?[0-9](\.[0-9]{1,4})?)$"))]
    tax_rate: Option<String>,
    /// Tax on the line, in minor units; not together with `tax_rate`.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    tax_amount: Option<i64>,
}

/// Something charged beside the items.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFee")]
pub(in crate::api) struct FeeBody {
    /// What the customer sees.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// Minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    amount: i64,
}

/// Who an order is for.
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
    /// The order that is asked for.
    ///
    /// # Errors
    /// `validation_failed` with every reason why there cannot be one.
    pub fn into_order(self) -> Result<NewOrder> {
        let mut faults = vec![];
        let currency = Currency::parse(&self.currency);
        if currency.is_none() {
            faults.push(Fault::body("#/currency", "unknown", "must be a currency of ISO 4217"));
        }
        let user_id = self.user_id.as_deref().map(UserId::parse);
        if user_id == Some(None) {
            faults.push(Fault::body("#/user_id", "unknown", "must be an existing user"));
        }
        let lines = lines(self.items, &mut faults);
        let fees: Vec<Fee> = self.fees.into_iter().flatten().map(Fee::from).collect();
        let order_discount_amount = self.order_discount_amount.unwrap_or(0);
        let priced = price(&lines, &fees, order_discount_amount).map_err(|more| faults.extend(more));
        let (Some(currency), Ok((line_totals, totals)), true) = (currency, priced, faults.is_empty()) else {
            return Err(Error::invalid(faults));
        };
        let draft = OrderDraft {
            currency,
            lines: lines.into_iter().zip(line_totals).collect(),
            fees,
            order_discount_amount,
            totals,
            external_ref: self.external_ref,
            customer: self.customer.map(Customer::from),
            note: self.note,
            metadata: self.metadata.into_iter().flatten().map(|(key, value)| (key, value.0)).collect(),
        };
        let status = if self.draft == Some(true) { OrderStatus::Draft } else { OrderStatus::Pending };
        Ok(NewOrder { draft, user_id: user_id.flatten(), status })
    }
}

/// The lines as the domain has them; what is wrong with them goes to `faults`.
pub(super) fn lines(items: Vec<ItemBody>, faults: &mut Vec<Fault>) -> Vec<Line> {
    let lines = items.into_iter().enumerate().map(|(i, item)| {
        let tax = match (item.tax_rate, item.tax_amount) {
            (Some(_), Some(_)) => Err(("tax_amount", "conflict", "must not be sent together with tax_rate")),
            (Some(rate), None) => {
                TaxRate::parse(&rate).map(Tax::Rate).ok_or(("tax_rate", "invalid_format", "must be 0 to 100"))
            }
            (None, Some(amount)) => Ok(Tax::Amount(amount)),
            (None, None) => Ok(Tax::Amount(0)),
        };
        let tax = tax.unwrap_or_else(|(field, code, detail)| {
            faults.push(Fault::body(format!("#/items/{i}/{field}"), code, detail));
            Tax::Amount(0)
        });
        Line {
            sku: item.sku,
            name: item.name,
            quantity: item.quantity,
            unit_amount: item.unit_amount,
            discount_amount: item.discount_amount.unwrap_or(0),
            tax,
        }
    });
    lines.collect()
}

impl From<FeeBody> for Fee {
    fn from(fee: FeeBody) -> Self {
        Self { name: fee.name, amount: fee.amount }
    }
}

impl From<CustomerBody> for Customer {
    fn from(body: CustomerBody) -> Self {
        Self { name: body.name, email: body.email, phone: body.phone, address: body.address }
    }
}
