//! Orders: placing, reading, changing, and moving through their states.

mod change;
mod create;
mod import;
mod transition;

pub use change::{Change, ChangeOrder, change};
pub use create::{NewOrder, create};
pub use import::{Imported, import};
pub use transition::{Refund, cancel, transition};

use super::{exactly_once::Reply, views::OrderView};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::OrderId,
        listing::{Filter, Position, Sort},
        order::Order,
        permission::Permission,
    },
    error::{Error, Result, problem},
    store::{ReadTx, orders},
};

/// How a caller names an order.
#[derive(Clone, Debug)]
pub enum Named {
    /// By its identifier.
    Id(OrderId),
    /// By its number.
    Number(i64),
    /// By the caller's own reference.
    ExternalRef(String),
}

/// Which versions of an order a change is meant for (RFC 9110, section 13.1.1).
#[derive(Clone, Debug)]
pub enum IfMatch {
    /// The caller does not say, and need not.
    Absent,
    /// The caller does not say, and has to.
    Missing,
    /// Any that exists.
    Any,
    /// One of these; a weak or foreign tag is none of them.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Refuses a change that is meant for another version of `order`.
    fn check(&self, order: &Order) -> Result<()> {
        match self {
            Self::Missing => Err(Error::new(&problem::IF_MATCH_REQUIRED)),
            Self::Versions(versions) if !versions.contains(&order.version) => {
                Err(Error::new(&problem::VERSION_MISMATCH)
                    .detail(format!("The present version is {}.", order.version))
                    .member("current_version", order.version))
            }
            _ => Ok(()),
        }
    }
}

/// The order of this name, if the actor may read it.
pub fn get(app: &App, actor: &Actor, named: &Named) -> Result<(i64, String)> {
    app.store.read("orders.get", |tx| {
        let order = find(tx, named)?.filter(|order| readable(actor, order)).ok_or_else(Error::absent)?;
        Ok((order.version, document(&order)?))
    })
}

fn find(tx: &ReadTx<'_>, named: &Named) -> Result<Option<Order>> {
    match named {
        Named::Id(id) => orders::by_id(tx, *id),
        Named::Number(number) => orders::by_number(tx, *number),
        Named::ExternalRef(reference) => orders::by_external_ref(tx, reference),
    }
}

/// What of a list is asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which orders.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// After which place; from the start, if none is named.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: usize,
}

/// A page of orders.
pub struct Listed {
    /// The orders.
    pub orders: Vec<Order>,
    /// The place after which the next page begins, if there is one.
    pub next: Option<Position>,
}

/// A page of the orders that the actor may read.
pub async fn list(app: &App, actor: &Actor, query: Query) -> Result<Listed> {
    let query = Query { filter: limited_to_own(actor, query.filter), ..query };
    if orders::looks_far(&query.filter, query.sort) {
        app.store.scan("orders.list", move |tx| page(tx, &query)).await
    } else {
        app.store.read("orders.list", |tx| page(tx, &query))
    }
}

/// A page of an export: larger than those of lists, and read beside them.
pub async fn export(app: &App, actor: &Actor, query: Query) -> Result<Listed> {
    let query = Query { filter: limited_to_own(actor, query.filter), ..query };
    app.store.scan("orders.export", move |tx| page(tx, &query)).await
}

fn page(tx: &ReadTx<'_>, query: &Query) -> Result<Listed> {
    let mut found = orders::page(tx, &query.filter, query.sort, query.after, query.limit + 1)?;
    let has_more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| has_more).map(|(position, _)| *position);
    Ok(Listed { orders: found.into_iter().map(|(_, order)| order).collect(), next })
}

/// How many orders the filter lets through, of those that the actor may read.
pub async fn count(app: &App, actor: &Actor, filter: Filter) -> Result<i64> {
    let filter = limited_to_own(actor, filter);
    app.store.scan("orders.count", move |tx| orders::count(tx, &filter)).await
}

fn limited_to_own(actor: &Actor, filter: Filter) -> Filter {
    let visible_to = if actor.may(Permission::OrdersRead) { None } else { Some(actor.user_id()) };
    Filter { visible_to, ..filter }
}

/// Whether `actor` may read `order`.
pub(super) fn readable(actor: &Actor, order: &Order) -> bool {
    allows(actor, order, Permission::OrdersRead, Permission::OrdersReadOwn)
}

/// Whether `actor` may do to `order` what needs `any` permission, or `own` for an order of theirs.
fn allows(actor: &Actor, order: &Order, any: Permission, own: Permission) -> bool {
    let theirs = order.user_id.is_some() && order.user_id == actor.user_id();
    actor.may(any) || (theirs && actor.may(own))
}

/// The order that `actor` wants to change, if they may do that; somebody else's looks like none.
fn changeable(tx: &ReadTx<'_>, actor: &Actor, id: OrderId, any: Permission, own: Permission) -> Result<Order> {
    orders::by_id(tx, id)?.filter(|order| allows(actor, order, any, own)).ok_or_else(Error::absent)
}

fn document(order: &Order) -> Result<String> {
    serde_json::to_string(&OrderView::from(order)).map_err(Error::internal)
}

/// The answer that shows `order` as it is.
fn shown(order: &Order) -> Result<Reply> {
    Ok(Reply::new(200, document(order)?).version(order.version))
}
