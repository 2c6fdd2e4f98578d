//! Importing orders: each is made once, however often it is sent, by its reference.

use super::create::{NewOrder, insert, owner};
use crate::{
    app::App,
    auth::Actor,
    domain::id::OrderId,
    error::Result,
    store::{ReadTx, orders},
};

/// What became of an order that was to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was made.
    Created(OrderId),
    /// There is one with its reference; which, if the actor may read it.
    Exists(Option<OrderId>),
}

/// Makes the order, unless there is one with this reference: then it does not matter what else it says, or that it says
/// nothing valid. That is looked up in the writer's turn, so that a line finds what the lines before it have made.
pub async fn import(app: &App, actor: Actor, reference: String, new: Result<NewOrder>) -> Result<Imported> {
    let checked = new.and_then(|new| Ok((owner(&actor, new.user_id)?, new)));
    let (owner, new) = match checked {
        Ok(valid) => valid,
        Err(error) => {
            let known = app.store.write("orders.import", move |tx| existing(tx, &actor, &reference)).await?;
            return known.ok_or(error);
        }
    };
    app.store
        .write("orders.import", move |tx| match existing(tx, &actor, &reference)? {
            Some(exists) => Ok(exists),
            None => Ok(Imported::Created(insert(tx, &actor, owner, &new)?.order.id)),
        })
        .await
}

fn existing(tx: &ReadTx<'_>, actor: &Actor, reference: &str) -> Result<Option<Imported>> {
    let order = orders::by_external_ref(tx, reference)?;
    Ok(order.map(|order| Imported::Exists(super::readable(actor, order.user_id).then_some(order.id))))
}
