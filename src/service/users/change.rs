//! Changing a user: the fields that users may change themselves, those that need a permission, and the changes that
//! nobody may make.

use super::{
    document, invalid_email, require_grantable, require_not_erased, require_to_hold_all_of, unknown_role, update_cache,
};
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
        sessions,
    },
    store::{ReadTx, WriteTx, password_resets, users},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The role that at least one active user must have.
const ADMIN: &str = "admin";

/// A merge patch of a user. Absent fields keep their value.
#[derive(Clone, Default)]
pub struct ChangeUser {
    /// The address to log in with.
    pub email: Option<String>,
    /// The name to display.
    pub name: Option<String>,
    /// The name of a role.
    pub role: Option<String>,
    /// Whether the user may log in and act.
    pub status: Option<UserStatus>,
    /// The plain password.
    pub password: Option<Arc<str>>,
}

/// Changes a user. A new password or the status `disabled` ends the user's sessions.
pub async fn change(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    id: UserId,
    change: ChangeUser,
) -> Result<Effect> {
    require_permitted(&actor, id, &change)?;
    let found = app.store.read("users.update", |tx| {
        let user = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
        require_no_takeover(tx, &actor, &user, &change)?;
        Ok(user)
    });
    let user = found.await?;
    let valid = validate(app, &user, &change)?;
    if let Some(permissions) = change.role.as_ref().and_then(|role| app.access.role(role)) {
        actor.require_to_hold(permissions)?;
    }
    let password_hash = match valid.password {
        Some(password) => Some(app.hasher.hash(password).await?),
        None => None,
    };
    app.store
        .write("users.update", move |tx| {
            let before = users::by_id(tx, id)?.ok_or_else(Error::absent)?;
            request.run(tx, &actor, || {
                require_not_erased(&before)?;
                require_no_takeover(tx, &actor, &before, &change)?;
                if let Some(role) = &change.role {
                    require_grantable(tx, &actor, role)?;
                }
                let after = changed(&before, valid.email.as_ref(), &change);
                require_admin_left(tx, &before, &after)?;
                let password_hash = password_hash.as_deref();
                let after = save(tx, &actor, Update { before: &before, after, password_hash })?;
                Ok(Effect::new(Outcome::Changed, document(tx, &after)?))
            })
        })
        .await
}

/// Refuses changes that the actor may not make to this user. An API key counts as its owner here.
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

/// Refuses to set the password or e-mail address of a user with more permissions than the actor: the actor could then
/// log in as that user.
fn require_no_takeover(tx: &ReadTx<'_>, actor: &Actor, user: &User, change: &ChangeUser) -> Result<()> {
    if change.email.is_none() && change.password.is_none() {
        return Ok(());
    }
    require_to_hold_all_of(tx, actor, user)
}

/// The fields of a [`ChangeUser`] that validation has parsed.
struct ValidFields {
    email: Option<Email>,
    password: Option<AcceptedPassword>,
}

/// Validates a change and reports every fault.
fn validate(app: &App, user: &User, change: &ChangeUser) -> Result<ValidFields> {
    let mut faults = vec![];
    let email = change.email.as_ref().and_then(|text| {
        let email = Email::parse(text);
        faults.extend(email.is_none().then(invalid_email));
        email
    });
    if change.role.as_ref().is_some_and(|role| app.access.role(role).is_none()) {
        faults.push(unknown_role());
    }
    let owner = Owner {
        email: email.as_ref().map_or_else(|| user.address(), Email::as_str),
        name: change.name.as_deref().unwrap_or_else(|| user.display_name()),
    };
    let password = change.password.as_ref().and_then(|password| {
        let checked = app.password_rules.check(password, owner, Field::Password);
        checked.map_err(|broken_rules| faults.extend(broken_rules)).ok()
    });
    if faults.is_empty() { Ok(ValidFields { email, password }) } else { Err(Error::invalid(faults)) }
}

fn changed(before: &User, email: Option<&Email>, change: &ChangeUser) -> User {
    User {
        email: email.or(before.email.as_ref()).cloned(),
        name: change.name.as_ref().or(before.name.as_ref()).cloned(),
        role: change.role.as_ref().unwrap_or(&before.role).clone(),
        status: change.status.unwrap_or(before.status),
        ..before.clone()
    }
}

/// Refuses to take the last active administrator away.
pub(in crate::service) fn require_another_admin(tx: &ReadTx<'_>, user: &User) -> Result<()> {
    require_admin_left(tx, user, &User { status: UserStatus::Disabled, ..user.clone() })
}

fn require_admin_left(tx: &ReadTx<'_>, before: &User, after: &User) -> Result<()> {
    let is_admin = |user: &User| user.role == ADMIN && user.status == UserStatus::Active;
    if is_admin(before) && !is_admin(after) && users::count_active(tx, ADMIN)? == 1 {
        return Err(Error::new(&problem::LAST_ADMIN));
    }
    Ok(())
}

/// An update of a user, with a new password hash if the password changes.
struct Update<'a> {
    before: &'a User,
    after: User,
    password_hash: Option<&'a str>,
}

/// Saves an update and ends the user's sessions if they must log in again. Does nothing if nothing has changed.
fn save(tx: &WriteTx<'_>, actor: &Actor, update: Update<'_>) -> Result<User> {
    let Update { before, mut after, password_hash } = update;
    let (mut changes, personal) = differences(before, &after);
    if changes.is_empty() && personal.is_empty() && password_hash.is_none() {
        return Ok(after);
    }
    after.updated_at = tx.now();
    users::update(tx, before, &after)?;
    if let Some(hash) = password_hash {
        users::set_password(tx, after.id, hash)?;
        password_resets::end(tx, after.id)?;
        changes.insert("password".to_owned(), "set".into());
    }
    if password_hash.is_some() || after.status == UserStatus::Disabled {
        let ended = sessions::end_all(tx, after.id, None)?;
        changes.insert("sessions_ended".to_owned(), ended.into());
    }
    audit::record_of_user(tx, actor, "users.update", after.id, &changes.into(), &personal.into())?;
    update_cache(tx, &after);
    Ok(after)
}

/// The changed fields: those that name nobody, and those that name the user.
fn differences(before: &User, after: &User) -> (Map<String, Value>, Map<String, Value>) {
    let changes =
        changed_fields([("role", &before.role, &after.role), ("status", before.status.name(), after.status.name())]);
    let personal = changed_fields([
        ("email", before.address(), after.address()),
        ("name", before.display_name(), after.display_name()),
    ]);
    (changes, personal)
}

fn changed_fields(fields: [(&str, &str, &str); 2]) -> Map<String, Value> {
    let changed = fields.into_iter().filter(|(_, from, to)| from != to);
    changed.map(|(field, from, to)| (field.to_owned(), json!({"from": from, "to": to}))).collect()
}
