//! What was sold before, as suggestions for a new order.

use super::views::{AsText, SoldItemView, SoldItems};
use crate::{
    app::App,
    auth::Actor,
    domain::{permission::Permission, text::Folded},
    error::Result,
    store::{
        ReadTx,
        sold_items::{self, SoldItem},
    },
};

/// The most suggestions.
const MOST: usize = 20;

/// The items with this text in the SKU or the name, over the placed orders that the actor may read, the newest first.
pub async fn find(app: &App, actor: &Actor, text: &str) -> Result<SoldItems> {
    let sought = Folded::of(text);
    let found = match (actor.may(Permission::OrdersRead), actor.user_id()) {
        (true, _) => app.store.scan_sold_items("items.list", move |items| items.newest(&sought, MOST)).await?,
        (false, Some(user)) => {
            let of_user = move |tx: &ReadTx<'_>| Ok(sold_items::of_user(tx, user)?.newest(&sought, MOST));
            app.store.scan("items.list", of_user).await?
        }
        (false, None) => vec![],
    };
    Ok(SoldItems { data: found.into_iter().map(SoldItemView::from).collect() })
}

impl From<SoldItem> for SoldItemView {
    fn from(item: SoldItem) -> Self {
        Self {
            sku: item.sku,
            name: item.name,
            currency: AsText(item.currency),
            unit_amount: item.unit_amount,
            tax_rate: item.tax_rate.map(AsText),
            last_sold_at: AsText(item.last_sold_at),
        }
    }
}
