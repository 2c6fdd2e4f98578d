//! Custom roles, beside the built-in ones of `auth::policy`.

use super::{
    audit,
    page::{Page, PageRequest},
    views::{AsText, RoleView},
};
use crate::{
    app::App,
    auth::{Actor, policy},
    domain::{
        access::Fact,
        permission::{Permission, PermissionSet},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{
        ReadTx,
        roles::{self, Role},
        users,
    },
};
use serde_json::json;

/// The current permissions of the role with this name, if it exists.
pub(super) fn permissions(tx: &ReadTx<'_>, name: &str) -> Result<Option<PermissionSet>> {
    match policy::built_in(name) {
        Some(permissions) => Ok(Some(permissions)),
        None => roles::by_name(tx, name),
    }
}

/// Lists all roles, built-in ones included, by name.
pub async fn list(app: &App, actor: &Actor, request: &PageRequest<String>) -> Result<Page<RoleView, String>> {
    actor.require(Permission::UsersRead)?;
    let built_in = policy::BUILT_IN.iter().map(|&(name, permissions)| Role { name: name.to_owned(), permissions });
    let mut all: Vec<Role> = built_in.chain(app.store.read("roles.list", roles::all).await?).collect();
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let total = i64::try_from(all.len()).map_err(Error::internal);
    all.retain(|role| request.after.as_ref().is_none_or(|after| role.name > *after));
    Ok(request.page(all, |role| role.name.clone(), || total)?.map(|role| view(&role)))
}

/// The result of [`put`].
pub struct Put {
    /// The role as it is now.
    pub role: RoleView,
    /// Whether the role did not exist before.
    pub created: bool,
}

/// Creates a role or replaces its permissions. A change applies to all of its users from their next request on.
pub async fn put(app: &App, actor: Actor, name: String, permissions: PermissionSet) -> Result<Put> {
    actor.require(Permission::RolesWrite)?;
    if !policy::is_role_name(&name) {
        let detail = format!("must begin with a letter and have at most {} of a-z 0-9 _ -", policy::MAX_ROLE_NAME);
        return Err(Error::invalid(vec![Fault::new(Field::RoleName, "invalid_format", detail)]));
    }
    actor.require_to_hold(permissions)?;
    let role = Role { name, permissions };
    app.store
        .write("roles.put", move |tx| {
            refuse_built_in(&role.name)?;
            let before = roles::by_name(tx, &role.name)?;
            if before != Some(role.permissions) {
                roles::put(tx, &role)?;
                let changes = json!({"from": before.map(names), "to": names(role.permissions)});
                audit::record(tx, &actor, "roles.put", Some(&role.name), &changes)?;
                tx.tell(Fact::Role(role.name.clone(), role.permissions));
            }
            Ok(Put { role: view(&role), created: before.is_none() })
        })
        .await
}

/// Deletes a role.
///
/// # Errors
/// `role_in_use` if a user has it.
pub async fn delete(app: &App, actor: Actor, name: String) -> Result<()> {
    actor.require(Permission::RolesWrite)?;
    app.store
        .write("roles.delete", move |tx| {
            refuse_built_in(&name)?;
            let before = roles::by_name(tx, &name)?.ok_or_else(Error::absent)?;
            if users::any_with_role(tx, &name)? {
                return Err(Error::new(&problem::ROLE_IN_USE));
            }
            roles::delete(tx, &name)?;
            audit::record(tx, &actor, "roles.delete", Some(&name), &json!({"from": names(before)}))?;
            tx.tell(Fact::RoleDeleted(name.clone()));
            Ok(())
        })
        .await
}

fn refuse_built_in(name: &str) -> Result<()> {
    if policy::built_in(name).is_some() { Err(Error::new(&problem::BUILT_IN_ROLE)) } else { Ok(()) }
}

/// The names of permissions, as audit entries contain them.
pub(super) fn names(permissions: PermissionSet) -> Vec<&'static str> {
    permissions.iter().map(Permission::name).collect()
}

fn view(role: &Role) -> RoleView {
    RoleView {
        name: role.name.clone(),
        permissions: role.permissions.iter().map(AsText).collect(),
        built_in: policy::built_in(&role.name).is_some(),
    }
}
