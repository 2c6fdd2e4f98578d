//! Lists of orders: their parameters, pages of them, and all rows at once.

use super::{Actor, App, Error, Identifier, OrderStatus, OrderView, PaymentStatus, Result, UserId, orders, reply};
use crate::{
    api::{
        input::extract::Parameters,
        output::{
            export::{self, Begins, Format, ROWS_AT_ONCE},
            list::Place,
        },
    },
    auth::Cursor,
    domain::{
        listing::{Direction, Filter, OrderQuery, Position, Sort, SortKey},
        money::Currency,
        order::MAX_METADATA,
        time::Timestamp,
    },
    error::{Fault, problem},
    service::page::Wanted,
};
use axum::{extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which orders to list, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOrders {
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
    /// Whether to say in `page.total` how many orders match.
    count: Option<bool>,
    /// What the list is ordered by; `-` means the greatest first. `-created_at` if left out.
    sort: Option<SortName>,
    /// Orders in one of these statuses.
    status: Option<Vec<StatusName>>,
    /// Orders whose payments stand so.
    payment_status: Option<Vec<PaymentStatusName>>,
    /// Orders of this user.
    #[schemars(regex(pattern = r"^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$"))]
    user_id: Option<String>,
    /// Orders in this currency.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"), extend("format" = "iso-4217"))]
    currency: Option<String>,
    /// The order with this reference.
    #[schemars(length(min = 1, max = 255))]
    external_ref: Option<String>,
    /// Orders with an item of this SKU.
    #[schemars(length(min = 1, max = 64))]
    sku: Option<String>,
    /// Orders of this total or more, in minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    total_min: Option<i64>,
    /// Orders of this total or less, in minor units.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    total_max: Option<i64>,
    /// Orders made then or later.
    #[schemars(extend("format" = "date-time"))]
    created_from: Option<String>,
    /// Orders made before then.
    #[schemars(extend("format" = "date-time"))]
    created_to: Option<String>,
    /// Orders last changed then or later.
    #[schemars(extend("format" = "date-time"))]
    updated_from: Option<String>,
    /// Orders with this text, in upper or lower case, in an item's name, the reference, or the customer's name or e-mail
    /// address; digits alone also find the order of that number.
    #[schemars(length(min = 1, max = 255))]
    q: Option<String>,
    /// Orders with this value under the key: `metadata.colour=red`.
    #[serde(default)]
    #[schemars(extend("x-prefix" = "metadata.", "propertyNames" = {"maxLength": 40}))]
    metadata: BTreeMap<String, String>,
}

/// An order of the list as a parameter.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum SortName {
    #[serde(rename = "-created_at")]
    CreatedDescending,
    #[serde(rename = "created_at")]
    CreatedAscending,
    #[serde(rename = "-total_amount")]
    TotalDescending,
    #[serde(rename = "total_amount")]
    TotalAscending,
    #[serde(rename = "-updated_at")]
    UpdatedDescending,
    #[serde(rename = "updated_at")]
    UpdatedAscending,
}

impl From<SortName> for Sort {
    fn from(name: SortName) -> Self {
        let (key, direction) = match name {
            SortName::CreatedDescending => (SortKey::Created, Direction::Descending),
            SortName::CreatedAscending => (SortKey::Created, Direction::Ascending),
            SortName::TotalDescending => (SortKey::Total, Direction::Descending),
            SortName::TotalAscending => (SortKey::Total, Direction::Ascending),
            SortName::UpdatedDescending => (SortKey::Updated, Direction::Descending),
            SortName::UpdatedAscending => (SortKey::Updated, Direction::Ascending),
        };
        Self { key, direction }
    }
}

/// A status as a parameter.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StatusName {
    Draft,
    Pending,
    Confirmed,
    Fulfilled,
    Cancelled,
}

/// A payment status as a parameter.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PaymentStatusName {
    Unpaid,
    PartiallyPaid,
    Paid,
    Overpaid,
    PartiallyRefunded,
    Refunded,
}

impl From<StatusName> for OrderStatus {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Draft => Self::Draft,
            StatusName::Pending => Self::Pending,
            StatusName::Confirmed => Self::Confirmed,
            StatusName::Fulfilled => Self::Fulfilled,
            StatusName::Cancelled => Self::Cancelled,
        }
    }
}

impl From<PaymentStatusName> for PaymentStatus {
    fn from(name: PaymentStatusName) -> Self {
        match name {
            PaymentStatusName::Unpaid => Self::Unpaid,
            PaymentStatusName::PartiallyPaid => Self::PartiallyPaid,
            PaymentStatusName::Paid => Self::Paid,
            PaymentStatusName::Overpaid => Self::Overpaid,
            PaymentStatusName::PartiallyRefunded => Self::PartiallyRefunded,
            PaymentStatusName::Refunded => Self::Refunded,
        }
    }
}

impl ListOrders {
    /// Refuses the parameters of pages.
    pub(super) fn refuse_paging(&self) -> Result<()> {
        export::refuse_paging(&[("limit", self.limit.is_some()), ("cursor", self.cursor.is_some())])
    }

    pub(super) fn sort(&self) -> Sort {
        self.sort.unwrap_or(SortName::CreatedDescending).into()
    }

    /// Which orders are asked for.
    ///
    /// # Errors
    /// `invalid_parameter` if there are more entries of metadata than an order has.
    pub fn filter(&self) -> Result<Filter> {
        let instant = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
        // An order has no more entries.
        if self.metadata.len() > MAX_METADATA {
            let detail = format!("must be at most {MAX_METADATA} parameters");
            let fault = Fault::parameter("metadata.<key>", "too_many", detail);
            return Err(Error::new(&problem::INVALID_PARAMETER).with_faults(vec![fault]));
        }
        Ok(Filter {
            statuses: distinct(self.status.iter().flatten().map(|name| OrderStatus::from(*name)).collect()),
            payment_statuses: distinct(
                self.payment_status.iter().flatten().map(|name| PaymentStatus::from(*name)).collect(),
            ),
            user_id: self.user_id.as_deref().and_then(UserId::parse),
            visible_to: None,
            currency: self.currency.as_deref().and_then(Currency::parse),
            external_ref: self.external_ref.clone(),
            sku: self.sku.clone(),
            total_min: self.total_min,
            total_max: self.total_max,
            created_from: instant(&self.created_from),
            created_to: instant(&self.created_to),
            updated_from: instant(&self.updated_from),
            metadata: self.metadata.clone(),
            text: self.q.clone(),
        })
    }
}

/// Each of `names` once, in one order, so that a cursor is good for the same list however it is written.
fn distinct<T: Ord>(mut names: Vec<T>) -> Vec<T> {
    names.sort_unstable();
    names.dedup();
    names
}

fn position(cursor: &Cursor) -> Option<Position> {
    let [value, seq, began] = cursor.0[..] else { return None };
    Some(Position { value, seq, began })
}

fn cursor(Position { value, seq, began }: Position) -> Cursor {
    Cursor(vec![value, seq, began])
}

/// Orders, newest first if nothing else is asked for: a page of them or, as CSV or NDJSON, all.
pub(in crate::api) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<ListOrders>,
    format: Format,
    uri: Uri,
) -> Result<Response> {
    let (filter, sort) = (asked.filter()?, asked.sort());
    if format != Format::Page {
        asked.refuse_paging()?;
        return all(app, actor, OrderQuery { filter, sort }, format).await;
    }
    // What a cursor is bound to: it continues this list and no other.
    let place = Place::of(&app, format!("orders.list {filter:?} {sort:?}"), asked.limit, asked.cursor.as_deref())?;
    let place = place.counted(asked.count);
    let found = orders::list(&app, &actor, OrderQuery { filter, sort }, place.wanted(position)).await?;
    reply::page_of_documents(&place.found(&app, found, cursor), &uri)
}

async fn all(app: App, actor: Actor, query: OrderQuery, format: Format) -> Result<Response> {
    export::stream(format, move |after: Option<Position>| {
        let (app, actor) = (app.clone(), actor.clone());
        let query = query.clone();
        async move {
            let found = orders::export(&app, &actor, query, Wanted::some(after, ROWS_AT_ONCE)).await?;
            let rows: Vec<_> = found.entries.iter().map(OrderView::from).collect();
            Ok((export::encode(format, &rows, Begins::after(after.as_ref()))?, found.next))
        }
    })
    .await
}
