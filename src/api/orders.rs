//! Orders over HTTP.

mod body;
mod patch;

use super::{
    extract::{Parameters, PathId, Segments, Valid},
    list::{Paging, Place},
    reply,
};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{
        id::{Identifier, OrderId, UserId},
        order::{OrderStatus, Transition},
        transaction::PaymentStatus,
    },
    error::{Error, Result},
    service::{
        exactly_once::Reply,
        orders::{self, IfMatch, Named},
        views::{OrderView, TransactionView},
    },
    store::orders::Filter,
};
use axum::{
    extract::State,
    http::{HeaderMap, Uri, header},
    response::Response,
};
pub(super) use body::CreateOrder;
pub(super) use patch::{CancelOrder, NoFields, PatchOrder, cancel, confirm, fulfil, place, update};
use schemars::JsonSchema;
use serde::Deserialize;

/// Places an order, or makes a draft. The same `Idempotency-Key` always yields the same order.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, attempt }: Valid<CreateOrder>,
) -> Result<Reply> {
    let new = body.into_order()?;
    orders::create(&app, actor, attempt, new).await
}

/// An order by its identifier.
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    headers: HeaderMap,
) -> Result<Response> {
    one(&app, &actor, &Named::Id(id), &headers)
}

/// An order by its number.
pub(super) async fn get_by_number(
    State(app): State<App>,
    actor: Actor,
    Segments(path): Segments,
    headers: HeaderMap,
) -> Result<Response> {
    let digits = path.get("number").filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    let number = digits.and_then(|text| text.parse().ok()).ok_or_else(Error::absent)?;
    one(&app, &actor, &Named::Number(number), &headers)
}

/// An order by the caller's own reference.
pub(super) async fn get_by_ref(
    State(app): State<App>,
    actor: Actor,
    Segments(mut path): Segments,
    headers: HeaderMap,
) -> Result<Response> {
    let reference = path.remove("external_ref").ok_or_else(Error::absent)?;
    one(&app, &actor, &Named::ExternalRef(reference), &headers)
}

fn one(app: &App, actor: &Actor, named: &Named, headers: &HeaderMap) -> Result<Response> {
    let (version, document) = orders::get(app, actor, named)?;
    Ok(reply::versioned(document, version, headers.get(header::IF_NONE_MATCH)))
}

/// Which orders to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListOrders {
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
    /// Orders in one of these statuses.
    status: Option<Vec<StatusName>>,
    /// Orders whose payments stand so.
    payment_status: Option<Vec<PaymentStatusName>>,
    /// Orders of this user.
    #[schemars(regex(pattern = r"^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$"))]
    user_id: Option<String>,
}

/// A status as a parameter.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusName {
    Draft,
    Pending,
    Confirmed,
    Fulfilled,
    Cancelled,
}

/// A payment status as a parameter.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatusName {
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
    fn filter(&self) -> Filter {
        let statuses = self.status.iter().flatten().map(|name| OrderStatus::from(*name)).collect();
        let payment_statuses = self.payment_status.iter().flatten().map(|name| PaymentStatus::from(*name)).collect();
        let user_id = self.user_id.as_deref().and_then(UserId::parse);
        Filter { statuses, payment_statuses, user_id, visible_to: None }
    }

    /// What a cursor is bound to: it continues this list and no other.
    fn binding(&self) -> String {
        format!("orders.list {:?}", self.filter())
    }
}

/// A page of orders, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<ListOrders>,
    uri: Uri,
) -> Result<Response> {
    let place = Place::of(&app, asked.binding(), asked.limit, asked.cursor.as_deref())?;
    let listed = orders::list(&app, &actor, &asked.filter(), place.value(), place.limit)?;
    let next = listed.next.map(|seq| Cursor(vec![seq]));
    let page = place.page(&app, listed.orders.iter().map(OrderView::from).collect(), next.as_ref());
    Ok(reply::page(&page, &uri))
}

/// An order's transactions, oldest first.
pub(super) async fn transactions(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Parameters(paging): Parameters<Paging>,
    uri: Uri,
) -> Result<Response> {
    let place = Place::plain(&app, format!("transactions.list {id}"), &paging)?;
    let after = place.value().unwrap_or(0);
    let found = crate::service::transactions::of_order(&app, &actor, id, after, place.limit)?;
    let page = place.page(
        &app,
        found.rows.iter().map(TransactionView::from).collect(),
        found.next.map(|seq| Cursor(vec![seq])).as_ref(),
    );
    Ok(reply::page(&page, &uri))
}

/// An order's history, oldest first.
pub(super) async fn events(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Parameters(paging): Parameters<Paging>,
    uri: Uri,
) -> Result<Response> {
    let place = Place::plain(&app, format!("orders.events {id}"), &paging)?;
    let mut found = crate::service::events::of_order(&app, &actor, id, place.value().unwrap_or(0), place.limit + 1)?;
    let has_more = found.len() > place.limit;
    found.truncate(place.limit);
    let next = found.last().filter(|_| has_more).map(|event| Cursor(vec![event.version]));
    Ok(reply::page(&place.page(&app, found, next.as_ref()), &uri))
}
