//! API keys: credentials for programs. A key never has more permissions than its owner.

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
        secret::{Secret, SecretKind},
    },
    domain::{
        access::{CachedKey, Fact},
        id::{KeyId, UserId},
        permission::{Permission, PermissionSet},
        time::Timestamp,
    },
    error::{Error, Fault, Field, Result},
    store::api_keys::{self, ApiKey},
};
use serde_json::json;
use std::collections::HashMap;

/// An API key to create.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// A label for people.
    pub name: String,
    /// Must not contain `_own` permissions, because a program has no orders of its own.
    pub permissions: PermissionSet,
    /// The key is valid before this time; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// Creates a key that belongs to the caller or, if the caller is an API key, to its owner.
pub async fn create(app: &App, actor: Actor, new: NewKey) -> Result<NewKeyView> {
    actor.require(Permission::ApiKeysWrite)?;
    let owner = actor.responsible().ok_or_else(|| Error::internal("an API key needs an owner"))?;
    create_for(app, actor, owner, new).await
}

/// Creates a key that belongs to `owner`.
pub async fn create_for(app: &App, actor: Actor, owner: UserId, new: NewKey) -> Result<NewKeyView> {
    if new.expires_at.is_some_and(|end| end <= app.clock.now()) {
        return Err(Error::invalid(vec![Fault::new(Field::ExpiresAt, "too_small", "must be in the future")]));
    }
    actor.require_to_hold(new.permissions)?;
    let secret = Secret::generate(SecretKind::ApiKey)?;
    let (digest, prefix) = (secret.digest(), secret.prefix().to_owned());
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
            tx.tell(Fact::Key(digest, CachedKey::from(&key)));
            Ok(key)
        })
        .await?;
    Ok(NewKeyView { secret: secret.reveal().to_owned(), key: view(key, &HashMap::new()) })
}

/// Lists all keys, newest first.
pub async fn list(app: &App, actor: &Actor, request: &PageRequest<KeyId>) -> Result<Page<KeyView, KeyId>> {
    actor.require(Permission::ApiKeysWrite)?;
    let uses = app.access.key_uses();
    let found = app.store.read("api_keys.list", |tx| {
        let found = api_keys::page(tx, request.after, request.limit_and_one())?;
        request.page(found, |key| key.id, || api_keys::count(tx))
    });
    Ok(found.await?.map(|key| view(key, &uses)))
}

/// The key with this identifier, if it exists.
pub(super) async fn find(app: &App, id: KeyId) -> Result<Option<KeyView>> {
    let key = app.store.read("api_keys.find", |tx| api_keys::by_id(tx, id)).await?;
    Ok(key.map(|key| view(key, &app.access.key_uses())))
}

/// Revokes a key. Its next request is refused.
pub async fn revoke(app: &App, actor: Actor, id: KeyId) -> Result<()> {
    actor.require(Permission::ApiKeysWrite)?;
    app.store
        .write("api_keys.delete", move |tx| {
            let key = api_keys::by_id(tx, id)?.ok_or_else(Error::absent)?;
            api_keys::delete(tx, id)?;
            audit::record(tx, &actor, "api_keys.delete", Some(&id), &json!({"name": key.name}))?;
            tx.tell(Fact::KeyRevoked(id));
            Ok(())
        })
        .await
}

/// Saves when keys were last used. This runs periodically, because saving it with each request would make every read a
/// write.
pub async fn keep_last_use(app: &App) -> Result<()> {
    let uses = app.access.unsaved_key_uses();
    if uses.is_empty() {
        return Ok(());
    }
    app.store
        .write("api_keys.keep_last_use", move |tx| {
            uses.iter().try_for_each(|&(id, at)| api_keys::set_last_used(tx, id, at))?;
            for &(id, at) in &uses {
                tx.tell(Fact::KeyUsed(id, at));
            }
            Ok(())
        })
        .await
}

fn view(key: ApiKey, uses: &HashMap<KeyId, Timestamp>) -> KeyView {
    KeyView {
        id: AsText(key.id),
        name: key.name,
        prefix: key.prefix,
        permissions: key.permissions.iter().map(AsText).collect(),
        created_by: AsText(key.created_by),
        created_at: AsText(key.created_at),
        expires_at: key.expires_at.map(AsText),
        last_used_at: key.last_used_at.max(uses.get(&key.id).copied()).map(AsText),
    }
}
