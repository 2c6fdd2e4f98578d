//! Orders: creating, reading, changing and cancelling them, and moving them through their statuses.

mod change;
mod counts;
mod create;
mod erase;
mod import;
mod prepared;
mod transition;

pub use change::{Change, ChangeCustomer, ChangeOrder, change};
pub use counts::counts;
pub(super) use create::insert;
pub use create::{NewOrder, Owner, create};
pub(super) use erase::erase;
pub use import::{ImportKey, Imported, ImportedOrder, import};
pub(super) use transition::advance;
pub use transition::{Cancellation, Refund, cancel, transition};

use super::{
    history::{self, Recorded},
    idempotency::Effect,
    page::{Page, PageRequest},
    views::OrderView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::{OrderId, UserId},
        listing::{Filter, OrderQuery, Position},
        order::Order,
        outcome::Outcome,
        permission::Permission,
        transaction::Transaction,
    },
    error::{Error, Result, problem},
    store::{
        ReadTx, WriteTx,
        orders::{self, DocumentReader, FoundOrder},
        transactions,
    },
};
use std::sync::Arc;

/// The ways to name an order.
#[derive(Clone, Debug)]
pub enum OrderName {
    /// By its identifier.
    Id(OrderId),
    /// By its number.
    Number(i64),
    /// By the caller's own reference.
    ExternalRef(String),
}

/// The version of an order that a change is meant for.
#[derive(Clone, Debug)]
pub enum ExpectedVersion {
    /// The caller names none, and need not.
    Unspecified,
    /// The caller names none, but must.
    Missing,
    /// Any version.
    Any,
    /// One of these. An empty list matches no version.
    OneOf(Vec<i64>),
}

impl ExpectedVersion {
    /// Refuses a change that is meant for another version than that of `order`.
    fn check(&self, order: &Order) -> Result<()> {
        match self {
            Self::Missing => Err(Error::new(&problem::IF_MATCH_REQUIRED)),
            Self::OneOf(versions) if !versions.contains(&order.version) => Err(Error::new(&problem::VERSION_MISMATCH)
                .detail(format!("The present version is {}.", order.version))
                .member("current_version", order.version)),
            _ => Ok(()),
        }
    }
}

/// The order that a change is meant for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The order.
    pub id: OrderId,
    /// The version that it must have.
    pub version: ExpectedVersion,
}

/// An order as a JSON document.
pub struct OrderDocument {
    /// The version of the order.
    pub version: i64,
    /// The order as JSON.
    pub json: Arc<str>,
}

/// The order of this name.
///
/// # Errors
/// `NOT_FOUND` if there is none that the actor may read.
pub async fn get(app: &App, actor: &Actor, name: &OrderName) -> Result<OrderDocument> {
    let reader = app.document_cache.reader();
    app.store
        .read("orders.get", |tx| {
            let found = find(tx, actor, name)?;
            Ok(OrderDocument { version: found.version, json: reader.document(tx, &found, document)? })
        })
        .await
}

/// The identifier of the order of this name.
///
/// # Errors
/// Those of [`get`].
pub async fn id_of(app: &App, actor: &Actor, name: &OrderName) -> Result<OrderId> {
    app.store
        .read("orders.get", |tx| {
            let found = find(tx, actor, name)?;
            Ok(orders::by_seq(tx, found.seq)?.ok_or_else(Error::absent)?.id)
        })
        .await
}

fn find(tx: &ReadTx<'_>, actor: &Actor, name: &OrderName) -> Result<FoundOrder> {
    let found = match name {
        OrderName::Id(id) => orders::find_by_id(tx, *id),
        OrderName::Number(number) => orders::find_by_number(tx, *number),
        OrderName::ExternalRef(reference) => orders::find_by_external_ref(tx, reference),
    }?;
    found.filter(|found| Access::READ.allows(actor, found.user_id)).ok_or_else(Error::absent)
}

/// A page of the orders that the actor may read, as JSON documents.
pub async fn list(
    app: &App,
    actor: &Actor,
    query: OrderQuery,
    request: PageRequest<Position>,
) -> Result<Page<Arc<str>, Position>> {
    let (query, reader) = (limited_to_own(actor, query), app.document_cache.reader());
    if request.count || orders::is_scan(&query.filter, query.sort) {
        app.store.scan("orders.list", move |tx| page_of_documents(tx, &reader, &query, &request)).await
    } else {
        app.store.read("orders.list", |tx| page_of_documents(tx, &reader, &query, &request)).await
    }
}

fn page_of_documents(
    tx: &ReadTx<'_>,
    reader: &DocumentReader,
    query: &OrderQuery,
    request: &PageRequest<Position>,
) -> Result<Page<Arc<str>, Position>> {
    let rows = page_of_rows(tx, query, request)?;
    Ok(Page { entries: reader.documents(tx, &rows.entries, document)?, info: rows.info })
}

/// A part of an export: like a page, but longer, and read among the long queries.
pub async fn export(
    app: &App,
    actor: &Actor,
    query: OrderQuery,
    request: PageRequest<Position>,
) -> Result<Page<Order, Position>> {
    let query = limited_to_own(actor, query);
    app.store.scan("orders.export", move |tx| page(tx, &query, &request)).await
}

/// A page of all orders on one snapshot, without a check of permissions.
pub fn page(tx: &ReadTx<'_>, query: &OrderQuery, request: &PageRequest<Position>) -> Result<Page<Order, Position>> {
    page_of(tx, query, request, orders::by_seq)
}

/// An order with its payments and refunds, oldest first.
pub struct OrderWithTransactions {
    /// The order.
    pub order: Order,
    /// Its payments and refunds.
    pub transactions: Vec<Transaction>,
}

/// A page or a part of an export of the orders that the actor may read, with their transactions.
pub async fn list_with_transactions(
    app: &App,
    actor: &Actor,
    query: OrderQuery,
    request: PageRequest<Position>,
) -> Result<Page<OrderWithTransactions, Position>> {
    let query = limited_to_own(actor, query);
    app.store.scan("orders.list", move |tx| page_with_transactions(tx, &query, &request)).await
}

/// [`page`] with the transactions of each order.
pub fn page_with_transactions(
    tx: &ReadTx<'_>,
    query: &OrderQuery,
    request: &PageRequest<Position>,
) -> Result<Page<OrderWithTransactions, Position>> {
    page_of(tx, query, request, |tx, seq| {
        let Some(order) = orders::by_seq(tx, seq)? else { return Ok(None) };
        let newest_first = transactions::of_order(tx, seq, i64::MAX, usize::MAX)?;
        let transactions = newest_first.into_iter().rev().map(|(_, transaction)| transaction).collect();
        Ok(Some(OrderWithTransactions { order, transactions }))
    })
}

fn page_of<T>(
    tx: &ReadTx<'_>,
    query: &OrderQuery,
    request: &PageRequest<Position>,
    read: impl Fn(&ReadTx<'_>, i64) -> Result<Option<T>>,
) -> Result<Page<T, Position>> {
    page_of_rows(tx, query, request)?.try_map(|seq| {
        read(tx, seq)?.ok_or_else(|| Error::internal(format!("order row {seq} vanished within a snapshot")))
    })
}

/// The rows of the orders of a page.
fn page_of_rows(tx: &ReadTx<'_>, query: &OrderQuery, request: &PageRequest<Position>) -> Result<Page<i64, Position>> {
    let OrderQuery { filter, sort } = query;
    let found = orders::page(tx, filter, *sort, request.after, request.limit_and_one())?;
    let found = request.page(found, |position| *position, || orders::count(tx, filter))?;
    Ok(found.map(|position| position.seq))
}

fn limited_to_own(actor: &Actor, query: OrderQuery) -> OrderQuery {
    let visible_to = if actor.may(Permission::OrdersRead) { None } else { Some(actor.user_id()) };
    OrderQuery { filter: Filter { visible_to, ..query.filter }, ..query }
}

/// The two permissions for one action on orders.
struct Access {
    /// Allows the action on every order.
    any: Permission,
    /// Allows the action on the actor's own orders.
    own: Permission,
}

impl Access {
    const READ: Self = Self { any: Permission::OrdersRead, own: Permission::OrdersReadOwn };
    const UPDATE: Self = Self { any: Permission::OrdersUpdate, own: Permission::OrdersUpdateOwn };
    const PLACE: Self = Self { any: Permission::OrdersTransition, own: Permission::OrdersCreateOwn };
    const TRANSITION: Self = Self { any: Permission::OrdersTransition, own: Permission::OrdersTransition };
    const CANCEL: Self = Self { any: Permission::OrdersCancel, own: Permission::OrdersCancelOwn };

    /// Whether `actor` may do it to an order of `owner`.
    fn allows(&self, actor: &Actor, owner: Option<UserId>) -> bool {
        let is_own = owner.is_some() && owner == actor.user_id();
        actor.may(self.any) || (is_own && actor.may(self.own))
    }

    /// The order `id`.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is none, or the actor may not do this to it: other people's orders must not show.
    fn find(&self, tx: &ReadTx<'_>, actor: &Actor, id: OrderId) -> Result<Order> {
        orders::by_id(tx, id)?.filter(|order| self.allows(actor, order.user_id)).ok_or_else(Error::absent)
    }
}

/// The order `id`.
///
/// # Errors
/// `NOT_FOUND` if there is none that the actor may read.
pub(super) fn readable_order(tx: &ReadTx<'_>, actor: &Actor, id: OrderId) -> Result<Order> {
    Access::READ.find(tx, actor, id)
}

fn document(order: &Order) -> Result<String> {
    serde_json::to_string(&OrderView::from(order)).map_err(Error::internal)
}

/// An effect that shows `order` as it is now.
fn effect(tx: &ReadTx<'_>, outcome: Outcome, order: &Order) -> Result<Effect> {
    let document = history::split(tx, &OrderView::from(order).impersonal(), order.personal)?;
    Ok(Effect::new(outcome, document).at_version(order.version))
}

/// Records an event that shows `order` as it is now.
fn record(tx: &WriteTx<'_>, actor: &Actor, kind: EventType, order: &Order) -> Result<Recorded> {
    history::record(tx, actor, kind, order, &OrderView::from(order).impersonal(), order.personal)
}
