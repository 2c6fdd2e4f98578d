//! Importing orders. The reference of an order identifies it, so that it is created once, however often it is sent.

use super::{
    Access,
    create::{NewOrder, insert, owner},
};
use crate::{
    app::App,
    auth::Actor,
    domain::id::OrderId,
    error::Result,
    store::{ReadTx, orders},
};

/// What an import did with one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It created this order.
    Created(OrderId),
    /// An order with this reference exists. Names it if the actor may read it.
    Exists(Option<OrderId>),
}

/// Creates an order, unless one with this reference exists: then the rest of `new` is ignored, even if it is invalid.
/// The writer looks the reference up, so that each line of an import sees the orders of the lines before it.
///
/// # Errors
/// The error in `new`; those of creating an order.
pub async fn import(app: &App, actor: Actor, reference: String, new: Result<NewOrder>) -> Result<Imported> {
    let checked = new.and_then(|new| Ok((owner(&actor, new.user_id)?, new)));
    let (owner, new) = match checked {
        Ok(valid) => valid,
        Err(error) => {
            let existing = app.store.write("orders.import", move |tx| find(tx, &actor, &reference)).await?;
            return existing.ok_or(error);
        }
    };
    app.store
        .write("orders.import", move |tx| match find(tx, &actor, &reference)? {
            Some(existing) => Ok(existing),
            None => Ok(Imported::Created(insert(tx, &actor, owner, &new)?.order.id)),
        })
        .await
}

fn find(tx: &ReadTx<'_>, actor: &Actor, reference: &str) -> Result<Option<Imported>> {
    let order = orders::by_external_ref(tx, reference)?;
    Ok(order.map(|order| Imported::Exists(Access::READ.allows(actor, order.user_id).then_some(order.id))))
}
