//! Users: making and reading them.

use super::{
    audit::{self, Deed},
    exactly_once::{Attempt, Kept, Reply},
    views::{Shown, UserView},
};
use crate::{
    app::App,
    auth::{
        Actor,
        access::UserFacts,
        password::{AcceptedPassword, Owner},
        policy,
    },
    domain::{
        id::UserId,
        permission::{Permission, PermissionSet},
        user::{Email, User, UserStatus},
    },
    error::{Error, Fault, Result},
    store::{WriteTx, audit::Outcome, users},
};
use std::sync::Arc;

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Unique among all users.
    pub email: Email,
    /// What to call them.
    pub name: String,
    /// The name of their role.
    pub role: String,
    /// Their password, as they chose it.
    pub password: Arc<str>,
}

/// The password, if it is good enough for this user.
pub(super) fn accepted(app: &App, new: &NewUser) -> Result<AcceptedPassword> {
    let owner = Owner { email: new.email.as_str(), name: &new.name };
    app.password_rules.check(&new.password, owner, "#/password").map_err(Error::invalid)
}

/// Makes a user with a role that the actor holds all of.
pub async fn create(app: &App, actor: Actor, attempt: Attempt, new: NewUser) -> Result<Reply> {
    let unknown = || Error::invalid(vec![Fault::body("#/role", "unknown", "must be an existing role")]);
    let permissions = role(&new.role).ok_or_else(unknown)?;
    actor.require_to_hold(permissions)?;
    let hash = app.hasher.hash(accepted(app, &new)?).await?;
    let shared = app.clone();
    app.store
        .write("users.create", move |tx| {
            if let Some(reply) = attempt.replay(tx, &actor)? {
                return Ok(reply);
            }
            let user = insert(tx, &shared, &actor, &new, &hash, "users.create")?;
            let body = serde_json::to_string(&UserView::from(&user)).map_err(Error::internal)?;
            let reply = Reply::new(201, body).at(format!("/v1/users/{}", user.id));
            attempt.settle(tx, &actor, reply, Kept::ByItself)
        })
        .await
}

/// What a role permits, if there is one of this name.
fn role(name: &str) -> Option<PermissionSet> {
    policy::built_in(name)
}

/// Adds a user, records who did it, and lets the user in after the commit.
pub(super) fn insert(
    tx: &WriteTx<'_>,
    app: &App,
    actor: &Actor,
    new: &NewUser,
    hash: &str,
    action: &'static str,
) -> Result<User> {
    let user = User {
        id: tx.new_id(),
        email: new.email.clone(),
        name: new.name.clone(),
        role: new.role.clone(),
        status: UserStatus::Active,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    users::insert(tx, &user, hash)?;
    let deed = Deed { action, target: Some(&user.id.to_string()), outcome: Outcome::Success };
    audit::record(tx, actor, &deed, &serde_json::json!({"email": user.email.as_str(), "role": user.role}))?;
    let (app, id, facts) = (app.clone(), user.id, UserFacts { role: user.role.as_str().into(), active: true });
    tx.after_commit(move || app.access.put_user(id, facts));
    Ok(user)
}

/// A user, if the actor may read them; everybody may read themselves.
pub fn get(app: &App, actor: &Actor, id: UserId) -> Result<UserView> {
    if actor.user_id() != Some(id) && !actor.may(Permission::UsersRead) {
        return Err(Error::absent());
    }
    let user = app.store.read("users.get", |tx| users::by_id(tx, id))?.ok_or_else(Error::absent)?;
    Ok(UserView::from(&user))
}

/// Users before `before`, newest first, and whether more follow.
pub fn list(app: &App, actor: &Actor, before: Option<UserId>, limit: usize) -> Result<(Vec<UserView>, Option<UserId>)> {
    actor.require(Permission::UsersRead)?;
    let mut found = app.store.read("users.list", |tx| users::page(tx, before, limit + 1))?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|user| user.id);
    Ok((found.iter().map(UserView::from).collect(), next))
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: Shown(user.id),
            email: user.email.to_string(),
            name: user.name.clone(),
            role: user.role.clone(),
            status: Shown(user.status),
            created_at: Shown(user.created_at),
            updated_at: Shown(user.updated_at),
        }
    }
}
