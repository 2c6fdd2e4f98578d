//! Erasing personal data: of an order, or of a user with all their orders. What stays is said in `schema.sql` and in
//! the manual. When a use case here has succeeded, the data is neither in the file nor in its write-ahead log.

use super::{
    audit,
    idempotency::{Effect, IdempotentRequest},
    orders,
    users::require_another_admin,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        access::Fact,
        id::{Identifier, OrderId, UserId},
        order::Order,
        outcome::Outcome,
        permission::Permission,
        user::{User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        Store, WriteTx, api_keys, erasures, orders as order_rows, password_resets, second_factors, sessions,
        unfinished_erasures, users,
    },
};
use serde_json::json;
use std::{fmt::Display, time::Duration};
use tracing::Instrument;

/// Orders that are looked at in one query, and that are erased in one transaction. Other writes wait for as long as one
/// transaction takes.
const LOOKED_AT: i64 = 5_000;
const BATCH: usize = 50;
/// How long a request waits for the orders of a user to be erased.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// Erases the personal data of an order.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `OUTCOME_UNKNOWN` if it is erased, but a long query still needs the log with the data;
/// those of [`IdempotentRequest::run`].
pub async fn order(app: &App, actor: Actor, request: IdempotentRequest, id: OrderId) -> Result<Effect> {
    actor.require(Permission::PersonalDataErase)?;
    let shared = app.clone();
    let effect = app
        .store
        .write("orders.erase", move |tx| {
            let before = order_rows::by_id(tx, id)?.ok_or_else(Error::absent)?;
            request.run(tx, &actor, || {
                if erase_order(tx, &actor, &before)? {
                    list(&shared, &[id])?;
                    forget_documents(tx);
                }
                Ok(Effect::without_document(Outcome::Erased))
            })
        })
        .await?;
    app.store.empty_log().await?;
    Ok(effect)
}

/// Erases name and address of a user, where they logged in from, and the personal data of all their orders. Their
/// sessions and keys end. All but the first orders are erased in transactions of their own, so that other writes need
/// not wait for the whole. What is left after a crash, [`unfinished`] erases.
///
/// # Errors
/// Those of [`order`]; `FORBIDDEN` for oneself; `LAST_ADMIN`; `OUTCOME_UNKNOWN` if it takes longer than [`PATIENCE`].
pub async fn user(app: &App, actor: Actor, request: IdempotentRequest, id: UserId) -> Result<Effect> {
    actor.require(Permission::PersonalDataErase)?;
    if actor.responsible() == Some(id) {
        return Err(Error::new(&problem::FORBIDDEN)
            .detail("You cannot erase your own account. Ask another administrator to do it."));
    }
    let (shared, eraser) = (app.clone(), actor.clone());
    let effect = app
        .store
        .write("users.erase", move |tx| {
            let before = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
            request.run(tx, &eraser, || {
                require_another_admin(tx, &before)?;
                let is_changed = erase_account(tx, &eraser, &before)?;
                let erased = erase_next_orders(tx, &eraser, id, 0)?;
                if is_changed || erased > 0 {
                    list(&shared, &[id])?;
                    forget_user(tx, id)?;
                }
                Ok(Effect::without_document(Outcome::Erased))
            })
        })
        .await?;
    // As a task of its own it goes on if the client leaves.
    let rest = tokio::spawn(finish(app.clone(), actor, id).in_current_span());
    let Ok(ended) = tokio::time::timeout(PATIENCE, rest).await else {
        return Err(Error::new(&problem::OUTCOME_UNKNOWN)
            .detail("The account is erased, and its orders still are being erased. Send the request again."));
    };
    ended.map_err(Error::internal)??;
    Ok(effect)
}

/// Erases the orders of erased users that a crash has left.
///
/// # Errors
/// Those of the database.
pub async fn unfinished(app: &App) -> Result<()> {
    for id in app.store.read("users.erase", unfinished_erasures::users).await? {
        finish(app.clone(), Actor::system("erasure"), id).await?;
    }
    Ok(())
}

/// Erases the orders that are left of an erased user, and empties the log.
async fn finish(app: App, actor: Actor, id: UserId) -> Result<()> {
    while app.store.read("users.erase", |tx| unfinished_erasures::of_user(tx, id)).await?.is_some() {
        let actor = actor.clone();
        app.store
            .write("users.erase", move |tx| match unfinished_erasures::of_user(tx, id)? {
                Some(last) => erase_next_orders(tx, &actor, id, last).map(drop),
                None => Ok(()),
            })
            .await?;
    }
    app.store.empty_log().await
}

/// Erases the orders that ended longer ago than `privacy.erase_after`. Does nothing if that is 0.
///
/// # Errors
/// Those of the database.
pub async fn due_orders(app: &App) -> Result<()> {
    let after = app.config.privacy.erase_after;
    if after == Duration::ZERO {
        return Ok(());
    }
    let (before, mut looked_at, mut erased) = (app.clock.now().minus(after), 0, false);
    loop {
        let found = app
            .store
            .scan("orders.erase", move |tx| order_rows::to_be_erased(tx, looked_at, LOOKED_AT, before))
            .await?;
        let Some(found) = found else { break };
        looked_at = found.looked_at;
        for batch in found.orders.chunks(BATCH) {
            let (shared, batch) = (app.clone(), batch.to_vec());
            app.store
                .write("orders.erase", move |tx| {
                    for id in &batch {
                        let before = order_rows::by_id(tx, *id)?.ok_or_else(Error::absent)?;
                        erase_order(tx, &Actor::system("erasure"), &before)?;
                    }
                    list(&shared, &batch)?;
                    forget_documents(tx);
                    Ok(())
                })
                .await?;
            erased = true;
        }
    }
    if erased { app.store.empty_log().await } else { Ok(()) }
}

/// Erases again what these identifiers name, in a copy of an earlier time that is about to replace the database.
/// Returns how many orders and users had anything left.
///
/// # Errors
/// Those of the database.
pub async fn repeat(store: &Store, actor: Actor, identifiers: Vec<String>) -> Result<usize> {
    let mut repeated = 0;
    for identifier in identifiers {
        let actor = actor.clone();
        // An order or user that the copy does not know was made after it. The last administrator of the copy is erased
        // like everybody else; `orderd user create` makes another one.
        let erase = move |tx: &WriteTx<'_>| {
            if let Some(id) = OrderId::parse(&identifier) {
                return order_rows::by_id(tx, id)?.map_or(Ok(false), |before| erase_order(tx, &actor, &before));
            }
            match UserId::parse(&identifier) {
                Some(id) => users::by_id(tx, id)?.map_or(Ok(false), |before| erase_at_once(tx, &actor, &before)),
                None => Ok(false),
            }
        };
        repeated += usize::from(store.write("system.restore", erase).await?);
    }
    Ok(repeated)
}

/// Erases an order. Returns whether anything was left.
fn erase_order(tx: &WriteTx<'_>, actor: &Actor, before: &Order) -> Result<bool> {
    let is_changed = orders::erase(tx, actor, before)?;
    if is_changed {
        audit::record(tx, actor, "orders.erase", Some(&before.id), &json!({}))?;
    }
    Ok(is_changed)
}

/// Erases a user without their orders. Returns whether anything was left.
fn erase_account(tx: &WriteTx<'_>, actor: &Actor, before: &User) -> Result<bool> {
    let is_changed = before.email.is_some() || before.status == UserStatus::Active;
    if is_changed {
        let id = before.id;
        let sessions = sessions::end_of_user(tx, id, None)?;
        let keys = api_keys::delete_of_user(tx, id)?;
        second_factors::end(tx, id)?;
        password_resets::end(tx, id)?;
        users::erase(tx, id)?;
        let orders = order_rows::count_of_user(tx, id)?;
        let changes = json!({"sessions_ended": sessions, "keys_revoked": keys, "orders": orders});
        audit::record(tx, actor, "users.erase", Some(&id), &changes)?;
    }
    Ok(is_changed)
}

/// The orders of a user that one transaction has erased.
struct ErasedOrders {
    /// How many had anything left.
    count: usize,
    /// The last of them; none if the user has no more orders.
    last: Option<i64>,
}

/// Erases the first orders of a user after row `after`.
fn erase_orders_after(tx: &WriteTx<'_>, actor: &Actor, id: UserId, after: i64) -> Result<ErasedOrders> {
    let (rows, mut count) = (order_rows::rows_of_user(tx, id, after, BATCH)?, 0);
    for row in &rows {
        let order = order_rows::by_seq(tx, *row)?.ok_or_else(Error::absent)?;
        count += usize::from(erase_order(tx, actor, &order)?);
    }
    Ok(ErasedOrders { count, last: rows.last().copied().filter(|_| rows.len() == BATCH) })
}

/// Erases the first orders of a user after row `after`, and stores where to go on. Returns how many had anything left.
fn erase_next_orders(tx: &WriteTx<'_>, actor: &Actor, id: UserId, after: i64) -> Result<usize> {
    let erased = erase_orders_after(tx, actor, id, after)?;
    match erased.last {
        Some(last) => unfinished_erasures::put(tx, id, last)?,
        None => unfinished_erasures::end(tx, id)?,
    }
    if erased.count > 0 {
        forget_documents(tx);
    }
    Ok(erased.count)
}

/// Erases a user and all their orders in one transaction, in a file that nobody else uses. Returns whether anything was
/// left.
fn erase_at_once(tx: &WriteTx<'_>, actor: &Actor, before: &User) -> Result<bool> {
    let (mut is_changed, mut after) = (erase_account(tx, actor, before)?, Some(0));
    while let Some(row) = after {
        let erased = erase_orders_after(tx, actor, before.id, row)?;
        is_changed |= erased.count > 0;
        after = erased.last;
    }
    Ok(is_changed)
}

/// Makes this process forget what it knows of the user, after the commit.
fn forget_user(tx: &WriteTx<'_>, id: UserId) -> Result<()> {
    let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
    tx.tell(Fact::User(id, (&user).into()));
    tx.tell(Fact::SessionsEnded(id, None));
    tx.tell(Fact::KeysRevoked(id));
    Ok(())
}

/// Makes each process forget the documents of events and orders that it has in memory, after the commit.
fn forget_documents(tx: &WriteTx<'_>) {
    tx.tell(Fact::DocumentsErased);
}

/// Adds to the list beside the database. It is on disk before the transaction that erases: a crash between the two
/// leaves an order on the list that is erased only when a backup is restored, and never the reverse.
fn list<I: Display>(app: &App, erased: &[I]) -> Result<()> {
    erasures::add(app.store.path(), &erased.iter().map(ToString::to_string).collect::<Vec<_>>())
}
