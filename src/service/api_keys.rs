//! API keys: credentials for programs, which can do less than whoever made them and never more.

use super::{
    audit,
    page::{Page, PageRequest},
    roles::names,
    views::{AsText, KeyView, NewKeyView},
};
use crate::{
    app::App,
    auth::{
        Actor,
        access::CachedKey,
        secret::{Secret, SecretKind},
    },
    domain::{
        id::{KeyId, UserId},
        permission::{Permission, PermissionSet},
        time::Timestamp,
    },
    error::{Error, Fault, Field, Result},
    store::api_keys::{self, ApiKey},
};
use serde_json::json;
use std::collections::HashMap;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What to call it.
    pub name: String,
    /// What it may do at most; nothing that is about orders of one's own.
    pub permissions: PermissionSet,
    /// When it ends by itself, if ever.
    pub expires_at: Option<Timestamp>,
}

/// Makes a key that belongs to the caller or, for a key, to its maker.
pub async fn create(app: &App, actor: Actor, new: NewKey) -> Result<NewKeyView> {
    actor.require(Permission::ApiKeysWrite)?;
    let owner = actor.responsible().ok_or_else(|| Error::internal("nobody would answer for this key"))?;
    create_for(app, actor, owner, new).await
}

/// Makes a key that belongs to `owner`.
pub async fn create_for(app: &App, actor: Actor, owner: UserId, new: NewKey) -> Result<NewKeyView> {
    if new.expires_at.is_some_and(|end| end <= app.clock.now()) {
        return Err(Error::invalid(vec![Fault::new(Field::ExpiresAt, "too_small", "must be in the future")]));
    }
    actor.require_to_hold(new.permissions)?;
    let secret = Secret::generate(SecretKind::ApiKey)?;
    let (shared, digest, prefix) = (app.clone(), secret.digest(), secret.prefix().to_owned());
    let key = app
        .store
        .write("api_keys.create", move |tx| {
            let key = ApiKey {
                id: tx.new_id(),
                name: new.name.clone(),
                digest,
                prefix: prefix.clone(),
                permissions: new.permissions,
                created_by: owner,
                created_at: tx.now(),
                expires_at: new.expires_at,
                last_used_at: None,
            };
            api_keys::insert(tx, &key)?;
            let changes = json!({
                "name": key.name, "permissions": names(key.permissions), "belongs_to": owner.to_string(),
                "expires_at": key.expires_at.map(|end| end.to_string()),
            });
            audit::record(tx, &actor, "api_keys.create", Some(&key.id), &changes)?;
            let (app, cached) = (shared.clone(), CachedKey::from(&key));
            tx.after_commit(move || app.access.put_key(digest, cached));
            Ok(key)
        })
        .await?;
    Ok(NewKeyView { secret: secret.reveal().to_owned(), key: shown(key, &HashMap::new()) })
}

/// Every key, newest first.
pub async fn list(app: &App, actor: &Actor, request: &PageRequest<KeyId>) -> Result<Page<KeyView, KeyId>> {
    actor.require(Permission::ApiKeysWrite)?;
    let used = app.access.key_uses();
    let found = app.store.read("api_keys.list", |tx| {
        let found = api_keys::page(tx, request.after, request.limit_and_one())?;
        request.page(found, |key| key.id, || api_keys::count(tx))
    });
    Ok(found.await?.map(|key| shown(key, &used)))
}

/// The key of this identifier.
pub(super) async fn find(app: &App, id: KeyId) -> Result<Option<KeyView>> {
    let key = app.store.read("api_keys.find", |tx| api_keys::by_id(tx, id)).await?;
    Ok(key.map(|key| shown(key, &app.access.key_uses())))
}

/// Revokes a key, from its next request on.
pub async fn revoke(app: &App, actor: Actor, id: KeyId) -> Result<()> {
    actor.require(Permission::ApiKeysWrite)?;
    let shared = app.clone();
    app.store
        .write("api_keys.delete", move |tx| {
            let key = api_keys::by_id(tx, id)?.ok_or_else(Error::absent)?;
            api_keys::delete(tx, id)?;
            audit::record(tx, &actor, "api_keys.delete", Some(&id), &json!({"name": key.name}))?;
            let app = shared.clone();
            tx.after_commit(move || app.access.remove_key(id));
            Ok(())
        })
        .await
}

/// Keeps when keys were last used. Noting it with each request would make a write of every read.
pub async fn keep_last_use(app: &App) -> Result<()> {
    let used = app.access.unsaved_key_uses();
    if used.is_empty() {
        return Ok(());
    }
    let shared = app.clone();
    app.store
        .write("api_keys.keep_last_use", move |tx| {
            used.iter().try_for_each(|&(id, at)| api_keys::set_last_used(tx, id, at))?;
            let (app, used) = (shared.clone(), used.clone());
            tx.after_commit(move || app.access.mark_key_uses_saved(&used));
            Ok(())
        })
        .await
}

fn shown(key: ApiKey, used: &HashMap<KeyId, Timestamp>) -> KeyView {
    KeyView {
        id: AsText(key.id),
        name: key.name,
        prefix: key.prefix,
        permissions: key.permissions.iter().map(AsText).collect(),
        created_by: AsText(key.created_by),
        created_at: AsText(key.created_at),
        expires_at: key.expires_at.map(AsText),
        last_used_at: key.last_used_at.max(used.get(&key.id).copied()).map(AsText),
    }
}
