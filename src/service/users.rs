//! Users: creating, reading and changing them.

mod change;

pub(super) use change::require_another_admin;
pub use change::{ChangeUser, change};

use super::{
    audit, history,
    idempotency::{Effect, IdempotentRequest},
    page::{Page, PageRequest},
    roles,
    views::UserView,
};
use crate::{
    app::App,
    auth::{
        Actor,
        password::{AcceptedPassword, Owner},
    },
    domain::{
        access::{CachedUser, Fact},
        id::UserId,
        outcome::{Outcome, Resource},
        permission::Permission,
        personal::SplitDocument,
        user::{Email, User, UserFilter, UserStatus},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{ReadTx, WriteTx, users},
};
use serde_json::json;
use std::sync::Arc;

/// A user to create, as the client sent it.
#[derive(Clone)]
pub struct NewUser {
    /// Must not belong to another user.
    pub email: String,
    /// The name to display.
    pub name: String,
    /// The name of a role.
    pub role: String,
    /// The plain password; `None` for a user who is invited to set one.
    pub password: Option<Arc<str>>,
}

/// The fields of a [`NewUser`] that validation has parsed.
pub(super) struct ValidFields {
    email: Email,
    password: Option<AcceptedPassword>,
}

/// A valid user to insert.
pub(super) struct UserDraft {
    pub(super) email: Email,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) password_hash: Option<String>,
}

/// Validates a new user.
///
/// # Errors
/// `validation_failed` with every fault.
pub(super) fn validate(app: &App, new: &NewUser) -> Result<ValidFields> {
    let email = Email::parse(&new.email).ok_or_else(invalid_email);
    let role = app.access.role(&new.role).ok_or_else(unknown_role);
    let owner = Owner { email: &new.email, name: &new.name };
    let check = |password: &Arc<str>| app.password_rules.check(password, owner, Field::Password);
    let password = new.password.as_ref().map(check).transpose();
    match (email, role, password) {
        (Ok(email), Ok(_), Ok(password)) => Ok(ValidFields { email, password }),
        (email, role, password) => {
            let faults = email.err().into_iter().chain(role.err()).chain(password.err().into_iter().flatten());
            Err(Error::invalid(faults.collect()))
        }
    }
}

impl ValidFields {
    pub(super) async fn hash_password(self, app: &App, new: NewUser) -> Result<UserDraft> {
        let password_hash = match self.password {
            Some(password) => Some(app.hasher.hash(password).await?),
            None => None,
        };
        Ok(UserDraft { email: self.email, name: new.name, role: new.role, password_hash })
    }
}

fn invalid_email() -> Fault {
    Fault::new(
        Field::Email,
        "invalid_format",
        "must be an e-mail address such as ada@example.com, without blanks before or after it",
    )
}

fn unknown_role() -> Fault {
    Fault::new(Field::Role, "unknown", "must be an existing role")
}

/// Creates a user. The actor must hold all permissions of the user's role.
pub async fn create(app: &App, actor: Actor, request: IdempotentRequest, new: NewUser) -> Result<Effect> {
    actor.require(Permission::UsersWrite)?;
    let valid = validate(app, &new)?;
    actor.require_to_hold(app.access.role(&new.role).unwrap_or_default())?;
    let draft = valid.hash_password(app, new).await?;
    app.store
        .write("users.create", move |tx| {
            request.run(tx, &actor, || {
                require_grantable(tx, &actor, &draft.role)?;
                let user = insert(tx, &actor, &draft, "users.create")?;
                Ok(Effect::new(Outcome::Created(Resource::User(user.id)), document(tx, &user)?))
            })
        })
        .await
}

/// Refuses a role that does not exist or has permissions that the actor lacks. Roles change, so the transaction that
/// assigns a role checks this again.
fn require_grantable(tx: &ReadTx<'_>, actor: &Actor, role: &str) -> Result<()> {
    let permissions = roles::permissions(tx, role)?.ok_or_else(|| Error::invalid(vec![unknown_role()]))?;
    actor.require_to_hold(permissions)
}

/// Inserts a user, adds an audit entry for `action`, and lets the user log in after the commit.
pub(super) fn insert(tx: &WriteTx<'_>, actor: &Actor, draft: &UserDraft, action: &'static str) -> Result<User> {
    let user = User {
        id: tx.new_id(),
        email: Some(draft.email.clone()),
        name: Some(draft.name.clone()),
        role: draft.role.clone(),
        status: UserStatus::Active,
        created_at: tx.now(),
        updated_at: tx.now(),
        second_factor: false,
        last_login_at: None,
    };
    users::insert(tx, &user, draft.password_hash.as_deref())?;
    let personal = json!({"email": draft.email.as_str()});
    audit::record_of_user(tx, actor, action, user.id, &json!({"role": user.role}), &personal)?;
    update_cache(tx, &user);
    Ok(user)
}

/// Refuses an actor who could become a user of more permissions: by setting the password or the address, by a reset
/// token, or by ending the second factor. An API key may hold less than its owner, so it is no exception for the owner.
pub(super) fn require_to_hold_all_of(tx: &ReadTx<'_>, actor: &Actor, user: &User) -> Result<()> {
    actor.require_to_hold(roles::permissions(tx, &user.role)?.unwrap_or_default())
}

/// Refuses to change a user who is erased: nothing may come back.
pub(super) fn require_not_erased(user: &User) -> Result<()> {
    if user.email.is_some() { Ok(()) } else { Err(Error::new(&problem::USER_ERASED)) }
}

/// Updates the access cache after the commit.
pub(super) fn update_cache(tx: &WriteTx<'_>, user: &User) {
    tx.tell(Fact::User(user.id, CachedUser::from(user)));
}

/// A user. Everybody may read themselves; reading others needs a permission, without which they do not exist.
pub async fn get(app: &App, actor: &Actor, id: UserId) -> Result<UserView> {
    if actor.user_id() != Some(id) && !actor.may(Permission::UsersRead) {
        return Err(Error::absent());
    }
    let user = app.store.read("users.get", |tx| users::by_id(tx, id)).await?.ok_or_else(Error::absent)?;
    Ok(UserView::from(&user))
}

/// The user with this e-mail address.
pub async fn by_email(app: &App, actor: &Actor, email: &str) -> Result<UserView> {
    actor.require(Permission::UsersRead)?;
    let email = Email::parse(email).ok_or_else(|| Error::invalid(vec![invalid_email()]))?;
    let found = app.store.read("users.by_email", |tx| users::by_email(tx, &email)).await?;
    found.map(|(user, _)| UserView::from(&user)).ok_or_else(|| Error::absent().detail("No user has this address."))
}

/// Lists the users that pass `filter`, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: UserFilter,
    request: PageRequest<UserId>,
) -> Result<Page<UserView, UserId>> {
    actor.require(Permission::UsersRead)?;
    let found = app.store.scan("users.list", move |tx| {
        let found = users::page(tx, &filter, request.after, request.limit_and_one())?;
        request.page(found, |user| user.id, || users::count(tx, &filter))
    });
    Ok(found.await?.map(|user| UserView::from(&user)))
}

fn document(tx: &ReadTx<'_>, user: &User) -> Result<SplitDocument> {
    history::split(tx, &UserView::from(user).impersonal(), users::personal_row(tx, user.id)?)
}
