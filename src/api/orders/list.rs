//! Lists of orders: their filters, pages of them, and all rows at once.

use crate::{
    api::{
        input::{
            file::only_for,
            integer::Amount,
            list::ListRequest,
            parsed::{FromText, Parsed, distinct, one_of},
        },
        output::{csv_rows::OrderRow, export::Format, item_rows::ItemRow, list},
    },
    app::App,
    auth::Actor,
    domain::{
        id::UserId,
        listing::{Direction, Filter, OrderQuery, Sort, SortKey},
        money::Currency,
        order::{MAX_METADATA, OrderStatus},
        time::Timestamp,
        transaction::PaymentStatus,
    },
    error::{Error, Fault, Result, problem},
    service::{orders, views::StoredJson},
};
use axum::{extract::State, response::Response};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which orders to list, and in which order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOrders {
    /// What the list is sorted by; `-` puts the greatest first. `-created_at` if left out. Orders that were never
    /// placed come last if it is `placed_at` or `-placed_at`.
    sort: Option<Parsed<Sort>>,
    /// Orders in one of these statuses.
    status: Option<Vec<Parsed<OrderStatus>>>,
    /// Orders in one of these payment statuses.
    payment_status: Option<Vec<Parsed<PaymentStatus>>>,
    /// Orders of this user.
    user_id: Option<Parsed<UserId>>,
    /// Orders in this currency.
    currency: Option<Parsed<Currency>>,
    /// The order with this reference.
    #[schemars(length(min = 1, max = 255))]
    external_ref: Option<String>,
    /// Orders with an item of this SKU.
    #[schemars(length(min = 1, max = 64))]
    sku: Option<String>,
    /// Orders of this total or more, in minor units.
    total_min: Option<Amount>,
    /// Orders of this total or less, in minor units.
    total_max: Option<Amount>,
    /// Orders created at this time or later.
    created_from: Option<Parsed<Timestamp>>,
    /// Orders created before this time.
    created_to: Option<Parsed<Timestamp>>,
    /// Orders last changed at this time or later.
    updated_from: Option<Parsed<Timestamp>>,
    /// Orders placed at this time or later.
    placed_from: Option<Parsed<Timestamp>>,
    /// Orders placed before this time.
    placed_to: Option<Parsed<Timestamp>>,
    /// Orders of the customer with this e-mail address, in any case.
    #[schemars(length(min = 1, max = 255))]
    customer_email: Option<String>,
    /// Orders with this text in an item's name, the reference, or the customer's name, e-mail address or telephone
    /// number. Case does not matter (`STRASSE` finds `Straße`), nor how a telephone number is written. Digits alone
    /// also find the order with that number.
    #[schemars(length(min = 1, max = 255))]
    q: Option<String>,
    /// Orders whose metadata has this value under the key, such as `metadata.colour=red`.
    #[serde(default)]
    #[schemars(extend("x-prefix" = "metadata.", "propertyNames" = {"maxLength": 40}))]
    metadata: BTreeMap<String, String>,
    /// What a row of a CSV is: `items` makes one for each item and fee, in place of one for each order.
    pub(super) rows: Option<Parsed<RowsOf>>,
    /// What else to show of each order: `transactions` adds its payments and refunds, oldest first. Not for CSV.
    pub(super) include: Option<Parsed<Include>>,
}

/// A row for each item and fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowsOf;

impl FromText for RowsOf {
    fn from_text(text: &str) -> Option<Self> {
        (text == "items").then_some(Self)
    }

    fn schema() -> Schema {
        one_of(&["items"])
    }
}

/// What a list can show of each order besides its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// Its payments and refunds.
    Transactions,
}

impl FromText for Include {
    fn from_text(text: &str) -> Option<Self> {
        (text == "transactions").then_some(Self::Transactions)
    }

    fn schema() -> Schema {
        one_of(&["transactions"])
    }
}

/// What the entries of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Orders,
    WithTransactions,
    Items,
}

impl ListOrders {
    /// What the entries are in this format.
    ///
    /// # Errors
    /// `invalid_parameter` if a parameter belongs to another format.
    pub(super) fn content(&self, format: Format) -> Result<Content> {
        match (self.rows, self.include, format) {
            (Some(_), _, Format::Page | Format::Ndjson) => Err(only_for("rows", "CSV")),
            (_, Some(_), Format::Csv) => Err(only_for("include", "JSON and NDJSON")),
            (Some(_), ..) => Ok(Content::Items),
            (_, Some(_), _) => Ok(Content::WithTransactions),
            (None, None, _) => Ok(Content::Orders),
        }
    }

    /// The query that the parameters describe.
    ///
    /// # Errors
    /// `invalid_parameter` if there are more entries of metadata than an order can have.
    pub fn query(self) -> Result<OrderQuery> {
        if self.metadata.len() > MAX_METADATA {
            let detail = format!("must be at most {MAX_METADATA} parameters");
            let fault = Fault::parameter("metadata.<key>", "too_many", detail);
            return Err(Error::new(&problem::INVALID_PARAMETER).with_faults(vec![fault]));
        }
        let newest_first = Sort { key: SortKey::Created, direction: Direction::Descending };
        let filter = Filter {
            statuses: distinct(self.status),
            payment_statuses: distinct(self.payment_status),
            user_id: self.user_id.map(|id| id.0),
            visible_to: None,
            currency: self.currency.map(|currency| currency.0),
            external_ref: self.external_ref,
            sku: self.sku,
            total_min: self.total_min.map(Amount::get),
            total_max: self.total_max.map(Amount::get),
            created_from: self.created_from.map(|time| time.0),
            created_to: self.created_to.map(|time| time.0),
            updated_from: self.updated_from.map(|time| time.0),
            placed_from: self.placed_from.map(|time| time.0),
            placed_to: self.placed_to.map(|time| time.0),
            customer_email: self.customer_email,
            metadata: self.metadata,
            text: self.q,
        };
        Ok(OrderQuery { filter, sort: self.sort.map_or(newest_first, |sort| sort.0) })
    }
}

/// Lists orders, newest first by default: a page of them or, as CSV or NDJSON, all.
pub(in crate::api) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { filter, options }: ListRequest<ListOrders>,
) -> Result<Response> {
    let content = filter.content(options.format)?;
    let query = filter.query()?;
    let binding = format!("orders.list {query:?}");
    match (content, options.format) {
        (Content::WithTransactions, _) => {
            let find = move |app, actor, page| {
                let query = query.clone();
                async move { Ok(orders::list_with_transactions(&app, &actor, query, page).await?.map(OrderRow::from)) }
            };
            list::answer(app, actor, options, binding, find).await
        }
        (Content::Orders | Content::Items, Format::Page) => {
            let find = |app, actor, page| async move {
                orders::list(&app, &actor, query, page).await.map(|found| found.map(StoredJson))
            };
            let length = |entries: &[StoredJson<_>]| StoredJson::length_of_page(entries, ",".len());
            list::page(app, actor, options, binding, find, length).await
        }
        (Content::Orders, Format::Csv | Format::Ndjson) => {
            let find = move |app, actor, page| {
                let query = query.clone();
                async move { Ok(orders::export(&app, &actor, query, page).await?.map(OrderRow::from)) }
            };
            list::answer(app, actor, options, binding, find).await
        }
        (Content::Items, Format::Csv | Format::Ndjson) => {
            let find = move |app, actor, page| {
                let query = query.clone();
                async move { Ok(orders::export(&app, &actor, query, page).await?.flat_map(ItemRow::of)) }
            };
            list::answer(app, actor, options, binding, find).await
        }
    }
}
