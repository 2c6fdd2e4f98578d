//! Users: making, reading and changing them.

mod change;

pub use change::{ChangeUser, change};

use super::{
    audit,
    idempotency::{Effect, IdempotentRequest},
    page::{Found, Wanted},
    roles,
    views::{AsText, UserView},
};
use crate::{
    app::{App, facts},
    auth::{
        Actor,
        password::{AcceptedPassword, Owner},
    },
    domain::{
        id::UserId,
        outcome::{Outcome, Resource},
        permission::Permission,
        user::{Email, User, UserStatus},
    },
    error::{Error, Fault, Field, Result},
    store::{ReadTx, WriteTx, users},
};
use serde_json::json;
use std::sync::Arc;

/// A user to be made, as somebody wrote it down.
#[derive(Clone)]
pub struct NewUser {
    /// Unique among all users.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// The name of their role.
    pub role: String,
    /// Their password, as they chose it.
    pub password: Arc<str>,
}

/// The address and the password, if there can be such a user; or every reason why not.
pub(super) fn accepted(app: &App, new: &NewUser) -> Result<(Email, AcceptedPassword)> {
    let email = Email::parse(&new.email).ok_or_else(not_an_address);
    let role = app.access.role(&new.role).ok_or_else(unknown_role);
    let owner = Owner { email: &new.email, name: &new.name };
    let password = app.password_rules.check(&new.password, owner, Field::Password);
    match (email, role, password) {
        (Ok(email), Ok(_), Ok(password)) => Ok((email, password)),
        (email, role, password) => {
            let faults = email.err().into_iter().chain(role.err()).chain(password.err().into_iter().flatten());
            Err(Error::invalid(faults.collect()))
        }
    }
}

fn not_an_address() -> Fault {
    Fault::new(Field::Email, "invalid_format", "must be an e-mail address")
}

fn unknown_role() -> Fault {
    Fault::new(Field::Role, "unknown", "must be an existing role")
}

/// Makes a user with a role that the actor holds all of.
pub async fn create(app: &App, actor: Actor, attempt: IdempotentRequest, new: NewUser) -> Result<Effect> {
    actor.require(Permission::UsersWrite)?;
    let (email, password) = accepted(app, &new)?;
    actor.require_to_hold(app.access.role(&new.role).unwrap_or_default())?;
    let hash = app.hasher.hash(password).await?;
    let shared = app.clone();
    app.store
        .write("users.create", move |tx| {
            attempt.run(tx, &actor, || {
                require_grantable(tx, &actor, &new.role)?;
                let user = insert(tx, &shared, &actor, (&email, &new), &hash, "users.create")?;
                Ok(Effect::new(Outcome::Created(Resource::User(user.id)), document(&user)?))
            })
        })
        .await
}

/// Refuses a role that there is not, or that permits more than the actor may. Roles change, so this is asked again in
/// the transaction that gives one.
fn require_grantable(tx: &ReadTx<'_>, actor: &Actor, role: &str) -> Result<()> {
    let permissions = roles::permissions(tx, role)?.ok_or_else(|| Error::invalid(vec![unknown_role()]))?;
    actor.require_to_hold(permissions)
}

/// Adds a user, records who did it, and lets the user in after the commit.
pub(super) fn insert(
    tx: &WriteTx<'_>,
    app: &App,
    actor: &Actor,
    (email, new): (&Email, &NewUser),
    hash: &str,
    action: &'static str,
) -> Result<User> {
    let user = User {
        id: tx.new_id(),
        email: email.clone(),
        name: new.name.clone(),
        role: new.role.clone(),
        status: UserStatus::Active,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    users::insert(tx, &user, hash)?;
    let changes = json!({"email": user.email.as_str(), "role": user.role});
    audit::record(tx, actor, action, Some(&user.id), &changes)?;
    tell(tx, app, &user);
    Ok(user)
}

/// Makes known after the commit what the user may do now.
fn tell(tx: &WriteTx<'_>, app: &App, user: &User) {
    let (app, id, facts) = (app.clone(), user.id, facts::of_user(user));
    tx.after_commit(move || app.access.put_user(id, facts));
}

/// A user, if the actor may read them; everybody may read themselves.
pub async fn get(app: &App, actor: &Actor, id: UserId) -> Result<UserView> {
    if actor.user_id() != Some(id) && !actor.may(Permission::UsersRead) {
        return Err(Error::absent());
    }
    let user = app.store.read("users.get", |tx| users::by_id(tx, id)).await?.ok_or_else(Error::absent)?;
    Ok(UserView::from(&user))
}

/// The user who logs in with this address.
pub async fn by_email(app: &App, actor: &Actor, email: &str) -> Result<UserView> {
    actor.require(Permission::UsersRead)?;
    let email = Email::parse(email).ok_or_else(|| Error::invalid(vec![not_an_address()]))?;
    let found = app.store.read("users.by_email", |tx| users::by_email(tx, &email)).await?;
    found.map(|(user, _)| UserView::from(&user)).ok_or_else(|| Error::absent().detail("No user has this address."))
}

/// Users, newest first.
pub async fn list(app: &App, actor: &Actor, wanted: &Wanted<UserId>) -> Result<Found<UserView, UserId>> {
    actor.require(Permission::UsersRead)?;
    let found = app.store.read("users.list", |tx| {
        let found = users::page(tx, wanted.after, wanted.look_for())?;
        wanted.found(found, |user| user.id, || users::count(tx))
    });
    Ok(found.await?.map(|user| UserView::from(&user)))
}

fn document(user: &User) -> Result<String> {
    serde_json::to_string(&UserView::from(user)).map_err(Error::internal)
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: AsText(user.id),
            email: user.email.to_string(),
            name: user.name.clone(),
            role: user.role.clone(),
            status: AsText(user.status),
            created_at: AsText(user.created_at),
            updated_at: AsText(user.updated_at),
        }
    }
}
