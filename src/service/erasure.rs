//! Erasing personal data: of an order, or of a user with all their orders. What stays is said in `schema.sql` and in the
//! manual. When a use case here has succeeded, the data is neither in the file nor in its write-ahead log.

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
        id::{Identifier, OrderId, UserId},
        order::Order,
        outcome::Outcome,
        permission::Permission,
        user::{User, UserStatus},
    },
    error::{Error, Result, problem},
    store::{
        Store, WriteTx, api_keys, erasures, orders as order_rows, password_resets, second_factors, sessions, users,
    },
};
use serde_json::json;
use std::{fmt::Display, path::Path, time::Duration};

/// Orders that are looked at in one query, and that are erased in one transaction.
const LOOKED_AT: i64 = 5_000;
const BATCH: usize = 100;

/// Erases the personal data of an order.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `OUTCOME_UNKNOWN` if it is erased, but a long query still needs the log with the data; those of
/// [`IdempotentRequest::run`].
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
                    forget_events(tx, &shared);
                }
                Ok(Effect::without_document(Outcome::Erased))
            })
        })
        .await?;
    app.store.empty_log().await?;
    Ok(effect)
}

/// Erases name and address of a user, where they logged in from, and the personal data of all their orders. Their sessions
/// and keys end.
///
/// # Errors
/// Those of [`order`]; `FORBIDDEN` for oneself; `LAST_ADMIN`.
pub async fn user(app: &App, actor: Actor, request: IdempotentRequest, id: UserId) -> Result<Effect> {
    actor.require(Permission::PersonalDataErase)?;
    if actor.responsible() == Some(id) {
        return Err(Error::new(&problem::FORBIDDEN)
            .detail("You cannot erase your own account. Ask another administrator to do it."));
    }
    let shared = app.clone();
    let effect = app
        .store
        .write("users.erase", move |tx| {
            let before = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
            request.run(tx, &actor, || {
                require_another_admin(tx, &before)?;
                if erase_user(tx, &actor, &before)? {
                    list(&shared, &[id])?;
                    forget_events(tx, &shared);
                    forget_user(tx, &shared, id)?;
                }
                Ok(Effect::without_document(Outcome::Erased))
            })
        })
        .await?;
    app.store.empty_log().await?;
    Ok(effect)
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
                    forget_events(tx, &shared);
                    Ok(())
                })
                .await?;
            erased = true;
        }
    }
    if erased { app.store.empty_log().await } else { Ok(()) }
}

/// Erases again what the list beside the database at `path` says, in a copy of an earlier time that is about to replace it.
/// Returns how many orders and users had anything left.
///
/// # Errors
/// Those of the database; `INTERNAL` if the list cannot be read.
pub async fn repeat(store: &Store, actor: Actor, path: &Path) -> Result<usize> {
    let mut repeated = 0;
    for identifier in erasures::read(path)? {
        let actor = actor.clone();
        // An order or user that the copy does not know was made after it. The last administrator of the copy is erased like
        // everybody else; `orderd user create` makes another one.
        let erase = move |tx: &WriteTx<'_>| {
            if let Some(id) = OrderId::parse(&identifier) {
                return order_rows::by_id(tx, id)?.map_or(Ok(false), |before| erase_order(tx, &actor, &before));
            }
            match UserId::parse(&identifier) {
                Some(id) => users::by_id(tx, id)?.map_or(Ok(false), |before| erase_user(tx, &actor, &before)),
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

/// Erases a user and all their orders. Returns whether anything was left.
fn erase_user(tx: &WriteTx<'_>, actor: &Actor, before: &User) -> Result<bool> {
    let (id, mut erased) = (before.id, 0);
    for order in order_rows::ids_of_user(tx, id)? {
        let order = order_rows::by_id(tx, order)?.ok_or_else(Error::absent)?;
        erased += usize::from(erase_order(tx, actor, &order)?);
    }
    let is_changed = before.email.is_some() || before.status == UserStatus::Active;
    if is_changed {
        let sessions = sessions::end_of_user(tx, id, None)?;
        let keys = api_keys::delete_of_user(tx, id)?;
        second_factors::end(tx, id)?;
        password_resets::end(tx, id)?;
        users::erase(tx, id)?;
        let changes = json!({"sessions_ended": sessions, "keys_revoked": keys, "orders_erased": erased});
        audit::record(tx, actor, "users.erase", Some(&id), &changes)?;
    }
    Ok(is_changed || erased > 0)
}

/// Makes this process forget what it knows of the user, after the commit.
fn forget_user(tx: &WriteTx<'_>, app: &App, id: UserId) -> Result<()> {
    let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
    let (app, cached) = (app.clone(), (&user).into());
    tx.after_commit(move || {
        app.access.put_user(id, cached);
        app.access.end_sessions_of(id, None);
        app.access.remove_keys_of(id);
    });
    Ok(())
}

/// Makes this process forget the events that it keeps in memory, after the commit.
fn forget_events(tx: &WriteTx<'_>, app: &App) {
    let app = app.clone();
    tx.after_commit(move || app.recent_events.forget());
}

/// Adds to the list beside the database. It is on disk before the transaction that erases: a crash between the two leaves an
/// order on the list that is erased only when a backup is restored, and never the reverse.
fn list<I: Display>(app: &App, erased: &[I]) -> Result<()> {
    erasures::add(app.store.path(), &erased.iter().map(ToString::to_string).collect::<Vec<_>>())
}
