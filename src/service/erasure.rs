//! Erasing personal data: of an order, or of a user with all their orders. What stays is said in `schema.sql` and in the
//! manual. When a use case here has succeeded, the data is neither in the file nor in its write-ahead log.

use super::{audit, orders, users::require_another_admin};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::{Identifier, OrderId, UserId},
        permission::Permission,
        user::UserStatus,
    },
    error::{Error, Result, problem},
    store::{
        Store, WriteTx, api_keys, erasures, orders as order_rows, password_resets, second_factors, sessions, users,
    },
};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Orders that are looked at in one query, and that are erased in one transaction.
const LOOKED_AT: i64 = 5_000;
const BATCH: usize = 100;

/// Erases the personal data of an order.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `OUTCOME_UNKNOWN` if it is erased, but a long query still needs the log with the data.
pub async fn order(app: &App, actor: Actor, id: OrderId) -> Result<()> {
    actor.require(Permission::PersonalDataErase)?;
    app.store.read("orders.erase", |tx| order_rows::by_id(tx, id)?.ok_or_else(Error::absent).map(drop)).await?;
    add_to_list(app, vec![id.to_string()]).await?;
    let shared = app.clone();
    app.store
        .write("orders.erase", move |tx| {
            erase_order(tx, &actor, id)?;
            forget_events(tx, &shared);
            Ok(())
        })
        .await?;
    app.store.empty_log().await
}

/// Erases name and address of a user, where they logged in from, and the personal data of all their orders. Their sessions
/// and keys end.
///
/// # Errors
/// Those of [`order`]; `FORBIDDEN` for oneself; `LAST_ADMIN`.
pub async fn user(app: &App, actor: Actor, id: UserId) -> Result<()> {
    actor.require(Permission::PersonalDataErase)?;
    if actor.responsible() == Some(id) {
        return Err(Error::new(&problem::FORBIDDEN)
            .detail("You cannot erase your own account. Ask another administrator to do it."));
    }
    app.store.read("users.erase", |tx| users::by_id(tx, id)?.ok_or_else(Error::absent).map(drop)).await?;
    add_to_list(app, vec![id.to_string()]).await?;
    let shared = app.clone();
    app.store
        .write("users.erase", move |tx| {
            erase_user(tx, &actor, id)?;
            forget_events(tx, &shared);
            forget_user(tx, &shared, id)
        })
        .await?;
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
            add_to_list(app, batch.iter().map(ToString::to_string).collect()).await?;
            let (shared, batch) = (app.clone(), batch.to_vec());
            app.store
                .write("orders.erase", move |tx| {
                    batch.iter().try_for_each(|id| erase_order(tx, &Actor::system("erasure"), *id).map(drop))?;
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
        // An order or user that the copy does not know was made later.
        let erase = move |tx: &WriteTx<'_>| match (OrderId::parse(&identifier), UserId::parse(&identifier)) {
            (Some(id), _) if order_rows::by_id(tx, id)?.is_some() => erase_order(tx, &actor, id),
            (_, Some(id)) if users::by_id(tx, id)?.is_some() => erase_user(tx, &actor, id),
            _ => Ok(false),
        };
        repeated += usize::from(store.write("system.restore", erase).await?);
    }
    Ok(repeated)
}

/// Erases an order. Returns whether anything was left.
fn erase_order(tx: &WriteTx<'_>, actor: &Actor, id: OrderId) -> Result<bool> {
    let before = order_rows::by_id(tx, id)?.ok_or_else(Error::absent)?;
    let is_changed = orders::erase(tx, actor, &before)?;
    if is_changed {
        audit::record(tx, actor, "orders.erase", Some(&id), &json!({}))?;
    }
    Ok(is_changed)
}

/// Erases a user and all their orders. Returns whether anything was left.
fn erase_user(tx: &WriteTx<'_>, actor: &Actor, id: UserId) -> Result<bool> {
    let before = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
    require_another_admin(tx, &before)?;
    let mut erased = 0;
    for order in order_rows::ids_of_user(tx, id)? {
        erased += usize::from(erase_order(tx, actor, order)?);
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

async fn add_to_list(app: &App, identifiers: Vec<String>) -> Result<()> {
    let path = app.store.path().to_path_buf();
    tokio::task::spawn_blocking(move || erasures::add(&path, &identifiers)).await.map_err(Error::internal)?
}
