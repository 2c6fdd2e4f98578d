//! Changing a user: what people may change of themselves, what needs permission, and what nobody may.

use super::{document, not_an_address, require_grantable, tell, unknown_role};
use crate::{
    app::App,
    auth::{
        Actor,
        password::{AcceptedPassword, Owner},
    },
    domain::{
        id::UserId,
        outcome::Outcome,
        permission::Permission,
        user::{Email, User, UserStatus},
    },
    error::{Error, Field, Result, problem},
    service::{
        audit,
        idempotency::{Effect, IdempotentRequest},
        roles, sessions,
    },
    store::{ReadTx, WriteTx, users},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The role that there is always somebody in.
const ADMIN: &str = "admin";

/// A merge patch of a user; what is absent stays.
#[derive(Clone, Default)]
pub struct ChangeUser {
    /// What they log in with.
    pub email: Option<String>,
    /// What to call them.
    pub name: Option<String>,
    /// The name of their role.
    pub role: Option<String>,
    /// Whether they may act.
    pub status: Option<UserStatus>,
    /// Their password, as it was chosen.
    pub password: Option<Arc<str>>,
}

/// Changes a user.
pub async fn change(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    id: UserId,
    change: ChangeUser,
) -> Result<Effect> {
    require_permitted(&actor, id, &change)?;
    let present = app.store.read("users.update", |tx| {
        let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
        require_no_takeover(tx, &actor, &user, &change)?;
        Ok(user)
    });
    let present = present.await?;
    let (email, password) = accepted(app, &present, &change)?;
    if let Some(permissions) = change.role.as_ref().and_then(|role| app.access.role(role)) {
        actor.require_to_hold(permissions)?;
    }
    let hash = match password {
        Some(password) => Some(app.hasher.hash(password).await?),
        None => None,
    };
    let shared = app.clone();
    app.store
        .write("users.update", move |tx| {
            let before = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
            attempt.run(tx, &actor, || {
                require_no_takeover(tx, &actor, &before, &change)?;
                if let Some(role) = &change.role {
                    require_grantable(tx, &actor, role)?;
                }
                let after = changed(&before, email.as_ref(), &change);
                require_admin_left(tx, &before, &after)?;
                let after = keep(tx, &shared, &actor, (&before, after), hash.as_deref())?;
                Ok(Effect::new(Outcome::Changed, document(&after)?))
            })
        })
        .await
}

/// Refuses what the actor may never do to this user. Whoever acts with a key acts as its maker here.
fn require_permitted(actor: &Actor, id: UserId, change: &ChangeUser) -> Result<()> {
    let may_write = actor.may(Permission::UsersWrite);
    if !may_write && actor.user_id() != Some(id) {
        return Err(Error::absent());
    }
    if actor.responsible() == Some(id) && (change.role.is_some() || change.status.is_some()) {
        return Err(Error::new(&problem::OWN_ROLE_OR_STATUS));
    }
    if !may_write && (change.email.is_some() || change.password.is_some()) {
        return Err(Error::new(&problem::FORBIDDEN).detail(
            "users:write is needed to set an e-mail address or a password; one's own is changed at /v1/auth/password.",
        ));
    }
    Ok(())
}

/// Whoever sets somebody's password or address can log in as them, so that hands out all that they hold.
fn require_no_takeover(tx: &ReadTx<'_>, actor: &Actor, user: &User, change: &ChangeUser) -> Result<()> {
    if actor.responsible() == Some(user.id) || (change.email.is_none() && change.password.is_none()) {
        return Ok(());
    }
    actor.require_to_hold(roles::permissions(tx, &user.role)?.unwrap_or_default())
}

/// The address and the password, if they can be the user's; or every reason why not.
fn accepted(app: &App, user: &User, change: &ChangeUser) -> Result<(Option<Email>, Option<AcceptedPassword>)> {
    let mut faults = vec![];
    let email = change.email.as_ref().and_then(|text| {
        let email = Email::parse(text);
        faults.extend(email.is_none().then(not_an_address));
        email
    });
    if change.role.as_ref().is_some_and(|role| app.access.role(role).is_none()) {
        faults.push(unknown_role());
    }
    let owner = Owner {
        email: email.as_ref().unwrap_or(&user.email).as_str(),
        name: change.name.as_ref().unwrap_or(&user.name),
    };
    let password = change.password.as_ref().and_then(|password| {
        let checked = app.password_rules.check(password, owner, Field::Password);
        checked.map_err(|broken| faults.extend(broken)).ok()
    });
    if faults.is_empty() { Ok((email, password)) } else { Err(Error::invalid(faults)) }
}

fn changed(before: &User, email: Option<&Email>, change: &ChangeUser) -> User {
    User {
        email: email.unwrap_or(&before.email).clone(),
        name: change.name.as_ref().unwrap_or(&before.name).clone(),
        role: change.role.as_ref().unwrap_or(&before.role).clone(),
        status: change.status.unwrap_or(before.status),
        ..before.clone()
    }
}

fn require_admin_left(tx: &ReadTx<'_>, before: &User, after: &User) -> Result<()> {
    let is_admin = |user: &User| user.role == ADMIN && user.status == UserStatus::Active;
    if is_admin(before) && !is_admin(after) && users::count_active(tx, ADMIN)? == 1 {
        return Err(Error::new(&problem::LAST_ADMIN));
    }
    Ok(())
}

/// Writes what has changed, if anything has; ends the user's sessions where they are to prove anew who they are.
fn keep(
    tx: &WriteTx<'_>,
    app: &App,
    actor: &Actor,
    (before, mut after): (&User, User),
    hash: Option<&str>,
) -> Result<User> {
    let mut changes = differences(before, &after);
    if changes.is_empty() && hash.is_none() {
        return Ok(after);
    }
    after.updated_at = tx.now();
    users::update(tx, &after)?;
    if let Some(hash) = hash {
        users::set_password(tx, after.id, hash)?;
        changes.insert("password".to_owned(), "set".into());
    }
    if hash.is_some() || after.status == UserStatus::Disabled {
        let ended = sessions::end_all(tx, app, after.id, None)?;
        changes.insert("sessions_ended".to_owned(), ended.into());
    }
    audit::record(tx, actor, "users.update", Some(&after.id), &changes.into())?;
    tell(tx, app, &after);
    Ok(after)
}

fn differences(before: &User, after: &User) -> Map<String, Value> {
    let fields = [
        ("email", before.email.as_str(), after.email.as_str()),
        ("name", &before.name, &after.name),
        ("role", &before.role, &after.role),
        ("status", before.status.name(), after.status.name()),
    ];
    let changed = fields.into_iter().filter(|(_, from, to)| from != to);
    changed.map(|(field, from, to)| (field.to_owned(), json!({"from": from, "to": to}))).collect()
}
