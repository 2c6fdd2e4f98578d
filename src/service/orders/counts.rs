//! How many orders the caller may read, by status.

use crate::{
    app::App,
    auth::Actor,
    domain::permission::Permission,
    error::Result,
    service::views::{AsText, OrderCount, OrderCounts},
    store::orders::{self, Counts},
};

/// Counts the orders that the actor may read, drafts included.
pub async fn counts(app: &App, actor: &Actor) -> Result<OrderCounts> {
    let found = match (actor.may(Permission::OrdersRead), actor.user_id()) {
        (true, _) => app.store.scan("orders.counts", orders::counts).await?,
        (false, Some(user)) => app.store.scan("orders.counts", move |tx| orders::counts_of_user(tx, user)).await?,
        (false, None) => Counts::new(),
    };
    let count = |((status, payment_status), orders)| OrderCount {
        status: AsText(status),
        payment_status: AsText(payment_status),
        orders,
    };
    let has_orders = |(_, orders): &(_, i64)| *orders > 0;
    Ok(OrderCounts { data: found.into_iter().filter(has_orders).map(count).collect() })
}
