//! Orders: placing, reading, changing, and moving through their states.

mod change;
mod create;
mod import;
mod transition;

pub use change::{Change, ChangeOrder, change};
pub(super) use create::insert;
pub use create::{NewOrder, create};
pub use import::{Imported, import};
pub(super) use transition::moved;
pub use transition::{Refund, cancel, transition};

use super::{
    idempotency::Reply,
    page::{Page, PageRequest},
    views::OrderView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::{OrderId, UserId},
        listing::{Filter, Position, Sort},
        order::Order,
        permission::Permission,
    },
    error::{Error, Result, problem},
    store::{
        ReadTx,
        orders::{self, StoredDocument},
    },
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
pub async fn get(app: &App, actor: &Actor, named: &Named) -> Result<(i64, String)> {
    app.store
        .read("orders.get", |tx| {
            let kept = find(tx, named)?.filter(|kept| readable(actor, kept.user_id)).ok_or_else(Error::absent)?;
            Ok((kept.version, document_of(tx, kept)?))
        })
        .await
}

fn find(tx: &ReadTx<'_>, named: &Named) -> Result<Option<StoredDocument>> {
    match named {
        Named::Id(id) => orders::document_by_id(tx, *id),
        Named::Number(number) => orders::document_by_number(tx, *number),
        Named::ExternalRef(reference) => orders::document_by_external_ref(tx, reference),
    }
}

fn document_of(tx: &ReadTx<'_>, kept: StoredDocument) -> Result<String> {
    match kept.document {
        Some(document) => Ok(document),
        None => document(&orders::by_seq(tx, kept.seq)?.ok_or_else(Error::absent)?),
    }
}

/// The documents of the orders of a list that the actor may read. The key of one is its place in the list.
pub async fn list(
    app: &App,
    actor: &Actor,
    (filter, sort): (Filter, Sort),
    request: PageRequest<Position>,
) -> Result<Page<String, Position>> {
    let filter = limited_to_own(actor, filter);
    if request.count || orders::is_scan(&filter, sort) {
        app.store.scan("orders.list", move |tx| page(tx, &filter, sort, &request, listed)).await
    } else {
        app.store.read("orders.list", |tx| page(tx, &filter, sort, &request, listed)).await
    }
}

fn listed(tx: &ReadTx<'_>, seq: i64) -> Result<Option<String>> {
    orders::document_by_seq(tx, seq)?.map(|kept| document_of(tx, kept)).transpose()
}

/// A part of a list for an export: longer than a page, and read beside those.
pub async fn export(
    app: &App,
    actor: &Actor,
    (filter, sort): (Filter, Sort),
    request: PageRequest<Position>,
) -> Result<Page<Order, Position>> {
    let filter = limited_to_own(actor, filter);
    app.store.scan("orders.export", move |tx| part(tx, &filter, sort, &request)).await
}

/// A part of a list on one snapshot, for whoever may read all orders.
pub fn part(
    tx: &ReadTx<'_>,
    filter: &Filter,
    sort: Sort,
    request: &PageRequest<Position>,
) -> Result<Page<Order, Position>> {
    page(tx, filter, sort, request, orders::by_seq)
}

fn page<T>(
    tx: &ReadTx<'_>,
    filter: &Filter,
    sort: Sort,
    request: &PageRequest<Position>,
    read: impl Fn(&ReadTx<'_>, i64) -> Result<Option<T>>,
) -> Result<Page<T, Position>> {
    let found = orders::page(tx, filter, sort, request.after, request.limit_and_one(), read)?;
    let found = request.page(found, |(position, _)| *position, || orders::count(tx, filter))?;
    Ok(found.map(|(_, order)| order))
}

fn limited_to_own(actor: &Actor, filter: Filter) -> Filter {
    let visible_to = if actor.may(Permission::OrdersRead) { None } else { Some(actor.user_id()) };
    Filter { visible_to, ..filter }
}

/// What somebody needs for doing something to an order.
struct Right {
    /// Whosever the order is.
    any: Permission,
    /// With an order of their own.
    own: Permission,
}

impl Right {
    const READ: Self = Self { any: Permission::OrdersRead, own: Permission::OrdersReadOwn };
    const UPDATE: Self = Self { any: Permission::OrdersUpdate, own: Permission::OrdersUpdateOwn };
    const PLACE: Self = Self { any: Permission::OrdersTransition, own: Permission::OrdersCreateOwn };
    const MOVE: Self = Self { any: Permission::OrdersTransition, own: Permission::OrdersTransition };
    const CANCEL: Self = Self { any: Permission::OrdersCancel, own: Permission::OrdersCancelOwn };

    /// Whether `actor` has it over an order of `owner`.
    fn is_held(&self, actor: &Actor, owner: Option<UserId>) -> bool {
        let theirs = owner.is_some() && owner == actor.user_id();
        actor.may(self.any) || (theirs && actor.may(self.own))
    }
}

/// Whether `actor` may read an order of `owner`.
fn readable(actor: &Actor, owner: Option<UserId>) -> bool {
    Right::READ.is_held(actor, owner)
}

/// The order of this identifier, if `actor` may read it; somebody else's looks like none.
pub(super) fn readable_order(tx: &ReadTx<'_>, actor: &Actor, id: OrderId) -> Result<Order> {
    permitted(tx, actor, id, &Right::READ)
}

/// The order to which `actor` wants to do something, if they may do that; somebody else's looks like none.
fn permitted(tx: &ReadTx<'_>, actor: &Actor, id: OrderId, right: &Right) -> Result<Order> {
    orders::by_id(tx, id)?.filter(|order| right.is_held(actor, order.user_id)).ok_or_else(Error::absent)
}

fn document(order: &Order) -> Result<String> {
    serde_json::to_string(&OrderView::from(order)).map_err(Error::internal)
}

/// The answer that shows `order` as it is.
fn shown(order: &Order) -> Result<Reply> {
    Ok(Reply::new(200, document(order)?).version(order.version))
}
