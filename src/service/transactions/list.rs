//! The list of all payments and refunds.

use crate::{
    app::App,
    auth::Actor,
    domain::{
        permission::Permission,
        transaction::{Transaction, TransactionFilter},
    },
    error::Result,
    service::page::{Page, PageRequest},
    store::{ReadTx, transactions},
};

/// A page of the transactions of the orders that the actor may read, newest first, keyed by row.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: TransactionFilter,
    request: PageRequest<i64>,
) -> Result<Page<Transaction, i64>> {
    let filter = limited_to_own(actor, filter);
    if request.count || transactions::is_scan(&filter) {
        app.store.scan("transactions.list", move |tx| page(tx, &filter, &request)).await
    } else {
        app.store.read("transactions.list", |tx| page(tx, &filter, &request)).await
    }
}

/// A part of an export: like a page, but longer, and read among the long queries.
pub async fn export(
    app: &App,
    actor: &Actor,
    filter: TransactionFilter,
    request: PageRequest<i64>,
) -> Result<Page<Transaction, i64>> {
    let filter = limited_to_own(actor, filter);
    app.store.scan("transactions.export", move |tx| page(tx, &filter, &request)).await
}

fn page(tx: &ReadTx<'_>, filter: &TransactionFilter, request: &PageRequest<i64>) -> Result<Page<Transaction, i64>> {
    let found = transactions::page(tx, filter, request.after, request.limit_and_one())?;
    let found = request.page(found, |(seq, _)| *seq, || transactions::count(tx, filter))?;
    Ok(found.map(|(_, transaction)| transaction))
}

fn limited_to_own(actor: &Actor, filter: TransactionFilter) -> TransactionFilter {
    let visible_to = if actor.may(Permission::OrdersRead) { None } else { Some(actor.user_id()) };
    TransactionFilter { visible_to, ..filter }
}
