//! Users over HTTP.

use super::{
    input::{
        extract::{PathId, Valid},
        list::ListRequest,
        parsed::Parsed,
    },
    orders::NoFields,
    output::list,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::UserId,
        user::{Email, UserFilter, UserStatus},
    },
    error::{Error, Fault, Result, problem},
    service::{
        erasure,
        idempotency::Effect,
        password_resets::{self, ResetTokenView},
        users::{self, ChangeUser, NewUser},
        views::UserView,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// A user to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "email": "grace@example.com", "name": "Grace", "role": "staff", "password": "a long and private phrase"
}))]
pub(super) struct CreateUser {
    /// The e-mail address for logging in, unique among all users.
    #[schemars(length(min = 1, max = 254), extend("format" = "idn-email"))]
    email: String,
    /// The name to show.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// The name of their role.
    #[schemars(length(min = 1, max = 40))]
    role: String,
    /// 15 to 256 characters, counted in Unicode form NFC (the operator may lower the 15). It must not be easy to guess,
    /// nor be the e-mail address or the name. Without one the user is invited: `POST /v1/users/{id}/reset` gives a
    /// token with which they set it.
    #[schemars(length(min = 1, max = 1024), extend("writeOnly" = true))]
    password: Option<String>,
}

/// Creates a user.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, request }: Valid<CreateUser>,
) -> Result<Effect> {
    let password = body.password.map(Into::into);
    let new = NewUser { email: body.email, name: body.name, role: body.role, password };
    users::create(&app, actor, request, new).await
}

/// Makes a reset token.
pub(super) async fn reset(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<UserId>,
    _: Valid<NoFields>,
) -> Result<(StatusCode, Json<ResetTokenView>)> {
    Ok((StatusCode::CREATED, Json(password_resets::create(&app, actor, id).await?)))
}

/// Reads a user.
pub(super) async fn get(State(app): State<App>, actor: Actor, PathId(id): PathId<UserId>) -> Result<Json<UserView>> {
    users::get(&app, &actor, id).await.map(Json)
}

/// Which users to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListUsers {
    /// The user with this e-mail address, in any case.
    #[schemars(length(min = 1, max = 254), extend("format" = "idn-email"))]
    email: Option<String>,
    /// Users with this role.
    #[schemars(length(min = 1, max = 40))]
    role: Option<String>,
    /// Users of this status.
    status: Option<Parsed<UserStatus>>,
    /// Users with this text in the name or the e-mail address. Case does not matter.
    #[schemars(length(min = 1, max = 255))]
    q: Option<String>,
}

impl ListUsers {
    /// The filter that the parameters describe.
    ///
    /// # Errors
    /// `invalid_parameter` if there is no such role, or the address is none.
    fn filter(self, app: &App) -> Result<UserFilter> {
        let mut faults = vec![];
        let email = self.email.and_then(|text| {
            let email = Email::parse(&text);
            if email.is_none() {
                faults.push(Fault::parameter("email", "invalid_format", "must be an e-mail address"));
            }
            email
        });
        if self.role.as_ref().is_some_and(|role| app.access.role(role).is_none()) {
            faults.push(Fault::parameter("role", "unknown", "must be an existing role"));
        }
        if !faults.is_empty() {
            return Err(Error::new(&problem::INVALID_PARAMETER).with_faults(faults));
        }
        Ok(UserFilter { email, role: self.role, status: self.status.map(|status| status.0), text: self.q })
    }
}

/// Lists users, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { filter, options }: ListRequest<ListUsers>,
) -> Result<Response> {
    let filter = filter.filter(&app)?;
    let binding = format!("users.list {filter:?}");
    let find = move |app, actor, page| {
        let filter = filter.clone();
        async move { users::list(&app, &actor, filter, page).await }
    };
    list::answer(app, actor, options, binding, find).await
}

/// A merge patch (RFC 7396): absent fields stay.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"name": "Grace Hopper"}))]
pub(super) struct PatchUser {
    /// The e-mail address for logging in, unique among all users.
    #[schemars(length(min = 1, max = 254), with = "String", extend("format" = "idn-email"))]
    email: Option<String>,
    /// The name to show. Users may change their own.
    #[schemars(length(min = 1, max = 255), with = "String")]
    name: Option<String>,
    /// The name of their role. Users cannot change their own.
    #[schemars(length(min = 1, max = 40), with = "String")]
    role: Option<String>,
    /// Whether they may log in and act. Users cannot change their own.
    #[schemars(with = "Parsed<UserStatus>")]
    status: Option<Parsed<UserStatus>>,
    /// A new password, which ends their sessions; the same rules apply as for a new user.
    #[schemars(length(min = 1, max = 1024), with = "String", extend("writeOnly" = true))]
    password: Option<String>,
}

/// Changes a user.
pub(super) async fn update(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<UserId>,
    Valid { body, request }: Valid<PatchUser>,
) -> Result<Effect> {
    let change = ChangeUser {
        email: body.email,
        name: body.name,
        role: body.role,
        status: body.status.map(|status| status.0),
        password: body.password.map(Into::into),
    };
    users::change(&app, actor, request, id, change).await
}

/// Erases the personal data of a user and of their orders.
pub(super) async fn erase(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<UserId>,
    Valid { request, .. }: Valid<NoFields>,
) -> Result<Effect> {
    erasure::user(&app, actor, request, id).await
}
